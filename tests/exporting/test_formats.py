"""Exports in every form: the folder they are in, and captions from a few lines."""

import os
import subprocess
import sys

import numpy as np
import pytest

from captioner import CaptionerError, load
from captioner.cli import main
from captioner.exporting.formats import FORMATS, export
from captioner.presets import DEFAULT_PRESET
from tests.exporting import make_model
from tests.hostile import photo


@pytest.mark.long
@pytest.mark.parametrize("format", FORMATS)
def test_the_example_captions_from_it(tmp_path, format):
    model = make_model()
    model.save(tmp_path / "m.keras")
    photo().save(tmp_path / "p.png")
    folder = str(tmp_path / "out")
    command = ["export", "--model", str(tmp_path / "m.keras"), "--out", folder, "--format", format]
    assert main([*command, "--storage", "float32"]) == 0
    program = f"examples/caption_{format}.py"
    done = subprocess.run(
        [sys.executable, program, folder, str(tmp_path / "p.png")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    wanted = model.generate(str(tmp_path / "p.png"), method="greedy", no_repeat_ngram=0)
    # The example puts a space between all words.
    assert done.stdout.split() == wanted.replace("犬", " 犬 ").split()
    with open(program, encoding="utf-8") as file:
        code = file.read().split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "pickle"}, "format 'pickle': choose one of litert, onnx, saved_model"),
        ({"format": "onnx", "storage": "float16"}, "storage 'float16': onnx has float32"),
        ({"storage": "int3"}, "storage 'int3': litert has float16, float32, int8"),
    ],
)
def test_wrong_settings(tmp_path, tiny_captioner, settings, message):
    with pytest.raises(CaptionerError, match=message):
        export(tiny_captioner, tmp_path / "out", **settings)


def test_what_litert_runs_cannot_be_exported_again(tmp_path):
    with pytest.raises(CaptionerError, match=r"runtime='keras'"):
        export(load(DEFAULT_PRESET), tmp_path / "out")
    assert not os.listdir(tmp_path)


def test_an_export_replaces_an_older_one_and_nothing_else(tiny_captioner, tmp_path):
    exported = tmp_path / "exported"
    export(tiny_captioner, exported)
    (tmp_path / "exported" / "step.tflite").write_text("old")
    export(tiny_captioner, exported)
    assert load(exported).generate(np.zeros((9, 9, 3), np.uint8)) is not None
    assert sorted(os.listdir(tmp_path)) == ["exported"]  # nothing half done is left
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_text("x")
    with pytest.raises(CaptionerError, match="not an exported captioner; give another folder"):
        export(tiny_captioner, tmp_path / "mine")
