"""The other flows of a recurrence: many to one, and many to many."""

import keras
from keras import ops

from captioner.recurrent import ImageRNN


@keras.saving.register_keras_serializable(package="captioner")
class SequenceLabeller(keras.Model):
    """Labels texts, or each of their words, with the recurrence that writes captions.

    Args:
        vocabulary_size: int. Number of words; 0 is padding.
        labels: int. Number of labels.
        units: int. Size of the hidden state. Defaults to `64`.
        embedding: int. Size of a word's vector. Defaults to `32`.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        implementation: `"custom"` or `"keras"`. Defaults to `"custom"`.
        each_word: bool. A label for each word (N to N) or one for the text, from the last
            hidden state (N to 1). Defaults to `False`.
        seed: int or None. Of the weights. Defaults to `None`.

    Call arguments:
        words: int tensor (batch, time), padded at the end.

    Returns:
        Logits, tensor (batch, labels) or (batch, time, labels).

    Example:
    >>> model = captioner.SequenceLabeller(vocabulary_size=20, labels=3)
    >>> tuple(model(np.array([[4, 5, 6, 0]])).shape)
    (1, 3)

    Reference: the document, section 2.
    """

    def __init__(
        self,
        vocabulary_size,
        labels,
        units=64,
        embedding=32,
        cell="lstm",
        implementation="custom",
        each_word=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.settings = {
            "vocabulary_size": vocabulary_size,
            "labels": labels,
            "units": units,
            "embedding": embedding,
            "cell": cell,
            "implementation": implementation,
            "each_word": each_word,
            "seed": seed,
        }
        self.each_word = each_word
        if seed is not None:
            keras.utils.set_random_seed(seed)
        self.word_vectors = keras.layers.Embedding(vocabulary_size, embedding)
        self.recurrent = ImageRNN(units, cell, implementation)
        self.logits = keras.layers.Dense(labels)

    def build(self, words_shape):
        self.word_vectors.build(words_shape)
        self.recurrent.build((*words_shape, self.settings["embedding"]), (None, 1))
        self.logits.build((None, self.settings["units"]))
        self.built = True

    def call(self, words):
        no_image = ops.zeros((ops.shape(words)[0], 1))
        hidden = self.recurrent(self.word_vectors(words), no_image, mask=ops.not_equal(words, 0))
        # Masked steps repeat the output, so the last is that of the last word.
        return self.logits(hidden if self.each_word else hidden[:, -1])

    def get_config(self):
        return {**super().get_config(), **self.settings}
