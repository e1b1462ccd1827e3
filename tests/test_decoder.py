"""The decoder: what it sees, what it learns, what training hides from it."""

import keras
import numpy as np
import pytest

from captioner.decoder import Decoder
from captioner.training.teacher_forcing import word_loss
from tests.by_heart import learn_by_heart

rng = np.random.default_rng(0)


def test_an_untrained_decoder_knows_nothing():
    decoder = Decoder(vocabulary_size=500, image_features=8, units=16, embedding=8)
    words = rng.integers(4, 500, size=(6, 7))
    image = rng.normal(size=(6, 8)).astype("float32")
    assert float(word_loss(words, decoder(words, image))) == pytest.approx(np.log(500), abs=0.1)


@pytest.mark.parametrize(
    ("cell", "implementation"),
    [("rnn", "custom"), ("lstm", "keras"), pytest.param("gru", "custom", marks=pytest.mark.long)],
)
def test_a_few_captions_are_learned_by_heart(cell, implementation):
    keras.utils.set_random_seed(0)
    decoder = Decoder(9, 6, units=32, embedding=16, cell=cell, implementation=implementation)
    learn_by_heart(decoder, rng.normal(size=(4, 6)).astype("float32"))


def test_what_comes_later_does_not_change_what_came_before():
    decoder = Decoder(20, 6, units=8, embedding=8, layers=2)
    words = rng.integers(4, 20, size=(2, 6))
    image = rng.normal(size=(2, 6)).astype("float32")
    changed = words.copy()
    changed[:, 4:] = 7
    before, after = (np.asarray(decoder(each, image)) for each in (words, changed))
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-4


@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize("part", ["word_dropout", "image_dropout", "dropout"])
def test_dropout_hides_a_part_in_training_only(part, attention):
    settings = {"units": 8, "embedding": 8, "image_units": 5, "attention": attention}
    decoder = Decoder(20, 6, **settings, **{part: 1 - 1e-6}, seed=0)  # all of it, for once
    words = rng.integers(4, 20, size=(2, 3))
    shape = (2, 6) if attention == "none" else (2, 4, 6)
    image = rng.normal(size=shape).astype("float32")
    changes = {
        "word_dropout": (words[::-1], image),
        "image_dropout": (words, image[::-1]),
        "dropout": (words[::-1], image[::-1]),
    }
    for training in (True, False):
        whole, changed = (
            np.asarray(decoder(*inputs, training=training))
            for inputs in ((words, image), changes[part])
        )
        assert np.allclose(whole, changed) is training


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_without_a_picture_i_is_zero(attention):
    settings = {"units": 8, "embedding": 8, "image_units": 5, "layers": 2, "attention": attention}
    decoder = Decoder(20, 6, **settings)
    words = rng.integers(4, 20, size=(2, 6))
    wanted = np.asarray(decoder(words, None))
    for layer in decoder.recurrent:  # whatever w_ih is, 0 times it is 0
        weights = layer.equation_weights()
        layer.set_equation_weights({**weights, "w_ih": weights["w_ih"] + 1})
    np.testing.assert_allclose(decoder(words, None), wanted, atol=1e-6)
