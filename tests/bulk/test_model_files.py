"""Models that travel: unpacked elsewhere they are the same, and a change is noticed."""

import filecmp
import os

import pytest

from captioner.bulk.model_files import ModelFiles
from captioner.errors import CaptionerError
from captioner.presets import DEFAULT_PRESET, REPLACED, exported_form


def test_a_file_is_unpacked_under_its_name(model, tmp_path):
    name = ModelFiles.of(model).unpacked(str(tmp_path / "there"))
    assert name == str(tmp_path / "there" / "model.keras")
    assert filecmp.cmp(name, model, shallow=False)


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_is_unpacked_with_all_it_holds(tmp_path, end):
    folder = exported_form(DEFAULT_PRESET)
    name = ModelFiles.of(folder + end).unpacked(str(tmp_path))
    assert os.path.basename(name) == os.path.basename(folder)
    assert sorted(os.listdir(name)) == sorted(os.listdir(folder))
    _, different, unread = filecmp.cmpfiles(name, folder, os.listdir(folder), shallow=False)
    assert not different
    assert not unread


def test_a_shipped_model_stays_where_it_is(tmp_path):
    shipped = ModelFiles.of(DEFAULT_PRESET)
    assert shipped == ModelFiles(DEFAULT_PRESET, None)
    assert shipped.unpacked(str(tmp_path)) == DEFAULT_PRESET
    assert shipped.digest is None
    assert os.listdir(tmp_path) == []


@pytest.mark.filterwarnings("ignore::captioner.errors.ReplacedModelWarning")
def test_a_model_that_was_replaced_has_its_successors_name():
    [(old, new), *_] = REPLACED.items()
    assert ModelFiles.of(old).name == new


def test_the_digest_shows_a_change(model):
    before = ModelFiles.of(model).digest
    assert ModelFiles.of(model).digest == before
    with open(model, "ab") as file:
        file.write(b"x")
    assert ModelFiles.of(model).digest != before


def test_no_such_model():
    with pytest.raises(CaptionerError, match="nonsense: no such model"):
        ModelFiles.of("nonsense")
