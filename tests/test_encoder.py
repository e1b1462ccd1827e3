"""The encoder: one preprocessing for each CNN, what is frozen, where weights come from."""

import keras
import numpy as np
import pytest

from captioner import CaptionerError, Encoder
from captioner.encoder import BACKBONES
from tests.layers import run_layer_test

SIZE = 64
rng = np.random.default_rng(0)


def pictures(count=2, size=SIZE):
    return rng.uniform(0, 255, size=(count, size, size, 3)).astype("float32")


def test_as_a_layer():
    def learning(**settings):
        encoder = Encoder(**settings)
        encoder.unfreeze_from("all")
        return encoder

    settings = {"backbone": "mobilenet_v2", "size": SIZE}
    run_layer_test(learning, settings, [pictures()], (2, 4, 1280))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("raw", [0.0, 51.0, 255.0]),
        ("signed", [-1.0, -0.6, 1.0]),
        # Blue, green, red, each minus its mean over ImageNet, as the Caffe models want them.
        ("caffe", [255 - 103.939, 51 - 116.779, 0 - 123.68]),
    ],
)
def test_pixels_are_given_as_the_network_wants_them(monkeypatch, kind, wanted):
    encoder = Encoder("mobilenet_v2", size=32)
    row = BACKBONES["mobilenet_v2"]._replace(pixels=kind)
    monkeypatch.setitem(BACKBONES, "mobilenet_v2", row)
    given = []
    monkeypatch.setattr(encoder, "network", lambda values, training: given.append(values) or values)
    encoder.regions, encoder.channels = 32 * 32, 3
    encoder.call(np.tile(np.array([0, 51, 255], "uint8"), (1, 32, 32, 1)))
    np.testing.assert_allclose(given[0][0, 5, 7], wanted, atol=1e-4)


def test_the_vector_of_a_picture_is_the_mean_of_its_regions():
    regions = rng.normal(size=(2, 4, 5)).astype("float32")
    np.testing.assert_allclose(Encoder.pool(regions), regions.mean(axis=1), atol=1e-6)


def test_at_another_size_the_weights_are_the_same():
    encoder = Encoder("mobilenet_v2", size=SIZE)
    assert encoder.at_size(SIZE) is encoder
    larger = encoder.at_size(2 * SIZE)
    assert (larger.size, larger.regions) == (2 * SIZE, 16)
    for one, other in zip(encoder.get_weights(), larger.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_a_file(tmp_path):
    source, encoder = Encoder("mobilenet_v2", size=32), Encoder("mobilenet_v2", size=32)
    path = str(tmp_path / "cnn.weights.h5")
    source.network.save_weights(path)
    encoder.load_network_weights(path)
    for one, other in zip(source.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "alexnet"}, "encoder 'alexnet': choose one of efficient"),
        ({"backbone": "mobilenet_v2", "size": 31}, "picture size 31: mobilenet_v2 wants 32 pixels"),
        ({"backbone": "inception_v3", "size": 74}, "picture size 74: inception_v3 wants 75 pixels"),
    ],
)
def test_networks_there_are_not(settings, message):
    with pytest.raises(CaptionerError, match=message):
        Encoder(**settings)


def test_weights_that_do_not_fit(tmp_path):
    encoder = Encoder("mobilenet_v2", size=32)
    before = encoder.get_weights()
    encoder.load_network_weights("none")
    with pytest.raises(CaptionerError, match=r"nowhere\.h5: no such file of encoder weights"):
        encoder.load_network_weights("nowhere.h5")
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(CaptionerError, match="not weights of mobilenet_v2 without top") as caught:
        encoder.load_network_weights(str(tmp_path / "other.weights.h5"))
    assert "\n" not in str(caught.value)
    for one, two in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_download_that_fails_is_one_line(monkeypatch):
    encoder = Encoder("mobilenet_v2", size=32)

    def offline(**settings):
        raise OSError("URL fetch failure\nmore")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(CaptionerError, match=r"download failed \(URL fetch failure\)") as caught:
        encoder.load_network_weights("imagenet")
    assert "\n" not in str(caught.value)


def test_frozen_means_frozen_and_fine_tuning_spares_batch_normalisation(real_mobilenet):
    encoder = Encoder("mobilenet_v2", size=32)
    assert (encoder.regions, encoder.channels) == (1, 1280)  # and so the stand-in of other tests
    assert encoder.trainable_variables == []
    encoder.unfreeze_from("all")
    trainable = {layer.name for layer in encoder.network.layers if layer.trainable}
    assert "Conv1" in trainable
    assert not any("BN" in name for name in trainable)
    encoder.unfreeze_from("block_16_project")
    assert not encoder.network.get_layer("Conv1").trainable
    frozen, free = encoder.network.non_trainable_variables, encoder.network.trainable_variables
    assert any("moving_mean" in variable.path for variable in frozen)
    frozen_before = [np.array(each) for each in frozen]
    free_before = [np.array(each) for each in free]
    model = keras.Sequential([encoder])  # fit would let batch normalisation learn, given the chance
    model.compile(optimizer="adam", loss="mse")
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3))
    model.fit(pixels, np.ones((4, 1, encoder.channels)), verbose=0)
    for old, new in zip(frozen_before, frozen, strict=True):
        np.testing.assert_array_equal(old, new)
    moved = [not np.array_equal(old, new) for old, new in zip(free_before, free, strict=True)]
    assert all(moved)
    with pytest.raises(CaptionerError, match="no such layer"):
        encoder.unfreeze_from("nowhere")
