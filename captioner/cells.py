"""The equations: one class per recurrent cell, each with the image term w_ih·i_t.

Every cell splits its arithmetic in two. What does not depend on the previous hidden state, that is
w_xh·x_t, w_ih·i_t and the bias, is projected for all steps at once (`project_words`,
`project_image`); what does, that is w_hh·h_{t-1} and the gates, happens in `step`.

With the gate order used here the weights are those of Keras: `keras.layers.LSTM.kernel` equals
`concat([w_xh, w_ih])` where its input is `concat([words, image])`.
"""

import abc

import keras
from keras import ops


class ImageCell(keras.layers.Layer, abc.ABC):
    """Weights and projections that all cells share; a subclass adds the equations.

    Args:
        units: int. Size of the hidden state h_t.
        recurrent_dropout: float. Share of h_{t-1} dropped on its way into w_hh, with one mask for
            the whole sequence (Gal & Ghahramani 2016, section 4). Defaults to `0.0`.
        l2: float. Weight of the squared norm of w_xh, w_ih and w_hh in the loss. Defaults to `0.0`.
        seed: int or None. Seed of the dropout masks. Defaults to `None`.
    """

    gates = 1
    state_names = ("hidden",)
    gate_names = ()  # what `gate_values` returns

    def __init__(self, units, recurrent_dropout=0.0, l2=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.recurrent_dropout = recurrent_dropout
        self.l2 = l2
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, words_shape, image_shape):
        width = self.gates * self.units
        self.w_xh = self._add_matrix("w_xh", (words_shape[-1], width), "glorot_uniform")
        self.w_ih = self._add_matrix("w_ih", (image_shape[-1], width), "glorot_uniform")
        self.w_hh = self._add_matrix("w_hh", (self.units, width), "orthogonal")
        self.bias = self._add_bias(width)

    def _add_matrix(self, name, shape, initializer):
        regularizer = keras.regularizers.L2(self.l2) if self.l2 else None
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, regularizer=regularizer
        )

    def _add_bias(self, width):
        return self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def project_words(self, words):
        """w_xh·x + bias for a word (batch, embed) or for all steps (batch, time, embed)."""
        return ops.matmul(words, self.w_xh) + self._input_bias()

    def project_image(self, image):
        """w_ih·i for a constant image (batch, features) or one per step (batch, time, features)."""
        return ops.matmul(image, self.w_ih)

    def _input_bias(self):
        return self.bias

    def dropout_mask(self, batch_size, training):
        """The mask (batch, units) for h_{t-1} over a whole sequence, or None where none applies."""
        if not training or not self.recurrent_dropout:
            return None
        ones = ops.ones((batch_size, self.units), self.compute_dtype)
        return keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def step(self, projected, states, dropout_mask=None):
        """One step of the recurrence.

        Args:
            projected: tensor (batch, gates·units): w_xh·x_t + w_ih·i_t + bias.
            states: list of tensors (batch, units): h_{t-1}, and c_{t-1} for the LSTM.
            dropout_mask: tensor (batch, units) or None. Multiplies h_{t-1}. Defaults to `None`.

        Returns:
            The list of new states (batch, units); the first is h_t.
        """
        hidden = states[0] if dropout_mask is None else states[0] * dropout_mask
        return self._equations(projected, hidden, states)

    @abc.abstractmethod
    def _equations(self, projected, hidden, states):
        """The new states, as `step` returns them, from h_{t-1} with its dropout, `hidden`."""

    def gate_values(self, projected, hidden):
        """The gates between 0 and 1, and the candidate between -1 and 1, as `gate_names` has them.

        Args:
            projected: tensor (batch, gates·units), as in `step`.
            hidden: tensor (batch, units), h_{t-1}.

        Returns:
            Tuple of tensors (batch, units), empty where the cell has no gates.
        """
        return ()

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "recurrent_dropout": self.recurrent_dropout,
            "l2": self.l2,
            "seed": self.seed,
        }


