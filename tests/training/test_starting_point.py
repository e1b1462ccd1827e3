"""What a run starts with: a new captioner, or another one with more words."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from captioner import Captioner, Encoder, TrainConfig, load
from captioner.decoder import Decoder
from captioner.errors import CaptionerError
from captioner.presets import DEFAULT_PRESET
from captioner.training.starting_point import extended, new_captioner
from captioner.vocabulary import Vocabulary
from tests.training.conftest import an_example


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_a_captioner_goes_on_with_new_words(attention):
    keras.utils.set_random_seed(0)
    decoder = Decoder(6, 1280, units=8, embedding=6, attention=attention, layers=2)
    source = Captioner(Encoder("mobilenet_v2", size=32), decoder, Vocabulary(["a", "dog"]))
    made = extended(source, Vocabulary(["un", "a", "chien"]), TrainConfig(dropout=0.4))
    assert made.vocabulary.words == ["a", "dog", "un", "chien"]
    assert made.decoder.dropout == 0.4
    inputs, _ = an_example(source)
    before, after = (each.decoder(inputs["words"], inputs["image"]) for each in (source, made))
    np.testing.assert_allclose(np.asarray(after)[..., :6], before, atol=1e-6)
    assert after.shape[-1] == 8


def test_going_on_from_a_captioner_settles_what_it_is(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    config = TrainConfig(init_from=path, min_count=1)
    new_captioner(config, training)
    assert (config.units, config.embedding, config.encoder) == (8, 6, "mobilenet_v2")
    assert config.picture_size == tiny_captioner.picture_size
    for given in ({"units": 9}, {"attention": "additive"}, {"direction": "backward"}):
        with pytest.raises(CaptionerError, match="leave the flag out, or leave out --init-from"):
            new_captioner(TrainConfig(init_from=path, **given), training)


def test_going_on_with_larger_pictures(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    larger = tiny_captioner.picture_size + 32
    config = TrainConfig(init_from=path, picture_size=larger, min_count=1)
    made = new_captioner(config, training)
    assert made.picture_size == config.picture_size == larger
    for before, after in zip(
        tiny_captioner.encoder.get_weights(), made.encoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


@pytest.mark.long
def test_the_cnn_and_the_size_of_its_pictures_are_chosen(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    small = new_captioner(TrainConfig(picture_size=64, min_count=1), training)
    assert small.picture_size == 64
    assert small.image_shape == (1280,)
    shipped = load(DEFAULT_PRESET, runtime="keras").encoder
    for one, two in zip(small.encoder.get_weights(), shipped.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    of_a_model = {"encoder": "mobilenet_v2", "encoder_weights": path, "min_count": 1}
    taken = new_captioner(TrainConfig(**of_a_model), training)
    assert taken.picture_size == tiny_captioner.picture_size
    np.testing.assert_array_equal(
        taken.encoder.get_weights()[0], tiny_captioner.encoder.get_weights()[0]
    )
    with pytest.raises(CaptionerError, match=r"tiny\.keras has none for it"):
        new_captioner(TrainConfig(encoder_weights=path, min_count=1), training)
    with pytest.raises(CaptionerError, match=r"--encoder 'mobilenet_2': did you mean mobilenet_v2"):
        new_captioner(TrainConfig(encoder="mobilenet_2", min_count=1), training)
    fresh = TrainConfig(picture_size=64, encoder_weights="none", min_count=1)
    assert new_captioner(fresh, training).picture_size == 64
    made = new_captioner(TrainConfig(min_count=1), training)
    assert made.picture_size == shipped.size
    with pytest.raises(CaptionerError, match="picture size 20: efficientnet_v2_b0 wants 32"):
        new_captioner(TrainConfig(picture_size=20, min_count=1), training)
