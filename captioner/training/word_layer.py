"""The words of a picture, predicted from the CNN's vector while the CNN learns.

The loss of captions tells the CNN of one word at a time, and only through the decoder. Where it is
also to predict which of the most frequent words people use for a picture, it learns from all of
them at once.
"""

import keras
import numpy as np
from keras import ops

from captioner.training.distribution import mean_over_replicas
from captioner.training.teacher_forcing import TINY
from captioner.vocabulary import UNKNOWN


class WordLayer(keras.layers.Layer):
    """How likely each of some words is in a caption of a picture.

    It starts with what is true of all pictures, its matrix at zero, so that it does not disturb a
    CNN that has learned before. Only training has it; a captioner does not.

    Args:
        usual: float array (words,). The mean share of the captions of a picture that have a word.
        weight: float. What its loss is multiplied by.

    Call arguments:
        image: tensor (pictures, channels), or (pictures, regions, channels), whose regions' mean
            is taken.

    Returns:
        Logits, tensor (pictures, words).

    Example:
    >>> layer = WordLayer(np.array([0.5, 0.25]), weight=0.1)
    >>> ops.sigmoid(layer(np.ones((1, 8), "float32")))
    array([[0.5 , 0.25]], dtype=float32)

    Reference: words of captions as what a CNN learns: Fang et al. 2015, "From captions to visual
    concepts and back", section 3.
    """

    def __init__(self, usual, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        usual = np.clip(usual, 1e-5, 1 - 1e-5)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.logits = keras.layers.Dense(
            len(usual),
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(np.log(usual / (1 - usual))),
            name="logits",
        )

    def build(self, image_shape):
        shape = (None, image_shape[-1])
        self.norm.build(shape)
        self.logits.build(shape)
        self.built = True

    def call(self, image):
        vector = image if len(image.shape) == 2 else ops.mean(image, axis=1)
        return self.logits(self.norm(vector))

    def loss(self, shares, logits):
        """Cross-entropy summed over the words; its mean over the pictures, times the weight.

        In a replica's step, the mean of all replicas' losses is the loss of the whole batch.

        Args:
            shares: tensor (pictures, words), see `word_shares`. A row of zeros, which fills up a
                batch that is not full, does not count.
            logits: tensor (pictures, words), as `call` gives them.

        Returns:
            Scalar tensor.
        """
        each = ops.sum(ops.softplus(logits) - logits * shares, axis=1)
        is_picture = ops.cast(ops.any(shares > 0, axis=1), each.dtype)
        count = mean_over_replicas(ops.sum(is_picture))
        return self.weight * ops.sum(each * is_picture) / ops.maximum(count, TINY)


def new_word_layer(shares, weight, channels):
    """A word layer for pictures of these words.

    Args:
        shares: float array (pictures, words), see `word_shares`; or None.
        weight: float. What its loss is multiplied by.
        channels: int. Size of the CNN's vectors.

    Returns:
        WordLayer, built; None without shares.
    """
    if shares is None:
        return None
    layer = WordLayer(shares.mean(axis=0, dtype=np.float32), weight, name="word_layer")
    layer.build((None, channels))
    return layer


def frequent_words(captions, most):
    """The words that come most often in captions; padding, start, end and unknown are none.

    Args:
        captions: EncodedCaptions.
        most: int. How many words at most.

    Returns:
        int array (words,), ids in rising order.
    """
    counts = captions.word_counts()
    counts[: UNKNOWN + 1] = 0
    order = np.argsort(-counts, kind="stable")[:most]
    return np.sort(order[counts[order] > 0])


def word_shares(captions, pictures, words):
    """In which share of each picture's captions each of some words comes.

    Args:
        captions: EncodedCaptions.
        pictures: int. Number of pictures.
        words: int array (words,). Their ids.

    Returns:
        float16 array (pictures, words).

    Example:
    >>> captions = EncodedCaptions([["a dog", "a cat"]], Vocabulary(["a", "dog", "cat"]), 5)
    >>> word_shares(captions, 1, np.array([4, 5]))      # of "a" and "dog"
    array([[1. , 0.5]], dtype=float16)
    """
    shares = np.zeros((pictures, len(words)), np.float16)
    places = np.full(max(captions.word_counts().size, words.max(initial=0) + 1), -1)
    places[words] = np.arange(len(words))
    for numbers in captions.by_picture():
        ids, _ = captions.matrix(numbers, len(numbers), int(captions.lengths[numbers].max()))
        said = np.zeros((len(numbers), len(words) + 1), bool)  # and a column for other words
        said[np.arange(len(numbers))[:, None], places[ids]] = True
        shares[captions.pictures[numbers[0]]] = said[:, :-1].mean(axis=0)
    return shares
