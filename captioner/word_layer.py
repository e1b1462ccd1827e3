"""The words of a picture, asked of the CNN's vector while the CNN learns.

The loss of captions tells the CNN of one word at a time, and only through the decoder. Asked which
of the most frequent words people use of a picture at all, it learns from all of them at once.
"""

import keras
import numpy as np
from keras import ops

from captioner.distribution import mean_over_replicas
from captioner.vocabulary import UNKNOWN


class WordLayer(keras.layers.Layer):
    """How likely each of the most frequent words is in a caption of a picture.

    It starts with what is true of all pictures, its matrix at zero, so that it does not disturb a
    CNN that has learned before.

    Args:
        shares: float array (pictures, words), see `word_shares`. Their means are the start.
        weight: float. What its loss is multiplied by.

    Call arguments:
        image: tensor (pictures, channels), or (pictures, regions, channels), whose regions' mean
            is taken.

    Returns:
        Logits, tensor (pictures, words).

    Reference: words of captions as what a CNN learns: Fang et al. 2015, "From captions to visual
    concepts and back", section 3.
    """

    def __init__(self, shares, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self._usual = np.clip(shares.mean(axis=0, dtype="float32"), 1e-5, 1 - 1e-5)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.logits = keras.layers.Dense(
            len(self._usual), kernel_initializer="zeros", name="logits"
        )

    def build(self, image_shape):
        shape = (None, image_shape[-1])
        self.norm.build(shape)
        self.logits.build(shape)
        self.logits.bias.assign(np.log(self._usual / (1 - self._usual)))
        self.built = True

    def call(self, image):
        vector = image if len(image.shape) == 2 else ops.mean(image, axis=1)
        return self.logits(self.norm(vector))

    def loss(self, shares, logits):
        """Cross-entropy summed over the words; its mean over the pictures, times the weight.

        Args:
            shares: tensor (pictures, words); a row of zeros, which no picture has, does not count.
            logits: as `call` gives them.
        """
        each = ops.sum(ops.softplus(logits) - logits * shares, axis=1)
        is_picture = ops.cast(ops.any(shares > 0, axis=1), each.dtype)
        count = mean_over_replicas(ops.sum(is_picture))
        return self.weight * ops.sum(each * is_picture) / ops.maximum(count, 1.0)


def word_shares(captions, pictures, words):
    """In which share of each picture's captions each of the most frequent words comes.

    Args:
        captions: EncodedCaptions.
        pictures: int. Number of pictures.
        words: int. Number of words; the most frequent ones have the lowest ids.

    Returns:
        float16 array (pictures, words).

    Example:
    >>> captions = EncodedCaptions([["a dog", "a cat"]], Vocabulary(["a", "dog", "cat"]), 5)
    >>> word_shares(captions, 1, 3)
    array([[1. , 0.5, 0.5]], dtype=float16)
    """
    shares, first = np.zeros((pictures, words), np.float32), UNKNOWN + 1
    for numbers in captions.by_picture():
        ids, _ = captions.matrix(numbers, len(numbers), int(captions.lengths[numbers].max()))
        for row in ids:
            known = np.unique(row[(row >= first) & (row < first + words)]) - first
            shares[captions.pictures[numbers[0]], known] += 1 / len(numbers)
    return shares.astype(np.float16)
