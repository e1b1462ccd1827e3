"""Labels of texts and of words, learned with the recurrence of the captioner."""

import keras
import numpy as np
import pytest

from captioner.study.labeller import SequenceLabeller
from tests.layers import run_layer_test

LENGTH, WORDS = 6, 8


def texts(count=256):
    """Random texts of 2 to 6 words from 4 to 7."""
    rng = np.random.default_rng(0)
    words = rng.integers(4, WORDS, (count, LENGTH))
    words[np.arange(LENGTH) >= rng.integers(2, LENGTH + 1, (count, 1))] = 0
    return words


def learn(model, words, labels, weights=None):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss=loss, jit_compile=False)
    model.fit(words, labels, sample_weight=weights, epochs=25, batch_size=64, verbose=0)
    return np.argmax(model.predict(words, verbose=0), axis=-1)


@pytest.mark.long
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_many_to_one_reads_the_whole_text(cell):
    words = texts()
    labels = words[:, 0] - 4  # the first word, behind which are others and padding
    model = SequenceLabeller(WORDS, 4, units=16, embedding=8, cell=cell, seed=0)
    assert np.mean(learn(model, words, labels) == labels) > 0.97


@pytest.mark.long
def test_many_to_many_labels_each_word_by_those_before_it():
    words = texts()
    labels = np.zeros_like(words)
    labels[:, 1:] = words[:, 1:] == words[:, :-1]  # said twice in a row
    real = words != 0
    model = SequenceLabeller(WORDS, 2, units=16, embedding=8, each_word=True, seed=0)
    found = learn(model, words, labels, real.astype("float32"))
    assert np.mean(found[real] == labels[real]) > 0.97


def test_padding_changes_nothing():
    words = texts(8)
    model = SequenceLabeller(WORDS, 3, implementation="keras")
    padded = np.concatenate([words, np.zeros_like(words)], axis=1)
    np.testing.assert_allclose(model(words), model(padded), atol=1e-6)


@pytest.mark.parametrize("each_word", [False, True])
def test_as_a_layer(each_word):
    settings = {"vocabulary_size": WORDS, "labels": 3, "units": 5, "embedding": 4, "cell": "gru",
                "each_word": each_word, "seed": 1}  # fmt: skip
    words = texts(8).astype("int32")
    shape = (8, LENGTH, 3) if each_word else (8, 3)
    # The image is 0: there is none.
    run_layer_test(SequenceLabeller, settings, [words], shape, still=("w_ih",))
