"""The table of a decoder's settings: what it says of each holds for the decoder."""

import numpy as np
import pytest

from captioner.cells import CELLS
from captioner.decoder import Decoder
from captioner.decoder_settings import ARCHITECTURE, CHANGEABLE, DECODER_SETTINGS, SIZES
from captioner.recurrent import ATTENTIONS, RUNNERS

rng = np.random.default_rng(0)


def test_the_choices_declared_are_those_there_are():
    choices = {name: DECODER_SETTINGS[name].metadata["choices"] for name in DECODER_SETTINGS}
    assert choices["cell"] == tuple(CELLS)
    assert choices["implementation"] == tuple(RUNNERS)
    assert choices["attention"] == ATTENTIONS


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_weights_settle_the_architecture(name):
    """Each such setting, changed, makes other weights; where the names are wrong, none do."""
    small = {"units": 5, "embedding": 4, "image_units": 3, "attention": "additive",
             "attention_units": 2}  # fmt: skip
    changed = {"cell": "gru", "attention": "none", "layers": 2}.get(name) or small[name] + 1
    one, other = Decoder(9, 6, **small), Decoder(9, 6, **small | {name: changed})
    assert shapes_of(one) != shapes_of(other)


@pytest.mark.parametrize("name", CHANGEABLE)
def test_what_may_change_leaves_the_weights(name):
    """A decoder that differs in it takes the weights of the other and says the same."""
    small = {"units": 5, "embedding": 4, "image_units": 3}
    changed = "keras" if name == "implementation" else 1 if name == "seed" else 0.5
    one, other = Decoder(9, 6, **small), Decoder(9, 6, **small | {name: changed})
    other.copy_weights_from(one)
    words, image = np.array([[1, 4, 5]]), rng.normal(size=(1, 6)).astype("float32")
    np.testing.assert_allclose(one(words, image), other(words, image), atol=1e-5)


def test_sizes_are_the_whole_numbers_of_the_architecture():
    wanted = ("layers", "units", "embedding", "image_units", "attention_units")
    assert wanted == SIZES


def shapes_of(decoder):
    return [tuple(weight.shape) for weight in decoder.weights]
