"""The shipped model: small, opened by name, and different captions for different pictures."""

import itertools
import os

import numpy as np
import pytest

from captioner import Captioner
from captioner.images import find_images, read_image
from captioner.presets import find_model


@pytest.fixture(scope="module")
def model():
    return Captioner.from_preset("flickr8k")


@pytest.fixture(scope="module")
def samples():
    paths, _ = find_images(["data/samples"])
    assert len(paths) == 5
    return paths


def test_size():
    assert os.path.getsize(find_model("flickr8k")) <= 32 * 2**20


def test_it_says_how_it_was_trained(model):
    settings = model.about["trained_with"]
    assert settings["data"] == "flickr8k"
    assert settings["fine_tune_from"] == "all"
    assert not any("/" in value for value in settings.values() if isinstance(value, str))


def test_captions_are_sentences_that_follow_the_picture(model, samples):
    captions = model.generate(samples)
    assert len(set(captions)) >= 4
    for caption in captions:
        words = caption.split()
        assert 3 <= len(words) <= 25
        assert all(one != other for one, other in itertools.pairwise(words))


def test_captions_do_not_depend_on_the_batch(model, samples):
    together = model.generate(samples)
    assert model.generate(samples, batch_size=2) == together
    assert [model.generate(path) for path in samples] == together
    assert model.generate(samples[::-1]) == together[::-1]


def test_a_picture_as_file_and_as_array(model, samples):
    pixels = read_image(samples[0], (224, 224))
    assert model.generate(pixels) == model.generate(samples[0])
    assert model.generate(pixels / np.float32(255)) == model.generate(samples[0])
