"""The shipped model: small, opened by name, and different captions for different pictures.

And the names of models that it has replaced.
"""

import itertools
import os
import warnings

import numpy as np
import pytest

from captioner import Captioner, load
from captioner.bulk.journal import Journal
from captioner.bulk.model_files import ModelFiles
from captioner.cli import main
from captioner.errors import ReplacedModelWarning
from captioner.exporting.formats import export
from captioner.finding import find_images
from captioner.images import read_image
from captioner.lite_captioner import LiteCaptioner
from captioner.models import load_models
from captioner.presets import (
    DEFAULT_PRESET,
    REPLACED,
    exported_form,
    facts_of,
    find_model,
    shipped_names,
)
from captioner.training.config import as_list


@pytest.fixture(scope="module")
def model():
    return Captioner.from_preset(DEFAULT_PRESET)


@pytest.fixture(scope="module")
def samples():
    paths, _ = find_images(["data/samples"])
    assert len(paths) == 8
    return paths


def test_size():
    assert os.path.getsize(find_model(DEFAULT_PRESET)) <= 32 * 2**20


def test_its_facts_are_those_of_the_model(model):
    assert shipped_names() == [DEFAULT_PRESET]
    facts = facts_of(DEFAULT_PRESET)
    assert facts["picture_size"] == model.picture_size
    assert facts["validation"] == model.about["validation"]
    assert facts["cell"] == model.decoder.cell
    assert facts["files"][f"{DEFAULT_PRESET}.keras"] == os.path.getsize(find_model(DEFAULT_PRESET))


def test_it_says_how_it_was_trained(model):
    last, first = model.about["trained_with"], model.about["started_from"]["trained_with"]
    assert os.path.exists(os.path.join("recipes", first["recipe"]))
    assert last["self_critical"] > model.about["epoch"] == 1
    assert last["picture_size"] == model.picture_size == 288
    for settings in (first, last):
        assert settings["data"] == ["flickr8k", "coco"]
        values = [each for value in settings.values() for each in as_list(value)]
        assert not any("/" in value for value in values if isinstance(value, str))


def test_its_two_forms_are_one_model(model, samples):
    other = load(exported_form(DEFAULT_PRESET))
    for name in ("vocabulary", "generation", "about", "picture_size", "confidence"):
        assert getattr(other, name) == getattr(model, name)
    details = {"method": "greedy", "return_details": True}
    for one, two in zip(
        model.generate(samples, **details), other.generate(samples, **details), strict=True
    ):
        np.testing.assert_allclose(one.word_scores[:4], two.word_scores[:4], atol=0.02)
    assert folder_size(exported_form(DEFAULT_PRESET)) <= 32 * 2**20


def test_its_two_forms_trust_a_caption_alike(model, samples):
    other = load(exported_form(DEFAULT_PRESET))
    pairs = zip(
        model.generate(samples, return_details=True),
        other.generate(samples, return_details=True),
        strict=True,
    )
    same = [(one.confidence, two.confidence) for one, two in pairs if one.text == two.text]
    assert len(same) >= 6
    np.testing.assert_allclose(*zip(*same, strict=True), atol=2e-3)
    assert max(one for one, _ in same) - min(one for one, _ in same) > 0.3