class DifferentiatedCell(ImageCell):
    """A cell with its gradients written out, so that `captioner.packing` can train it faster.

    Its equations are those of w_hh·h_{t-1}, which is computed apart: the gradient of w_hh is then
    one matrix product over all words, and the rest of a step's gradient needs no product.
    """

    def _equations(self, projected, hidden, states):
        recurrent = self.recurrent(hidden, self.recurrent_weights())
        return self.equations(projected, recurrent, states)[1]

    def gate_values(self, projected, hidden):
        return self.gates_of(projected, self.recurrent(hidden, self.recurrent_weights()))

    def recurrent_weights(self):
        """What `recurrent` multiplies by and adds: a list of tensors, w_hh first."""
        return [ops.convert_to_tensor(self.w_hh)]

    def recurrent(self, hidden, weights):
        """w_hh·h_{t-1}, (batch, gates·units), of h_{t-1} (batch, units)."""
        return ops.matmul(hidden, weights[0])

    def gates_of(self, projected, recurrent):
        """`gate_values`, given w_hh·h_{t-1}."""
        return ()

    @abc.abstractmethod
    def equations(self, projected, recurrent, states):
        """One step, given w_hh·h_{t-1}.

        Args:
            projected: tensor (batch, gates·units), as in `step`.
            recurrent: tensor (batch, gates·units), what `recurrent` returned.
            states: list of tensors (batch, units), as in `step`.

        Returns:
            (what `gates_of` returns, list of the new states).
        """

    @abc.abstractmethod
    def gradients(self, recurrent, gates, before, after, upstream):
        """The chain rule through `equations`.

        Args:
            recurrent, gates: what `equations` took and returned.
            before, after: lists of tensors (batch, units). The states it took and returned.
            upstream: list of tensors (batch, units). The gradients of the states after.

        Returns:
            (gradient of `projected`, gradient of `recurrent`, list of the gradients of the states
            before, without what reaches them through `recurrent`).
        """


@keras.saving.register_keras_serializable(package="captioner")
class RNNCell(DifferentiatedCell):
    """The plain recurrence with the image term, equations (3) and (5) of the document.

        h_t = tanh(w_hh h_{t-1} + w_xh x_t + w_ih i_t + b)

    Example:
    >>> cell = RNNCell(units=8)
    >>> cell.build((None, 4), (None, 6))
    >>> projected = cell.project_words(ops.ones((2, 4))) + cell.project_image(ops.ones((2, 6)))
    >>> [hidden] = cell.step(projected, [ops.zeros((2, 8))])          # (2, 8)

    Reference: Elman 1990, "Finding structure in time"; the document, section 2.
    """

    def equations(self, projected, recurrent, states):
        return (), [ops.tanh(projected + recurrent)]

    def gradients(self, recurrent, gates, before, after, upstream):
        of_sum = upstream[0] * (1 - ops.square(after[0]))
        return of_sum, of_sum, [0.0]


@keras.saving.register_keras_serializable(package="captioner")
class LSTMCell(DifferentiatedCell):
    """The LSTM with the image term in every gate, equations (6) to (10) of the document.

        f_t  = sigmoid(w_f [h_{t-1}, x_t, image_t] + b_f)     forget gate      (6)
        in_t = sigmoid(w_i [h_{t-1}, x_t, image_t] + b_i)     input gate       (7)
        c~_t = tanh(w_c [h_{t-1}, x_t, image_t] + b_c)        candidate        (8)
        c_t  = f_t c_{t-1} + in_t c~_t                        memory
        o_t  = sigmoid(w_o [h_{t-1}, x_t, image_t] + b_o)     output gate      (9)
        h_t  = o_t tanh(c_t)                                  hidden           (10)

    Gate order in the weights: input, forget, candidate, output. The forget bias starts at 1
    (Jozefowicz et al. 2015, section 2.1), so that the cell remembers before it has learned to.

    Reference: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (the forget gate); the document,
    section 3.2.
    """

    gates = 4
    state_names = ("hidden", "memory")
    gate_names = ("input_gate", "forget_gate", "candidate", "output_gate")

    def _add_bias(self, width):
        forget = slice(self.units, 2 * self.units)

        def remember_first(shape, dtype=None):
            bias = ops.zeros(shape, dtype)
            return ops.slice_update(bias, [forget.start], ops.ones((self.units,), dtype))

        return self.add_weight(name="bias", shape=(width,), initializer=remember_first)

    def gates_of(self, projected, recurrent):
        gates = ops.split(projected + recurrent, 4, axis=-1)
        input_gate, forget_gate, candidate, output_gate = gates
        return (
            ops.sigmoid(input_gate),
            ops.sigmoid(forget_gate),
            ops.tanh(candidate),
            ops.sigmoid(output_gate),
        )

    def equations(self, projected, recurrent, states):
        gates = self.gates_of(projected, recurrent)
        input_gate, forget_gate, candidate, output_gate = gates
        memory = forget_gate * states[1] + input_gate * candidate
        return gates, [output_gate * ops.tanh(memory), memory]

    def gradients(self, recurrent, gates, before, after, upstream):
        input_gate, forget_gate, candidate, output_gate = gates
        seen = ops.tanh(after[1])
        of_memory = upstream[1] + upstream[0] * output_gate * (1 - ops.square(seen))
        of_sums = [
            of_memory * candidate * _sigmoid_slope(input_gate),
            of_memory * before[1] * _sigmoid_slope(forget_gate),
            of_memory * input_gate * (1 - ops.square(candidate)),
            upstream[0] * seen * _sigmoid_slope(output_gate),
        ]
        of_sum = ops.concatenate(of_sums, axis=-1)
        return of_sum, of_sum, [0.0, of_memory * forget_gate]


