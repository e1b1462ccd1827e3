"""ImageRNN: a cell run over time, by our own loop or by Keras' layers."""

import keras
from keras import ops

from captioner.attention import AdditiveAttention
from captioner.cells import CELLS
from captioner.compiled import XLA
from captioner.errors import require

# Loops of known length up to this are written out step by step; longer ones would take too long to
# trace. XLA takes ten times as long to compile a loop that is written out (measured).
UNROLL_LIMIT = 0 if XLA else 64

ATTENTIONS = ("none", "additive")

KERAS_LAYERS = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


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
            implementation in ("custom", "keras"),
            f"implementation {implementation!r}: no such implementation; choose custom or keras",
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
        if implementation == "custom":
            self.cell = CELLS[cell](units, recurrent_dropout, l2, seed, name="cell")
        else:
            self.keras_layer = self._make_keras_layer()

    def _make_keras_layer(self):
        regularizer = keras.regularizers.L2(self.l2) if self.l2 else None
        return KERAS_LAYERS[self.cell_name](
            self.units,
            return_sequences=True,
            return_state=True,
            recurrent_dropout=self.recurrent_dropout,
            kernel_regularizer=regularizer,
            recurrent_regularizer=regularizer,
            seed=self.seed,
            name="keras_layer",
        )

    def build(self, words_shape, image_shape):
        self.words_size, self.image_size = words_shape[-1], image_shape[-1]
        if self.attention is not None:
            self.attention.build((None, self.units), image_shape)
        if self.implementation == "custom":
            self.cell.build(words_shape, image_shape)
        else:
            self.keras_layer.build((None, None, self.words_size + self.image_size))

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
            run = self._run_custom if self.implementation == "custom" else self._run_keras
            output, states = run(*arguments)
        if return_attention:
            return (output, *looked)
        return (output, states) if return_state else output

    def initial_state(self, batch_size):
        """Zeros: a list of one tensor (batch, units) per state name."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in self.state_names]

    def _run_keras(self, words, image, mask, initial_state, training):
        if len(image.shape) == 2:
            image = ops.broadcast_to(
                image[:, None, :], (*ops.shape(words)[:2], ops.shape(image)[-1])
            )
        inputs = ops.concatenate([words, image], axis=-1)  # (batch, time, embed + features)
        # The mask is handed over by name: Keras' own propagation loses it in a concatenation.
        output, *states = self.keras_layer(
            inputs, initial_state=initial_state, mask=mask, training=training
        )
        return output, states

    def _run_custom(self, words, image, mask, initial_state, training):
        image = self.cell.project_image(image)  # once per picture: (batch, g·units)
        if len(image.shape) == 2:
            image = image[:, None, :]
        projected = self.cell.project_words(words) + image  # (batch, time, g·units)
        dropout_mask = self.cell.dropout_mask(ops.shape(words)[0], training)

        def step(carry, projected_t):
            _, *states = carry
            states = self.cell.step(projected_t, states, dropout_mask)
            return [states[0], *states]

        carry = [ops.zeros_like(initial_state[0]), *initial_state]
        (_, *states), (output, *_) = _loop(step, carry, projected, mask)
        return output, states

    def _run_attending(self, words, regions, mask, initial_state, training):
        keys = self.attention.keys(regions)
        batch_size = ops.shape(words)[0]
        inputs, advance = self._steps_with_new_images(words, initial_state, training)

        def step(carry, input_t):
            _, *states, _, _ = carry
            image, weights = self.attention(states[0], regions, keys)
            states = advance(input_t, image, states)
            return [states[0], *states, image, weights]

        carry = [
            ops.zeros_like(initial_state[0]),
            *initial_state,
            ops.zeros((batch_size, self.image_size), self.compute_dtype),
            ops.zeros((batch_size, regions.shape[1]), self.compute_dtype),
        ]
        (_, *states, _, _), (output, *_, images, weights) = _loop(step, carry, inputs, mask)
        return output, states, images, weights

    def _steps_with_new_images(self, words, initial_state, training):
        """What can be done before the loop, and one step of the rest of it."""
        if self.implementation == "custom":
            dropout_mask = self.cell.dropout_mask(ops.shape(words)[0], training)

            def advance(projected, image, states):
                projected = projected + self.cell.project_image(image)
                return self.cell.step(projected, states, dropout_mask)

            return self.cell.project_words(words), advance
        cell = self.keras_layer.cell
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
        if training and self.recurrent_dropout:
            cell.get_recurrent_dropout_mask(initial_state[0])  # one for all steps

        def advance(word, image, states):
            return cell(ops.concatenate([word, image], axis=-1), states, training=training)[1]

        return words, advance

    def prepare_image(self, image):
        """What `step` needs of the image, computed once per picture: a list of tensors."""
        if self.attention is not None:
            return [image, self.attention.keys(image)]
        return [self.cell.project_image(image) if self.implementation == "custom" else image]

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
        image = None
        if self.attention is not None:
            image, _ = self.attention(states[0], *prepared)
            prepared = [
                self.cell.project_image(image) if self.implementation == "custom" else image
            ]
        if self.implementation == "custom":
            states = self.cell.step(self.cell.project_words(word) + prepared[0], states)
            return states[0], states, image
        inputs = ops.concatenate([word, prepared[0]], axis=-1)
        return *self.keras_layer.cell(inputs, states, training=False), image

    def trace(self, words, image):
        """Every state and every gate of a forward pass, to look at.

        Args:
            words: tensor (batch, time, embed).
            image: as `call` takes it.

        Returns:
            dict of tensors (batch, time, units): `hidden`, for the LSTM `memory`, and the cell's
            `gate_names`. With attention also `image` (batch, time, features), what was looked at.

        Raises:
            CaptionerError: The implementation is `"keras"`, whose layers do not tell.

        Example:
        >>> layer = captioner.ImageRNN(16, cell="gru")
        >>> seen = layer.trace(np.ones((2, 5, 8), "float32"), np.ones((2, 12), "float32"))
        >>> seen["update_gate"].shape
        (2, 5, 16)
        """
        require(
            self.implementation == "custom",
            "trace: Keras' layers do not show their gates; load the model with "
            "implementation='custom'",
        )
        if not self.built:
            self.build(words.shape, image.shape)
        is_constant = self.attention is not None or len(image.shape) == 2
        states, steps = self.initial_state(words.shape[0]), []
        for t in range(words.shape[1]):
            word, before = words[:, t], states[0]
            prepared = self.prepare_image(image if is_constant else image[:, t])
            _, states, looked = self.step(word, prepared, states)
            image_term = prepared[0] if looked is None else self.cell.project_image(looked)
            gates = self.cell.gate_values(self.cell.project_words(word) + image_term, before)
            steps.append([*states, *gates, *([] if looked is None else [looked])])
        names = [*self.state_names, *self.cell.gate_names, "image"]
        over_time = zip(*steps, strict=True)
        return {name: ops.stack(each, axis=1) for name, each in zip(names, over_time, strict=False)}

    def equation_weights(self):
        """The weights under the names of the equations, whichever implementation holds them.

        Returns:
            dict of numpy arrays: w_xh (embed, g·units), w_ih (features, g·units),
            w_hh (units, g·units), bias.
        """
        holder = self._weight_holder()
        if self.implementation == "custom":
            w_xh, w_ih, w_hh = holder.w_xh, holder.w_ih, holder.w_hh
        else:
            w_xh, w_ih = holder.kernel[: self.words_size], holder.kernel[self.words_size :]
            w_hh = holder.recurrent_kernel
        weights = {"w_xh": w_xh, "w_ih": w_ih, "w_hh": w_hh, "bias": holder.bias}
        return {name: ops.convert_to_numpy(value) for name, value in weights.items()}

    def set_equation_weights(self, weights):
        """Takes what `equation_weights` of a layer of the same sizes gave."""
        holder = self._weight_holder()
        if self.implementation == "custom":
            for name, value in weights.items():
                getattr(holder, name).assign(value)
        else:
            holder.kernel.assign(ops.concatenate([weights["w_xh"], weights["w_ih"]], axis=0))
            holder.recurrent_kernel.assign(weights["w_hh"])
            holder.bias.assign(weights["bias"])

    def _weight_holder(self):
        return self.cell if self.implementation == "custom" else self.keras_layer.cell

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