def folder_size(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def test_captions_are_sentences_that_follow_the_picture(model, samples):
    captions = model.generate(samples)
    assert len(set(captions)) >= 4
    for caption in captions:
        words = caption.split()
        assert 3 <= len(words) <= 25
        assert all(one != other for one, other in itertools.pairwise(words))


@pytest.mark.long
def test_captions_do_not_depend_on_the_batch(model, samples):
    together = model.generate(samples)
    assert model.generate(samples, batch_size=2) == together
    assert [model.generate(path) for path in samples] == together
    assert model.generate(samples[::-1]) == together[::-1]


def test_a_picture_as_file_and_as_array(model, samples):
    pixels = read_image(samples[0], (model.picture_size,) * 2)
    assert model.generate(pixels) == model.generate(samples[0])
    assert model.generate(pixels / np.float32(255)) == model.generate(samples[0])


@pytest.fixture
def only_a_tiny_one(tiny_captioner, tmp_path, monkeypatch):
    """In place of the shipped models: one, small, under the name of the default."""
    folder = tmp_path / "presets"
    tiny_captioner.save(folder / f"{DEFAULT_PRESET}.keras")
    export(tiny_captioner, folder / f"{DEFAULT_PRESET}.litert")
    monkeypatch.setattr("captioner.presets.FOLDER", str(folder))
    return folder


@pytest.mark.parametrize("old", REPLACED)
def test_the_name_of_a_former_model_loads_its_successor(only_a_tiny_one, old):
    line = f"{old}: this model has been replaced by {REPLACED[old]}, which is used instead"
    for opened in (Captioner.from_preset, load, find_model, exported_form, ModelFiles.of):
        with pytest.warns(ReplacedModelWarning, match=line):
            assert opened(old)
    with pytest.warns(ReplacedModelWarning):
        assert ModelFiles.of(old) == ModelFiles.of(REPLACED[old])


@pytest.mark.long
def test_each_command_says_once_that_a_model_was_replaced(
    only_a_tiny_one, photos, tmp_path, capsys
):
    [old, *_] = REPLACED
    page, data = tmp_path / "page.html", tmp_path / "pets.csv"
    page.write_text('<img src="photos/a.png">')
    data.write_text(
        "image,caption,split\na.png,a dog runs,train\nb.jpg,a cat,val\nc.webp,a dog,test\n"
    )
    output, exported, run = (str(tmp_path / name) for name in ("output", "exported", "run"))
    pets = ["--data", str(data), "--images", str(photos)]
    short = ["--epochs", "1", "--min-count", "1", "--batch-size", "1"]
    for command in (
        ["caption", str(photos), "--model", old],
        ["caption", str(photos), "--model", old, "--runtime", "keras"],
        ["caption", str(photos), "--model", old, "--output", output],
        ["alt", str(page), "--model", old],
        ["evaluate", "--model", old, *pets],
        ["export", "--model", old, "--out", exported],
        ["train", "--init-from", old, *pets, "--out", run, *short],
    ):
        with warnings.catch_warnings():  # as in a process of its own
            assert main(command) == 0, command
        lines = capsys.readouterr().err.splitlines()
        assert [line for line in lines if old in line] == [
            f"note: {old}: this model has been replaced by {REPLACED[old]}, which is used instead"
        ]


def test_a_file_of_that_name_is_meant_first(only_a_tiny_one, tiny_captioner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [old, *_] = REPLACED
    os.mkdir(old)  # the data set, for instance
    with pytest.warns(ReplacedModelWarning):
        assert find_model(old) == str(only_a_tiny_one / f"{DEFAULT_PRESET}.keras")
    os.rmdir(old)
    export(tiny_captioner, old)
    assert find_model(old) == old


def test_a_folder_of_that_name_does_not_hide_a_shipped_model(
    only_a_tiny_one, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    os.mkdir(DEFAULT_PRESET)
    assert exported_form(DEFAULT_PRESET) == str(only_a_tiny_one / f"{DEFAULT_PRESET}.litert")
    assert isinstance(load_models([DEFAULT_PRESET]), LiteCaptioner)


def test_captions_begun_by_another_default_are_not_continued(
    only_a_tiny_one, photos, tmp_path, monkeypatch
):
    kept = []
    monkeypatch.setattr(
        "captioner.bulk.local_captioning.Journal",
        lambda output, settings, resume: kept.append(settings) or Journal(output, settings, resume),
    )
    command = ["caption", str(photos), "--output", str(tmp_path / "captions"), "--overwrite"]
    for model in ([], ["--model", DEFAULT_PRESET], ["--model", next(iter(REPLACED))]):
        assert main([*command, *model]) == 0
    assert kept[0]["model"] == [DEFAULT_PRESET]
    assert kept[0] == kept[1] == kept[2]
