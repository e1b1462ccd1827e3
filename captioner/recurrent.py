"""ImageRNN: a cell run over time, by our own loop or by Keras' layers."""

from typing import ClassVar

import keras
from keras import ops

from captioner.attention import AdditiveAttention
from captioner.cells import CELLS, DifferentiatedCell
from captioner.compiled import XLA
from captioner.errors import CaptionerError, require
from captioner.packing import CAN_PACK, run_packed

# Loops of known length up to this are written out step by step; longer ones would take too long to
# trace. XLA takes ten times as long to compile a loop that is written out (measured).
UNROLL_LIMIT = 0 if XLA else 64

ATTENTIONS = ("none", "additive")


@keras.saving.register_keras_serializable(package="captioner")
class ImageRNN(keras.layers.Layer):
    """A recurrent layer whose every step also sees the picture: h_t = f(h_{t-1}, x_t, i_t).

    Masked steps leave the states as they are and repeat the last output, as in Keras.

    Args:
        units: int. Size of the hidden state.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        implementation: `"custom"` for our loop over `captioner.cells`, with w_xh·x and w_ih·i taken
            out of it, or `"keras"` for `keras.layers.SimpleRNN`, `LSTM` or `GRU` on the
            concatenation of words and image. Both give the same numbers with the same weights.
            Defaults to `"custom"`.
        recurrent_dropout: float. Share of h_{t-1} dropped before w_hh. Defaults to `0.0`.
        l2: float. Weight of the squared norm of the three matrices. Defaults to `0.0`.
        seed: int or None. Seed of the dropout masks. Defaults to `None`.
        attention: `"none"`, or `"additive"`: the image then is given as regions, and i_t is what
            h_{t-1} chooses to look at, see `AdditiveAttention`. Defaults to `"none"`.
        attention_units: int. Size of `AdditiveAttention`. Defaults to `256`.

    Call arguments:
        words: tensor (batch, time, embed).
        image: tensor (batch, features), the same at every step, or (batch, time, features); with
            attention (batch, regions, features).
        mask: bool tensor (batch, time) or None. False marks padding. Defaults to `None`.
        initial_state: list of tensors (batch, units), hidden and, for the LSTM, memory.
            Defaults to zeros.
        return_state: bool. Whether to return (output, states). Defaults to `False`.
        return_attention: bool. Whether to return (output, image, weights): what was looked at,
            (batch, time, features), and how much of it was each region, (batch, time, regions).
            Defaults to `False`.

    Returns:
        Tensor (batch, time, units).

    Example:
    >>> layer = captioner.ImageRNN(16, cell="lstm")
    >>> words, image = np.ones((2, 5, 8), "float32"), np.ones((2, 12), "float32")
    >>> layer(words, image).shape
    (2, 5, 16)

    Reference: the document, equations (1) and (5); where the image enters: Tanti et al. 2018,
    "Where to put the image in an image caption generator" (there: par-inject).
    """

    def __init__(
        self,
        units,
        cell="lstm",
        implementation="custom",
        recurrent_dropout=0.0,
        l2=0.0,
        seed=None,
        attention="none",
        attention_units=256,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require(cell in CELLS, f"cell {cell!r}: no such cell; choose one of {', '.join(CELLS)}")
        require(
            implementation in RUNNERS,
            f"implementation {implementation!r}: no such implementation; choose "
            f"{' or '.join(RUNNERS)}",
        )
        require(
            attention in ATTENTIONS,
            f"attention {attention!r}: no such attention; choose {' or '.join(ATTENTIONS)}",
        )
        self.units = units
        self.cell_name = cell
        self.implementation = implementation
        self.recurrent_dropout = recurrent_dropout
        self.l2 = l2
        self.seed = seed
        self.attention_name = attention
        self.attention_units = attention_units
        self.attention = None
        if attention == "additive":
            self.attention = AdditiveAttention(attention_units, name="attention")
        self.supports_masking = True
        self.state_names = CELLS[cell].state_names
        self._runner = RUNNERS[implementation](cell, units, recurrent_dropout, l2, seed)
        # Files have a layer's weights under the name of the attribute that holds it.
        setattr(self, self._runner.held_as, self._runner.layer)

    def build(self, words_shape, image_shape):
        self.words_size, self.image_size = words_shape[-1], image_shape[-1]
        if self.attention is not None:
            self.attention.build((None, self.units), image_shape)
        self._runner.build(words_shape, image_shape)

    def call(
        self,
        words,
        image,
        mask=None,
        initial_state=None,
        training=False,
        return_state=False,
        return_attention=False,
    ):
        if initial_state is None:
            initial_state = self.initial_state(ops.shape(words)[0])
        arguments = (words, image, mask, list(initial_state), training)
        if self.attention is not None:
            output, states, *looked = self._run_attending(*arguments)
        else:
            require(not return_attention, "return_attention: this layer has no attention")
            output, states = self._runner.run(*arguments)
        if return_attention:
            return (output, *looked)
        return (output, states) if return_state else output

    @property
    def can_pack(self):
        """Whether `run_packed` is there for this layer."""
        return CAN_PACK and self.attention is None and self._runner.can_pack

    def run_packed(self, words, image, packing, training=False):
        """The output for real words only, from states of zeros; much faster to train than `call`.

        Args:
            words: tensor (real words, embed), as `packing` packs them.
            image: tensor (batch, features).
            packing: Packing.
            training: bool. Defaults to `False`.

        Returns:
            Tensor (real words, units).
        """
        return self._runner.run_packed(words, image, packing, training)

    def initial_state(self, batch_size):
        """Zeros: a list of one tensor (batch, units) per state name."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in self.state_names]

    def _run_attending(self, words, regions, mask, initial_state, training):
        keys = self.attention.keys(regions)
        batch_size = ops.shape(words)[0]
        runner, advance = self._runner, self._runner.start(initial_state, training)

        def step(carry, word):
            _, *states, _, _ = carry
            image, weights = self.attention(states[0], regions, keys)
            states = advance(runner.combine(word, runner.prepare_image(image)), states)
            return [states[0], *states, image, weights]

        carry = [
            ops.zeros_like(initial_state[0]),
            *initial_state,
            ops.zeros((batch_size, self.image_size), self.compute_dtype),
            ops.zeros((batch_size, regions.shape[1]), self.compute_dtype),
        ]
        words = runner.prepare_words(words)
        (_, *states, _, _), (output, *_, images, weights) = _loop(step, carry, words, mask)
        return output, states, images, weights

    def prepare_image(self, image):
        """What `step` needs of the image, computed once per picture: a list of tensors."""
        if self.attention is not None:
            return [image, self.attention.keys(image)]
        return [self._runner.prepare_image(image)]

    def step(self, word, prepared, states):
        """One step while generating.

        Args:
            word: tensor (batch, embed).
            prepared: list of tensors, one row a caption, the value of `prepare_image`.
            states: list of tensors (batch, units).

        Returns:
            (output (batch, units), list of new states, i_t (batch, features) where there is
            attention, else None).
        """
        runner, image = self._runner, None
        if self.attention is not None:
            image, _ = self.attention(states[0], *prepared)
            prepared = [runner.prepare_image(image)]
        inputs = runner.combine(runner.prepare_words(word), prepared[0])
        states = runner.start(states, training=False)(inputs, states)
        return states[0], states, image

    def trace(self, words, image):
        """Every state and every gate of a forward pass, to look at.

        Args:
            words: tensor (batch, time, embed).
            image: as `call` takes it.

        Returns:
            dict of tensors (batch, time, units): `hidden`, for the LSTM `memory`, and the cell's
            `gate_names`. With attention also `image` (batch, time, features), what was looked at.

        Raises:
            CaptionerError: The implementation is `"keras"`, whose layers do not show their gates.

        Example:
        >>> layer = captioner.ImageRNN(16, cell="gru")
        >>> seen = layer.trace(np.ones((2, 5, 8), "float32"), np.ones((2, 12), "float32"))
        >>> seen["update_gate"].shape
        (2, 5, 16)
        """
        if not self.built:
            self.build(words.shape, image.shape)
        is_constant = self.attention is not None or len(image.shape) == 2
        runner, states, steps = self._runner, self.initial_state(words.shape[0]), []
        for t in range(words.shape[1]):
            word, before = words[:, t], states[0]
            prepared = self.prepare_image(image if is_constant else image[:, t])
            _, states, looked = self.step(word, prepared, states)
            image_term = prepared[0] if looked is None else runner.prepare_image(looked)
            gates = runner.gates(runner.combine(runner.prepare_words(word), image_term), before)
            steps.append([*states, *gates, *([] if looked is None else [looked])])
        names = [*self.state_names, *CELLS[self.cell_name].gate_names, "image"]
        over_time = zip(*steps, strict=True)
        return {name: ops.stack(each, axis=1) for name, each in zip(names, over_time, strict=False)}

    def equation_weights(self):
        """The weights under the names of the equations, whichever implementation holds them.

        Returns:
            dict of numpy arrays: w_xh (embed, g·units), w_ih (features, g·units),
            w_hh (units, g·units), bias.
        """
        weights = self._runner.equation_weights()
        return {name: ops.convert_to_numpy(value) for name, value in weights.items()}

    def set_equation_weights(self, weights):
        """Takes what `equation_weights` of a layer of the same sizes gave."""
        self._runner.set_equation_weights(weights)

    def compute_output_shape(self, words_shape, image_shape):
        return (*words_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell_name,
            "implementation": self.implementation,
            "recurrent_dropout": self.recurrent_dropout,
            "l2": self.l2,
            "seed": self.seed,
            "attention": self.attention_name,
            "attention_units": self.attention_units,
        }


class OwnLoop:
    """Runs a cell of `captioner.cells` by our loop; w_xh·x and w_ih·i are computed outside it.

    Args:
        cell: str. A key of `CELLS`.
        units, recurrent_dropout, l2, seed: as `ImageRNN` takes them.
    """

    held_as = "cell"

    def __init__(self, cell, units, recurrent_dropout, l2, seed):
        self.layer = CELLS[cell](units, recurrent_dropout, l2, seed, name="cell")
        self.can_pack = isinstance(self.layer, DifferentiatedCell)

    def build(self, words_shape, image_shape):
        self.layer.build(words_shape, image_shape)

    def prepare_words(self, words):
        """What is computed of one word or of all before the loop."""
        return self.layer.project_words(words)  # (batch, [time,] g·units)

    def prepare_image(self, image):
        """What is computed of the image once, where it is constant."""
        return self.layer.project_image(image)  # (batch, [time,] g·units)

    def combine(self, words, image):
        """The inputs of steps, of prepared words and image."""
        return words + image

    def start(self, states, training):
        """A function (inputs, states) -> states, one step of a sequence with one dropout mask."""
        dropout_mask = self.layer.dropout_mask(ops.shape(states[0])[0], training)
        return lambda inputs, states: self.layer.step(inputs, states, dropout_mask)

    def run(self, words, image, mask, states, training):
        """The whole sequence without attention: (output (batch, time, units), last states)."""
        image = self.prepare_image(image)
        if len(image.shape) == 2:
            image = image[:, None, :]
        inputs = self.combine(self.prepare_words(words), image)  # (batch, time, g·units)
        advance = self.start(states, training)

        def step(carry, inputs_t):
            _, *states = carry
            states = advance(inputs_t, states)
            return [states[0], *states]

        carry = [ops.zeros_like(states[0]), *states]
        (_, *states), (output, *_) = _loop(step, carry, inputs, mask)
        return output, states

    def run_packed(self, words, image, packing, training):
        """The output for real words, see `ImageRNN.run_packed`."""
        image = packing.of_captions(self.prepare_image(image))
        dropout_mask = self.layer.dropout_mask(packing.batch, training)
        inputs = self.combine(self.prepare_words(words), image)  # (real words, g·units)
        return run_packed(self.layer, inputs, packing, dropout_mask)

    def gates(self, inputs, hidden):
        """The cell's `gate_values` in one step."""
        return self.layer.gate_values(inputs, hidden)

    def equation_weights(self):
        """The weights, by the names that they have in the equations."""
        names = ("w_xh", "w_ih", "w_hh", "bias")
        return {name: getattr(self.layer, name) for name in names}

    def set_equation_weights(self, weights):
        for name, value in weights.items():
            getattr(self.layer, name).assign(value)


class KerasLoop:
    """Runs a recurrent layer of Keras on the concatenation of words and image, as `OwnLoop` does.

    Raises:
        CaptionerError: Keras has no layer for the cell.
    """

    held_as = "keras_layer"
    can_pack = False
    layers: ClassVar = {
        "rnn": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }

    def __init__(self, cell, units, recurrent_dropout, l2, seed):
        require(
            cell in self.layers,
            f"cell {cell!r}: Keras has no layer for it; give implementation='custom'",
        )
        regularizer = keras.regularizers.L2(l2) if l2 else None
        self.layer = self.layers[cell](
            units,
            return_sequences=True,
            return_state=True,
            recurrent_dropout=recurrent_dropout,
            kernel_regularizer=regularizer,
            recurrent_regularizer=regularizer,
            seed=seed,
            name="keras_layer",
        )

    def build(self, words_shape, image_shape):
        self.words_size = words_shape[-1]
        self.layer.build((None, None, self.words_size + image_shape[-1]))

    def prepare_words(self, words):
        return words

    def prepare_image(self, image):
        return image

    def combine(self, words, image):
        return ops.concatenate([words, image], axis=-1)  # (batch, [time,] embed + features)

    def start(self, states, training):
        cell = self.layer.cell
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
        if training and cell.recurrent_dropout:
            cell.get_recurrent_dropout_mask(states[0])  # one for all steps
        return lambda inputs, states: cell(inputs, states, training=training)[1]

    def run(self, words, image, mask, states, training):
        if len(image.shape) == 2:
            image = ops.broadcast_to(
                image[:, None, :], (*ops.shape(words)[:2], ops.shape(image)[-1])
            )
        # The mask is handed over by name: Keras' own propagation loses it in a concatenation.
        output, *states = self.layer(
            self.combine(words, image), initial_state=states, mask=mask, training=training
        )
        return output, states

    def gates(self, inputs, hidden):
        raise CaptionerError(
            "trace: Keras' layers do not show their gates; load the model with "
            "implementation='custom'"
        )

    def equation_weights(self):
        cell, size = self.layer.cell, self.words_size
        return {
            "w_xh": cell.kernel[:size],
            "w_ih": cell.kernel[size:],
            "w_hh": cell.recurrent_kernel,
            "bias": cell.bias,
        }

    def set_equation_weights(self, weights):
        cell = self.layer.cell
        cell.kernel.assign(ops.concatenate([weights["w_xh"], weights["w_ih"]], axis=0))
        cell.recurrent_kernel.assign(weights["w_hh"])
        cell.bias.assign(weights["bias"])


RUNNERS = {"custom": OwnLoop, "keras": KerasLoop}


def _loop(step, carry, inputs, mask):
    """Runs a step over time; where the mask is False the carry stays as it is.

    Args:
        step: callable. (carry, input (batch, ·)) -> carry, a list of tensors (batch, ·).
        carry: list of tensors, that before the first step.
        inputs: tensor (batch, time, ·).
        mask: bool tensor (batch, time), or None.

    Returns:
        (last carry, list of its tensors over time, (batch, time, ·) each).
    """

    def masked_step(carry, input_t, mask_t):
        new_carry = step(carry, input_t)
        if mask_t is None:
            return new_carry
        mask_t = mask_t[:, None]
        return [ops.where(mask_t, new, old) for new, old in zip(new_carry, carry, strict=True)]

    loop = _unrolled if 0 < (inputs.shape[1] or 0) <= UNROLL_LIMIT else _scanned
    return loop(masked_step, carry, inputs, mask)


def _unrolled(step, carry, inputs, mask):
    """The loop over time written out, for a number of steps known beforehand."""
    # Unstacked at once: the gradient of a slice for each step would be as many arrays of full size.
    steps = ops.unstack(inputs, axis=1)
    masks = [None] * len(steps) if mask is None else ops.unstack(mask, axis=1)
    carries = []
    for input_t, mask_t in zip(steps, masks, strict=True):
        carry = step(carry, input_t, mask_t)
        carries.append(carry)
    return carry, [ops.stack(over_time, axis=1) for over_time in zip(*carries, strict=True)]


def _scanned(step, carry, inputs, mask):
    """The loop over time as one operation, for long sequences or an unknown number of steps."""
    if mask is not None:
        # As one more column: of two arrays Keras' scan on TensorFlow has to know the length.
        mask = ops.cast(mask, inputs.dtype)[..., None]
        inputs = ops.concatenate([inputs, mask], axis=-1)

    def scan_step(carry, input_t):
        if mask is None:
            carry = step(carry, input_t, None)
        else:
            carry = step(carry, input_t[:, :-1], input_t[:, -1] > 0.5)
        return carry, carry  # Keras' scan on TensorFlow wants the output shaped like the carry

    carry, carries = ops.scan(scan_step, carry, ops.swapaxes(inputs, 0, 1))
    return carry, [ops.swapaxes(each, 0, 1) for each in carries]
