"""The long-memory task: a word has to be known at the end, many similar words later.

A text is a mark, a word, and then as many more words as the distance says; which word came after
the mark? All are drawn from the same four, so only the time at which a word came tells whether to
remember it: a gate can close, while a plain recurrence continues to add. A guess is right in one
case of four.

Reference: the document, sections 1.1 and 4; Hochreiter & Schmidhuber 1997, section 5.2. There the
distracting words are different from those to remember, and a plain recurrence that starts from an
orthogonal w_hh, as here, learns the task as well as the gated cells (measured).
"""

import keras
import numpy as np

from captioner.compiled import XLA
from captioner.study.labeller import SequenceLabeller

WORDS = 4  # numbers 1 to 4; 0 is padding
MARK = 5
BATCH = 64
REMEMBERED = 0.95  # accuracy from which a distance counts as remembered


def examples(distance, count, seed=0, up_to=False):
    """Texts and labels of the task.

    Args:
        distance: int. Words after the one to remember.
        count: int. Number of texts.
        seed: int. Defaults to `0`.
        up_to: bool. Whether the texts have any number of words up to the distance, at least one,
            and padding at the end; networks learn more easily from these. Defaults to `False`.

    Returns:
        (words (count, distance + 2), labels (count,)), int arrays.

    Example:
    >>> words, labels = examples(distance=3, count=2)
    >>> bool((words[:, 1] - 1 == labels).all())
    True
    """
    rng = np.random.default_rng(seed)
    words = rng.integers(1, WORDS + 1, (count, distance + 2))
    words[:, 0] = MARK
    if up_to:
        lengths = 2 + rng.integers(1, distance + 1, (count, 1))
        words[np.arange(distance + 2) >= lengths] = 0
    return words, words[:, 1] - 1


def practise(distance, cell, implementation="custom", units=32, steps=600, clip_norm=1.0, seed=0):
    """A recurrence that has learned the task, as far as it can.

    Args:
        distance: int. As in `examples`; it practises on all distances up to this one.
        cell, implementation, units, seed: as `SequenceLabeller` takes them.
        steps: int. Steps of Adam, 64 new texts each; 0 for a network as it is made. Defaults to
            `600`.
        clip_norm: float or None. Largest norm of all gradients together. Defaults to `1.0`.

    Returns:
        SequenceLabeller.

    Example:
    >>> accuracy(practise(distance=10, cell="lstm"), distance=10) > REMEMBERED
    True
    """
    model = SequenceLabeller(
        MARK + 1, WORDS, units, cell=cell, implementation=implementation, seed=seed
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.005, global_clipnorm=clip_norm),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=XLA,
    )
    if steps == 0:
        model.build((None, None))
        return model
    words, labels = examples(distance, steps * BATCH, seed + 1, up_to=True)
    model.fit(words, labels, BATCH, epochs=1, shuffle=False, verbose=0)
    return model


def accuracy(model, distance, seed=0):
    """How often a model is right on texts of one distance: float between 0 and 1, of 512 texts."""
    words, labels = examples(distance, 512, seed)
    return float(np.mean(model.predict(words, BATCH, verbose=0).argmax(axis=-1) == labels))
