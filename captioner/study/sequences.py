"""Texts as arrays for `SequenceLabeller`: words in, and the next word or letter at every place."""

import keras
import numpy as np

from captioner.vocabulary import END, PAD


def padded(texts, vocabulary):
    """The word ids of texts.

    Args:
        texts: list of str.
        vocabulary: Vocabulary.

    Returns:
        int array (texts, time), 0 after the shorter ones.

    Example:
    >>> padded(["a dog", "a"], captioner.Vocabulary(["a", "dog"]))
    array([[4, 5],
           [4, 0]], dtype=int32)
    """
    ids = [vocabulary.encode(text) for text in texts]
    return keras.utils.pad_sequences(ids, padding="post", value=PAD)


def next_words(texts, vocabulary):
    """Word ids, and at every word the id of the next one, or of the end after the last.

    Args:
        texts, vocabulary: as `padded` takes them.

    Returns:
        (words, targets): int arrays (texts, time).

    Example:
    >>> words, targets = next_words(["a dog"], captioner.Vocabulary(["a", "dog"]))
    >>> words.tolist(), targets.tolist()
    ([[4, 5]], [[5, 2]])

    Reference: the document, section 2.3.
    """
    words = padded(texts, vocabulary)
    targets = np.full_like(words, PAD)
    targets[:, :-1] = words[:, 1:]
    last = (words != PAD).sum(axis=1) - 1
    targets[np.arange(len(words)), last] = END
    return words, targets


def spelled(word):
    """A word as a text whose words are its letters, for models that read letter by letter.

    Args:
        word: str.

    Returns:
        str.

    Example:
    >>> spelled("hola")
    'h o l a'
    """
    return " ".join(word)
