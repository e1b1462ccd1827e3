"""Texts as arrays, and a model of letters that learns from them."""

import keras
import numpy as np
import pytest

from captioner import SequenceLabeller, Vocabulary
from captioner.study.sequences import next_words, padded, spelled


def test_shorter_texts_are_padded_and_unknown_words_marked():
    vocabulary = Vocabulary(["a", "dog", "runs"])
    assert padded(["a dog runs", "a", "a cat"], vocabulary).tolist() == [
        [4, 5, 6],
        [4, 0, 0],
        [4, 3, 0],
    ]


def test_behind_each_word_comes_the_next_and_behind_the_last_the_end():
    vocabulary = Vocabulary(["a", "dog", "runs"])
    words, targets = next_words(["a dog runs", "a dog"], vocabulary)
    assert words.tolist() == [[4, 5, 6], [4, 5, 0]]
    assert targets.tolist() == [[5, 6, 2], [5, 2, 0]]


@pytest.mark.long
def test_letters_are_learned_one_after_the_other():
    """The l of hola is followed by an a, those of lleno by an l and an e: only memory can tell."""
    texts = [spelled(word) for word in ("hola", "lleno")]
    vocabulary = Vocabulary.build(texts, min_count=1)
    words, targets = next_words(texts, vocabulary)
    size = len(vocabulary)
    model = SequenceLabeller(size, size, units=16, cell="rnn", each_word=True, seed=0)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        jit_compile=False,  # quicker to trace
    )
    model.fit(words, targets, epochs=60, verbose=0)
    said = np.asarray(model(words)).argmax(axis=-1)
    np.testing.assert_array_equal(said[words > 0], targets[words > 0])
