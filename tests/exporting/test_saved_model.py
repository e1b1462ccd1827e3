"""Exports as SavedModel: the numbers of Keras, by TensorFlow alone."""

import json

import pytest
import tensorflow as tf

from captioner import CaptionerError, load
from captioner.exporting.formats import export
from tests.exporting import KINDS, check_the_same_numbers


def saved_model_runner(folder):
    signatures = tf.saved_model.load(f"{folder}/saved_model").signatures

    def run(name, arrays):
        found = signatures[name](**{key: tf.constant(value) for key, value in arrays.items()})
        return {key: value.numpy() for key, value in found.items()}

    return run


@pytest.mark.long
@pytest.mark.parametrize(("cell", "layers", "attention"), KINDS)
def test_the_same_numbers(tmp_path, cell, layers, attention):
    check_the_same_numbers(
        tmp_path / "out", "saved_model", saved_model_runner, cell, layers, attention
    )


def test_other_formats_are_not_run_by_litert(tmp_path, tiny_captioner):
    export(tiny_captioner, tmp_path / "out", format="saved_model")
    with pytest.raises(CaptionerError, match="is exported as saved_model, which examples/ shows"):
        load(tmp_path / "out")


def test_it_has_three_signatures_and_checksums_of_its_own(tmp_path, tiny_captioner):
    export(tiny_captioner, tmp_path / "out", format="saved_model")
    opened = tf.saved_model.load(tmp_path / "out" / "saved_model")
    assert set(opened.signatures) == {"encode", "start", "step"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["kind"], manifest["checksums"]) == ("saved_model", {})
