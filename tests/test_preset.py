"""The shipped model: small, opened by name, and different captions for different pictures."""

import itertools
import os

import numpy as np
import pytest

from captioner import Captioner, load
from captioner.images import find_images, read_image
from captioner.presets import exported_form, find_model


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
    last, first = model.about, model.about["started_from"]
    assert first["trained_with"]["fine_tune_from"] == "all"
    assert last["trained_with"]["self_critical"] == 4
    assert last["trained_with"]["picture_size"] == model.picture_size == 288
    for settings in (first["trained_with"], last["trained_with"]):
        assert settings["data"] == "flickr8k"
        assert not any("/" in value for value in settings.values() if isinstance(value, str))


def test_its_two_forms_are_one_model(model, samples):
    other = load(exported_form("flickr8k"))
    for name in ("vocabulary", "generation", "about", "picture_size"):
        assert getattr(other, name) == getattr(model, name)
    details = {"method": "greedy", "return_details": True}
    for one, two in zip(
        model.generate(samples, **details), other.generate(samples, **details), strict=True
    ):
        np.testing.assert_allclose(one.word_scores[:4], two.word_scores[:4], atol=0.02)
    assert folder_size(exported_form("flickr8k")) <= 32 * 2**20


def folder_size(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder))


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
    pixels = read_image(samples[0], (model.picture_size,) * 2)
    assert model.generate(pixels) == model.generate(samples[0])
    assert model.generate(pixels / np.float32(255)) == model.generate(samples[0])
