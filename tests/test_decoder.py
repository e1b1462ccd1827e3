"""The decoder: what it sees, what it learns, what training hides from it."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest

from captioner.decoder import Decoder
from captioner.decoder_settings import (
    DecoderSettings,
)
from captioner.training.teacher_forcing import word_loss
from tests.by_heart import learn_by_heart
from tests.layers import run_layer_test

rng = np.random.default_rng(0)


def test_an_untrained_decoder_knows_nothing():
    decoder = Decoder(vocabulary_size=500, image_features=8, units=16, embedding=8)
    words = rng.integers(4, 500, size=(6, 7))
    image = rng.normal(size=(6, 8)).astype("float32")
    assert float(word_loss(words, decoder(words, image))) == pytest.approx(np.log(500), abs=0.1)


@pytest.mark.parametrize(
    ("cell", "implementation"),
    [
        ("rnn", "custom"),
        pytest.param("lstm", "keras", marks=pytest.mark.long),
        pytest.param("gru", "custom", marks=pytest.mark.long),
    ],
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


def decoder_for(**settings):
    return Decoder(
        9, 6, units=32, embedding=16, attention="additive", attention_units=8, **settings
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "implementation", "layers"),
    [("lstm", "custom", 1), pytest.param("gru", "keras", 2, marks=pytest.mark.long)],
)
def test_a_few_captions_are_learned_by_heart_and_said_word_for_word(cell, implementation, layers):
    keras.utils.set_random_seed(0)
    decoder = decoder_for(cell=cell, implementation=implementation, layers=layers)
    learn_by_heart(decoder, rng.normal(size=(4, 9, 6)).astype("float32"))


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_captions_of_one_picture_share_it(attention):
    decoder = decoder_for(layers=2) if attention == "additive" else Decoder(9, 6, units=32)
    words = rng.integers(4, 9, size=(6, 5))
    images = rng.normal(size=(3, *((9,) if attention == "additive" else ()), 6))
    images = images.astype("float32")
    shared = decoder(words, images)
    np.testing.assert_allclose(shared, decoder(words, np.repeat(images, 2, axis=0)), atol=1e-5)


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_what_happens_inside_a_stack_of_layers(attention):
    decoder = Decoder(9, 6, units=5, embedding=4, image_units=3, layers=2, attention=attention)
    words = np.array([[1, 4, 5], [1, 6, 7]])
    shape = (2, 6) if attention == "none" else (2, 4, 6)
    image = np.random.default_rng(0).normal(size=shape).astype("float32")
    first, second = decoder.trace(words, image)
    assert first["forget_gate"].shape == second["memory"].shape == (2, 3, 5)
    np.testing.assert_allclose(decoder.logits(second["hidden"]), decoder(words, image), atol=1e-5)


@pytest.mark.parametrize("image_units", [5, 0])
@pytest.mark.parametrize("attention", ["none", "additive"])
def test_as_a_layer(attention, image_units):
    settings = {"vocabulary_size": 9, "image_features": 6, "units": 7, "embedding": 4,
                "image_units": image_units, "layers": 2, "attention": attention,
                "attention_units": 3, "dropout": 0.1, "seed": 1}  # fmt: skip
    words = np.array([[1, 4, 5, 6], [1, 7, 0, 0]], "int32")
    image = rng.normal(size=(2, 6) if attention == "none" else (2, 9, 6)).astype("float32")
    run_layer_test(Decoder, settings, [words, image], (2, 4, 9))


def test_its_settings_are_those_that_are_declared():
    """In its signature, its attributes and its config, with the declared defaults."""
    decoder = Decoder(9, 6)
    declared = dataclasses.asdict(DecoderSettings())
    assert {name: getattr(decoder, name) for name in declared} == declared
    sizes, config = {"vocabulary_size": 9, "image_features": 6}, decoder.get_config()
    assert set(config) == {"name", "trainable", "dtype", *sizes, *declared}
    assert config.items() >= (sizes | declared).items()
    parameters = inspect.signature(Decoder).parameters
    assert list(parameters) == [*sizes, *declared, "kwargs"]
    assert {name: parameters[name].default for name in declared} == declared
    assert Decoder(9, 6, units=5, name="mine").name == "mine"
    with pytest.raises(ValueError, match="hyperloop"):
        Decoder(9, 6, hyperloop=True)
