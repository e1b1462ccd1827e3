"""The decoder: word embedding -> ImageRNN stack -> word logits."""

import dataclasses
import inspect

import keras
from keras import ops

from captioner.decoder_settings import DECODER_SETTINGS, DecoderSettings
from captioner.packing import Packing
from captioner.recurrent import UNROLL_LIMIT, ImageRNN


@keras.saving.register_keras_serializable(package="captioner")
class Decoder(keras.layers.Layer):
    """Writes a caption word by word, seeing the picture at every step.

    Args:
        vocabulary_size: int. Number of word ids, the four special ones included.
        image_features: int. Size of the picture's vector, the encoder's channels.
        **settings: those of `DecoderSettings`, which has the meaning and default of each, such as
            units, cell and attention.

    Call arguments:
        words: int tensor (batch, time), the caption so far, the start id first, 0 for padding.
        image: tensor (pictures, image_features), with attention (pictures, regions,
            image_features); each picture for an equal number of successive captions. None for
            captions without pictures: i is 0 then.
        return_attention: bool. Whether to return (logits, weights), the weights of the regions at
            each step, (batch, time, regions). Defaults to `False`.
        packed: bool. Whether to return logits of real words only, (real words, vocabulary_size), in
            the order of `captioner.packing.Packing`. Defaults to `False`.

    Returns:
        Logits, tensor (batch, time, vocabulary_size): which word comes after each given one.

    Example:
    >>> decoder = Decoder(vocabulary_size=100, image_features=12, units=16, embedding=8)
    >>> decoder(np.array([[1, 5, 6]]), np.ones((1, 12), "float32")).shape
    (1, 3, 100)

    Reference: Vinyals et al. 2015, "Show and tell", section 3, with the picture fed at every step
    as in the document's equation (5).
    """

    def __init__(self, vocabulary_size, image_features, **settings):
        own = {name: settings.pop(name) for name in DECODER_SETTINGS if name in settings}
        super().__init__(**settings)
        self.vocabulary_size = vocabulary_size
        self.image_features = image_features
        for name, value in dataclasses.asdict(DecoderSettings(**own)).items():
            setattr(self, name, value)

        self.word_vectors = keras.layers.Embedding(
            vocabulary_size, self.embedding, name="word_vectors"
        )
        # Each mask has a seed of its own, or those of the same size would be the same.
        seeds = [None if self.seed is None else self.seed + n for n in range(3 + self.layers)]
        self.drop_words = keras.layers.Dropout(self.word_dropout, seed=seeds[0])
        self.drop_image = keras.layers.Dropout(self.image_dropout, seed=seeds[1])
        self.drop_output = keras.layers.Dropout(self.dropout, seed=seeds[2])
        if self.image_units:
            self.image_norm = keras.layers.LayerNormalization(name="image_norm")
            self.image_projection = keras.layers.Dense(self.image_units, name="image_projection")
        shared = (self.units, self.cell, self.implementation, self.recurrent_dropout, self.l2)
        looks = (self.attention, self.attention_units)  # the first layer, for all
        self.recurrent = [
            ImageRNN(*shared, seeds[3 + n], *(() if n else looks), name=f"recurrent_{n}")
            for n in range(self.layers)
        ]
        self.logits = keras.layers.Dense(vocabulary_size, name="logits")
        self.build((None, None), (None, image_features))

    def build(self, words_shape, image_shape):
        if self.built:
            return
        self.word_vectors.build((None, None))
        if self.image_units:
            self.image_norm.build((None, self.image_features))
            self.image_projection.build((None, self.image_features))
        image_size = self.image_units or self.image_features
        for number, layer in enumerate(self.recurrent):
            layer.build((None, None, self.units if number else self.embedding), (None, image_size))
        self.logits.build((None, None, self.units))
        self.built = True

    def call(self, words, image, training=False, return_attention=False, packed=False):
        mask = ops.not_equal(words, 0)  # (batch, time)
        packing = Packing(mask) if packed else None
        if image is None:
            image = self._no_image(ops.shape(words)[0])
        else:
            image = _for_each_caption(self._image_vector(image, training), words)
        if packed and self._can_pack(words):
            return self.logits(self._run_packed(packing.pack(words), image, packing, training))
        output = self.drop_words(self.word_vectors(words), training=training)
        weights = None
        for layer in self.recurrent:
            if layer.attention is None:
                output = layer(output, image, mask=mask, training=training)
            else:
                output, image, weights = layer(
                    output, image, mask=mask, training=training, return_attention=True
                )
            output = self.drop_output(output, training=training)
        logits = self.logits(packing.pack(output) if packed else output)
        return (logits, weights) if return_attention else logits

    def _can_pack(self, words):
        is_short = words.shape[1] <= UNROLL_LIMIT
        return is_short and all(layer.can_pack for layer in self.recurrent)

    def _run_packed(self, words, image, packing, training):
        """The recurrent layers' output for real words, (real words, units)."""
        output = self.drop_words(self.word_vectors(words), training=training)
        for layer in self.recurrent:
            output = layer.run_packed(output, image, packing, training)
            output = self.drop_output(output, training=training)
        return output

    def learn_pictures(self, trainable):
        """Sets whether the layers that prepare the picture learn; without pictures they cannot."""
        if self.image_units:
            self.image_norm.trainable = self.image_projection.trainable = trainable

    def _image_vector(self, image, training=False):
        """The picture as it enters w_ih: (pictures, image_units), or regions of that size."""
        image = self.drop_image(image, training=training)
        if not self.image_units:
            return image
        return self.image_projection(self.image_norm(image))

    def _no_image(self, captions):
        size = self.image_units or self.image_features
        regions = () if self.attention == "none" else (2,)  # Keras warns of a softmax over one
        return ops.zeros((captions, *regions, size), self.compute_dtype)

    def start(self, image, training=False):
        """What generating needs, for pictures as `call` takes them.

        Args:
            image: as `call` takes it.
            training: bool. Whether image dropout applies. Defaults to `False`.

        Returns:
            (context, state): two lists of tensors, one row a picture. The context stays the same
            over the steps of a caption (w_ih·i of every layer, or the regions), the state changes.
        """
        image = self._image_vector(image, training)
        batch_size = ops.shape(image)[0]
        if self.attention == "none":
            context = [each for layer in self.recurrent for each in layer.prepare_image(image)]
        else:
            context = self.recurrent[0].prepare_image(image)
        state = [each for layer in self.recurrent for each in layer.initial_state(batch_size)]
        return context, state

    def step(self, words, context, state):
        """One word further.

        Args:
            words: int tensor (rows,), the last word of each caption.
            context, state: as `start` made them, one row a caption.

        Returns:
            (log-probabilities (rows, vocabulary_size) of the next word, state).
        """
        output = self.word_vectors(words)  # (rows, embed)
        new_state, image = [], None
        per_layer = len(state) // len(self.recurrent)
        for number, layer in enumerate(self.recurrent):
            states = state[number * per_layer : (number + 1) * per_layer]
            if self.attention == "none":
                prepared = [context[number]]
            else:
                prepared = layer.prepare_image(image) if number else context
            output, states, looked = layer.step(output, prepared, states)
            image = looked if image is None else image
            new_state += states
        logits = ops.cast(self.logits(output), "float32")
        # LiteRT is quicker with this than with log_softmax, which XNNPACK does not compute.
        return logits - ops.logsumexp(logits, axis=-1, keepdims=True), new_state

    def trace(self, words, image):
        """Every state and every gate while it reads captions, see `ImageRNN.trace`.

        Args:
            words, image: as `call` takes them.

        Returns:
            One dict of tensors (captions, time, units) per layer.
        """
        image = _for_each_caption(self._image_vector(image), words)
        output, found = self.word_vectors(words), []
        for layer in self.recurrent:
            found.append(layer.trace(output, image))
            output, image = found[-1]["hidden"], found[-1].get("image", image)
        return found

    def copy_weights_from(self, other):
        """Takes the weights of a decoder of the same sizes, of either implementation."""
        for name in ("word_vectors", "logits") + ("image_norm", "image_projection") * bool(
            self.image_units
        ):
            getattr(self, name).set_weights(getattr(other, name).get_weights())
        for mine, theirs in zip(self.recurrent, other.recurrent, strict=True):
            mine.set_equation_weights(theirs.equation_weights())
            if mine.attention is not None:
                mine.attention.set_weights(theirs.attention.get_weights())

    def with_vocabulary_size(self, size):
        """A decoder with the same weights and room for more words, after those it knows.

        A new word starts as likely as the mean of the known ones.
        """
        wider = Decoder.from_config({**self.get_config(), "vocabulary_size": size})
        known = self.vocabulary_size
        for new, old in zip(wider.weights, self.weights, strict=True):
            value, old_value = ops.convert_to_numpy(new).copy(), ops.convert_to_numpy(old)
            if old is self.word_vectors.embeddings:
                value[:known] = old_value
            elif old is self.logits.kernel:
                value[:, :known] = old_value
            elif old is self.logits.bias:
                value[:known], value[known:] = old_value, old_value[4:].mean()
            else:
                value = old_value
            new.assign(value)
        return wider

    def get_config(self):
        names = ("vocabulary_size", "image_features", *DECODER_SETTINGS)
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _signature():
    """Of `Decoder`: what `help` shows of its settings."""
    kind = inspect.Parameter
    given = [
        kind(name, kind.POSITIONAL_OR_KEYWORD) for name in ("vocabulary_size", "image_features")
    ]
    settings = [
        kind(name, kind.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for name, field in DECODER_SETTINGS.items()
    ]
    return inspect.Signature([*given, *settings, kind("kwargs", kind.VAR_KEYWORD)])


Decoder.__signature__ = _signature()


def _for_each_caption(image, words):
    """The picture of each caption, where there are several captions a picture."""
    captions, pictures = words.shape[0], image.shape[0]
    return image if captions == pictures else ops.repeat(image, captions // pictures, axis=0)
