"""The cache of CNN features."""

import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from captioner import images
from captioner.errors import CaptionerError
from captioner.images import ImageError
from captioner.training.augmentation import View
from captioner.training.features import Rows, cached_features


class MeanColour:
    """A captioner as far as the cache sees it: its features are mean colours."""

    image_shape = (3,)

    def __init__(self, weight=1.0, attention="none"):
        self.encoder = SimpleNamespace(backbone="mean", size=32, get_weights=lambda: [weight])
        self.decoder = SimpleNamespace(attention=attention)
        self.encoded = 0

    def encode(self, pixels, batch_size):
        self.encoded += len(pixels)
        return pixels.mean(axis=(1, 2))


@pytest.fixture
def paths(photos):
    return [str(photos / name) for name in ("a.png", "b.jpg", "c.webp")]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_features_are_computed_once(paths, cache):
    captioner = MeanColour()
    for _ in range(2):
        features, unreadable = cached_features(captioner, paths, cache, 2, progress=False)
        np.testing.assert_allclose(features[0], [255, 0, 0])
        np.testing.assert_allclose(features[1], [0, 128, 0], atol=1)
        assert features.shape == (3, 3)
        assert not unreadable
    assert captioner.encoded == 3


def test_an_interrupted_computation_goes_on(paths, cache):
    class Stopped(MeanColour):
        def encode(self, pixels, batch_size):
            if self.encoded == 100:
                raise KeyboardInterrupt
            return super().encode(pixels, batch_size)

    many = paths[:1] * 150
    with pytest.raises(KeyboardInterrupt):
        cached_features(Stopped(), many, cache, 1, progress=False)
    captioner = MeanColour()
    features, _ = cached_features(captioner, many, cache, 1, progress=False)
    assert captioner.encoded == 50
    np.testing.assert_allclose(features, np.tile([255, 0, 0], (150, 1)))


def test_two_runs_at_once_compute_features_once(paths, cache):
    captioners = [MeanColour(), MeanColour()]
    with ThreadPoolExecutor() as threads:
        jobs = [
            threads.submit(cached_features, each, paths * 50, cache, 1, False)
            for each in captioners
        ]
        found = [job.result()[0] for job in jobs]
    np.testing.assert_array_equal(*found)
    assert sum(each.encoded for each in captioners) == 150


def test_rows_are_read_by_their_own_numbers():
    rows = Rows(np.arange(10) * 10, [1, 4, 9])
    assert len(rows) == 3
    np.testing.assert_array_equal(rows[np.array([2, 0])], [90, 10])
    np.testing.assert_array_equal(rows[1:], [40, 90])


def test_whatever_changes_features_gives_a_file_of_its_own(paths, cache):
    view = View(1, [True] * 3, seed=0, smallest_crop=0.8)
    for captioner, files, changed in [
        (MeanColour(), paths, None),
        (MeanColour(2.0), paths, None),
        (MeanColour(attention="additive"), paths, None),
        (MeanColour(), paths[:2], None),
        (MeanColour(), paths, view),
        (MeanColour(), paths, view._replace(number=2)),
        (MeanColour(), paths, view._replace(smallest_crop=0.6)),
        (MeanColour(), paths, view._replace(mirrored=[True, True, False])),
    ]:
        cached_features(captioner, files, cache, 32, False, changed)
        assert captioner.encoded == len(files)
    assert len([each for each in os.listdir(cache) if each.endswith(".npy")]) == 8


def test_a_view_changes_the_picture_first(tmp_path, cache):
    path = str(tmp_path / "gray.png")
    Image.new("RGB", (32, 32), "gray").save(path)
    view = View(1, [True], seed=0, smallest_crop=0.8)
    features, _ = cached_features(MeanColour(), [path], cache, 32, False, view)
    np.testing.assert_allclose(features[0], view(0, np.full((32, 32, 3), 128, "uint8"))[0, 0])
    assert np.abs(features[0] - 128).max() > 1


def test_a_picture_that_cannot_be_read_is_zeros_and_too_many_are_an_error(paths, tmp_path, cache):
    broken = [str(tmp_path / name) for name in ("x.jpg", "y.jpg")]
    for path in broken:
        with open(path, "wb") as file:
            file.write(b"no picture")
    for view in (None, View(1, [True] * 2, seed=0, smallest_crop=0.8)):
        given = [paths[0], broken[0]]
        features, unreadable = cached_features(MeanColour(), given, cache, 32, False, view)
        assert list(unreadable) == [1]
        assert "x.jpg" in unreadable[1]
        assert features[0].any()
        assert not features[1].any()
    with pytest.raises(CaptionerError, match="2 of 5 pictures cannot be read"):
        cached_features(MeanColour(), paths + broken, cache, progress=False)


def test_a_picture_that_can_be_read_again_is_added(paths, cache, monkeypatch):
    read_image = images.read_image

    def away(source, size):
        if source == paths[1]:
            raise ImageError(f"{source}: cannot be read (Input/output error)")
        return read_image(source, size)

    with monkeypatch.context() as patch:
        patch.setattr(images, "read_image", away)
        features, unreadable = cached_features(MeanColour(), paths, cache, 2, progress=False)
        assert list(unreadable) == [1]
        assert not features[1].any()
    captioner = MeanColour()
    features, unreadable = cached_features(captioner, paths, cache, 2, progress=False)
    assert not unreadable
    np.testing.assert_allclose(features[1], [0, 128, 0], atol=1)
    assert captioner.encoded == 1