@keras.saving.register_keras_serializable(package="captioner")
class GRUCell(DifferentiatedCell):
    """The GRU with the image term in both gates and the candidate, section 4.3 of the document.

        z_t  = sigmoid(w_z [h_{t-1}, x_t, image_t] + b_z)             update gate
        r_t  = sigmoid(w_r [h_{t-1}, x_t, image_t] + b_r)             reset gate
        c~_t = tanh(w_c [x_t, image_t] + b_c + r_t (w_hc h_{t-1} + b_hc))   candidate
        h_t  = z_t h_{t-1} + (1 - z_t) c~_t                           hidden

    Gate order in the weights: update, reset, candidate. The reset gate acts after the matrix
    product (Keras' `reset_after=True`), hence the second row of the bias, added to w_hh·h_{t-1}.

    Reference: Cho et al. 2014, equations (5) to (8).
    """

    gates = 3
    gate_names = ("update_gate", "reset_gate", "candidate")

    def _add_bias(self, width):
        return self.add_weight(name="bias", shape=(2, width), initializer="zeros")

    def _input_bias(self):
        return self.bias[0]

    def recurrent_weights(self):
        return [*super().recurrent_weights(), self.bias[1]]

    def recurrent(self, hidden, weights):
        return super().recurrent(hidden, weights) + weights[1]

    def gates_of(self, projected, recurrent):
        update, reset, candidate = ops.split(projected, 3, axis=-1)
        recurrent_update, recurrent_reset, recurrent_candidate = ops.split(recurrent, 3, axis=-1)
        reset_gate = ops.sigmoid(reset + recurrent_reset)
        return (
            ops.sigmoid(update + recurrent_update),
            reset_gate,
            ops.tanh(candidate + reset_gate * recurrent_candidate),
        )

    def equations(self, projected, recurrent, states):
        gates = self.gates_of(projected, recurrent)
        update_gate, _, candidate = gates
        # What is kept is kept whole: dropout, where there is any, acts on w_hh·h_{t-1} alone.
        return gates, [update_gate * states[0] + (1 - update_gate) * candidate]

    def gradients(self, recurrent, gates, before, after, upstream):
        update_gate, reset_gate, candidate = gates
        of_candidate = upstream[0] * (1 - update_gate) * (1 - ops.square(candidate))
        of_update = upstream[0] * (before[0] - candidate) * _sigmoid_slope(update_gate)
        of_reset = of_candidate * recurrent[:, 2 * self.units :] * _sigmoid_slope(reset_gate)
        of_projected = ops.concatenate([of_update, of_reset, of_candidate], axis=-1)
        of_recurrent = ops.concatenate([of_update, of_reset, of_candidate * reset_gate], axis=-1)
        return of_projected, of_recurrent, [upstream[0] * update_gate]


def _sigmoid_slope(value):
    return value * (1 - value)


CELLS = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}
