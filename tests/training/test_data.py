"""The data of a run as its stages take them."""

import numpy as np
import pytest

from captioner import Captioner, Decoder, TrainConfig
from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from captioner.training.data import TrainingData
from tests.datasets import make_colours


@pytest.fixture
def folder(tmp_path):
    make_colours(tmp_path)
    return tmp_path


def data_of(folder, captioner, log=print, **settings):
    config = TrainConfig(data=str(folder), cache=str(folder / "cache"), **settings)
    splits = [load_dataset(str(folder), None, split, "auto") for split in ("train", "val")]
    return TrainingData(config, captioner, *splits, log, progress=False)


def attending(captioner):
    size, channels = len(captioner.vocabulary), captioner.encoder.channels
    decoder = Decoder(size, channels, units=4, attention="additive", attention_units=4)
    return Captioner(captioner.encoder, decoder, captioner.vocabulary)


def test_what_a_run_learns_from(folder, tiny_captioner):
    data = data_of(folder, tiny_captioner, batch_size=8)
    assert (len(data.training), len(data.validation)) == (4, 4)
    assert (len(data.captions), len(data.val_captions), len(data.text)) == (8, 8, 0)
    assert data.features(0).shape == (4, tiny_captioner.encoder.channels)
    assert data.val_features().shape == data.features(0).shape
    assert data.longest == 4  # "a red field" and the end
    assert (data.captions_a_picture, data.captions_each, data.pictures_a_step) == (2, 1, 8)


def test_with_attention_a_picture_comes_with_all_its_captions(folder, tiny_captioner):
    data = data_of(folder, attending(tiny_captioner), batch_size=9)
    assert (data.captions_each, data.pictures_a_step) == (2, 4)
    assert data.features(0).ndim == 3


def test_epochs_take_the_views_in_turn(folder, tiny_captioner):
    data = data_of(folder, tiny_captioner, views=2)
    plain, changed = np.array(data.features(0)), np.array(data.features(1))
    assert np.abs(plain - changed).max() > 1e-4
    np.testing.assert_array_equal(data.features(2), plain)
    np.testing.assert_array_equal(data.features(3), changed)


def test_a_cnn_that_has_learned_has_features_of_its_own(folder, tiny_captioner):
    data = data_of(folder, tiny_captioner)
    before = np.array(data.val_features())
    weights = tiny_captioner.encoder.get_weights()
    try:
        tiny_captioner.encoder.set_weights([1.5 * value for value in weights])
        own = str(folder / "own")
        assert np.abs(data.val_features(own) - before).max() > 1e-3
        assert np.abs(data.features(0, own) - data.features(0)).max() > 1e-3
        np.testing.assert_array_equal(data.val_features(), before)
    finally:
        tiny_captioner.encoder.set_weights(weights)


@pytest.mark.parametrize("augment", [True, False])
def test_pictures_are_changed_where_the_settings_say_so(folder, tiny_captioner, augment):
    data = data_of(folder, tiny_captioner, augment=augment)
    order = np.array([1, 0, 1])  # blue, red, blue
    first, again, other = (
        np.stack(list(data.pixels(order, (32, 32), [0, 1, epoch]))) for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[2])  # a picture changes the same in an epoch
    assert first[0, ..., 2].mean() > 150 > 100 > first[0, ..., 0].mean()
    assert (first != other).any() == augment
    if not augment:
        np.testing.assert_array_equal(first[1], np.full((32, 32, 3), (255, 0, 0)))


def test_text_comes_with_imagined_pictures(folder, tiny_captioner):
    (folder / "text.txt").write_text("a dog\n\na dog runs on grass\n")
    for captioner, regions in ((tiny_captioner, ()), (attending(tiny_captioner), (2,))):
        data = data_of(folder, captioner, text=str(folder / "text.txt"))
        assert len(data.text) == 2
        taken = data.imagined(data.features(0)).take(3, 8, np.random.default_rng(0))
        assert taken["text_words"].shape == (3, 8)
        assert taken["text_image"].shape == (3, *regions, captioner.encoder.channels)


def test_pictures_that_cannot_be_read_are_left_out(folder, tiny_captioner):
    (folder / "1.png").write_bytes(b"no picture")
    lines = []
    data = data_of(folder, tiny_captioner, log=lines.append)
    assert [*data.training.image_ids] == [1, 3, 4]
    assert len(data.captions) == 6
    assert data.features(0)[np.arange(3)].shape[0] == 3
    assert len(lines) == 1
    assert lines[0].startswith("note: skipped ")
    (folder / "0.png").write_bytes(b"no picture")
    with pytest.raises(CaptionerError, match="2 of 4 pictures cannot be read"):
        data_of(folder, tiny_captioner)
