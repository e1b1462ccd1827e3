"""The decoder: word embedding -> ImageRNN stack -> word logits."""

import keras
from keras import ops

from captioner.recurrent import ImageRNN


@keras.saving.register_keras_serializable(package="captioner")
class Decoder(keras.layers.Layer):
    """Writes a caption word by word, seeing the picture at every step.

    Args:
        vocabulary_size: int. Number of word ids, the four special ones included.
        image_features: int. Size of the picture's vector, the encoder's channels.
        units: int. Size of the hidden state. Defaults to `512`.
        embedding: int. Size of a word's vector. Defaults to `256`.
        image_units: int. Size to which the picture's vector is brought, by layer normalisation and
            a dense layer, before it enters the recurrence; `0` lets it enter as it is.
            Defaults to `512`.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        implementation: `"custom"` or `"keras"`, see `ImageRNN`. Defaults to `"custom"`.
        layers: int. Number of ImageRNN layers, the picture entering each. Defaults to `1`.
        word_dropout: float. Share of the word vectors' elements dropped. Defaults to `0.0`.
        image_dropout: float. The same for the picture's vector. Defaults to `0.0`.
        recurrent_dropout: float. The same for h_{t-1}, one mask a sequence. Defaults to `0.0`.
        dropout: float. The same for the output of every layer. Defaults to `0.0`.
        l2: float. Weight of the squared norm of the recurrent layers' matrices. Defaults to `0.0`.
        seed: int or None. Seed of the dropout masks. Defaults to `None`.

    Call arguments:
        words: int tensor (batch, time), the caption so far, the start id first, 0 for padding.
        image: tensor (batch, image_features).

    Returns:
        Logits, tensor (batch, time, vocabulary_size): which word comes after each given one.

    Example:
    >>> decoder = Decoder(vocabulary_size=100, image_features=12, units=16, embedding=8)
    >>> decoder(np.array([[1, 5, 6]]), np.ones((1, 12), "float32")).shape
    (1, 3, 100)

    Reference: Vinyals et al. 2015, "Show and tell", section 3, with the picture fed at every step
    as in the document's equation (5).
    """

    def __init__(
        self,
        vocabulary_size,
        image_features,
        units=512,
        embedding=256,
        image_units=512,
        cell="lstm",
        implementation="custom",
        layers=1,
        word_dropout=0.0,
        image_dropout=0.0,
        recurrent_dropout=0.0,
        dropout=0.0,
        l2=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.image_features = image_features
        self.units = units
        self.embedding = embedding
        self.image_units = image_units
        self.cell = cell
        self.implementation = implementation
        self.layers = layers
        self.word_dropout = word_dropout
        self.image_dropout = image_dropout
        self.recurrent_dropout = recurrent_dropout
        self.dropout = dropout
        self.l2 = l2
        self.seed = seed

        self.word_vectors = keras.layers.Embedding(vocabulary_size, embedding, name="word_vectors")
        self.drop_words = keras.layers.Dropout(word_dropout, seed=seed)
        self.drop_image = keras.layers.Dropout(image_dropout, seed=seed)
        self.drop_output = keras.layers.Dropout(dropout, seed=seed)
        if image_units:
            self.image_norm = keras.layers.LayerNormalization(name="image_norm")
            self.image_projection = keras.layers.Dense(image_units, name="image_projection")
        self.recurrent = [
            ImageRNN(
                units, cell, implementation, recurrent_dropout, l2, seed, name=f"recurrent_{n}"
            )
            for n in range(layers)
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

    def call(self, words, image, training=False):
        mask = ops.not_equal(words, 0)  # (batch, time)
        image = self._image_vector(image, training)
        output = self.drop_words(self.word_vectors(words), training=training)
        for layer in self.recurrent:
            output = layer(output, image, mask=mask, training=training)
            output = self.drop_output(output, training=training)
        return self.logits(output)

    def _image_vector(self, image, training=False):
        """The picture as it enters w_ih: (batch, image_units)."""
        image = self.drop_image(image, training=training)
        if not self.image_units:
            return image
        return self.image_projection(self.image_norm(image))

    def start(self, image):
        """What generating needs, for a picture (batch, image_features).

        Returns:
            (context, state): two lists of tensors, one row a picture. The context stays the same
            over the steps of a caption (w_ih·i of every layer), the state changes.
        """
        image = self._image_vector(image)
        batch_size = ops.shape(image)[0]
        context = [layer.prepare_image(image) for layer in self.recurrent]
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
        new_state = []
        per_layer = len(state) // len(self.recurrent)
        for number, layer in enumerate(self.recurrent):
            states = state[number * per_layer : (number + 1) * per_layer]
            output, states = layer.step(output, context[number], states)
            new_state += states
        return ops.log_softmax(ops.cast(self.logits(output), "float32")), new_state

    def equation_weights(self):
        """One dict of `ImageRNN.equation_weights` per layer."""
        return [layer.equation_weights() for layer in self.recurrent]

    def copy_weights_from(self, other):
        """Takes the weights of a decoder of the same sizes, of whichever implementation."""
        for name in ("word_vectors", "logits") + ("image_norm", "image_projection") * bool(
            self.image_units
        ):
            getattr(self, name).set_weights(getattr(other, name).get_weights())
        for mine, theirs in zip(self.recurrent, other.recurrent, strict=True):
            mine.set_equation_weights(theirs.equation_weights())

    def get_config(self):
        names = (
            "vocabulary_size image_features units embedding image_units cell implementation layers "
            "word_dropout image_dropout recurrent_dropout dropout l2 seed"
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names.split()}}
