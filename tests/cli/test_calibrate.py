"""The command: a confidence is measured, printed and stored, or one line says why not."""

import numpy as np
import pytest

from captioner import Captioner, load
from captioner.cli import main
from captioner.generation import Caption
from captioner.presets import DEFAULT_PRESET, find_model
from tests.datasets import coco_document, make_colours, write_json


@pytest.fixture
def data(tmp_path):
    """60 pictures to calibrate with, in a folder."""
    make_colours(tmp_path, pictures=2)
    captions = {f"{n}.png": [f"a {n} field under a wide sky"] for n in range(60)}
    for n in range(60):
        (tmp_path / f"{n}.png").write_bytes((tmp_path / "0.png").read_bytes())
    write_json(tmp_path / "captions_val.json", coco_document(captions))
    return str(tmp_path)


@pytest.fixture
def talker(monkeypatch):
    """Every captioner says what people say of every third picture, and is surer then."""
    said = []

    def decode(self, image, **search):
        first = len(said)
        said.extend(n % 60 for n in range(first, first + len(image)))
        texts = [f"a {n} field under a wide sky" if n % 3 == 0 else "x" for n in said[first:]]
        sureness = [-0.1 if n % 3 == 0 else -1.5 for n in said[first:]]
        return [
            [Caption(text, 0.0, (), tuple(np.full(8, sure)))]
            for text, sure in zip(texts, sureness, strict=True)
        ]

    monkeypatch.setattr(Captioner, "decode", decode)


def test_it_is_measured_printed_and_stored(model, data, talker, tmp_path, capsys):
    weights = load(model).get_weights()
    assert main(["calibrate", "--model", model, "--data", data]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "60 captions, 33% right (CIDEr 0.7 or more)"
    assert lines[1].startswith("AUC 1.000, log loss 0.")
    assert lines[2].split() == ["confidence", "captions", "right"]
    assert lines[3].split() == ["0.0", "to", "0.2", "40", "0%"]
    assert lines[5].split() == ["0.4", "to", "0.6", "0", "-"]
    assert lines[7].split() == ["0.8", "to", "1.0", "20", "100%"]
    assert lines[8:] == [f"stored in {model}"]
    calibrated = load(model)
    assert calibrated.confidence.of([-0.1] * 8) > 0.8
    for one, other in zip(weights, calibrated.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_copy_has_it_and_the_model_does_not(model, data, talker, tmp_path, capsys):
    out = str(tmp_path / "calibrated.keras")
    both = ["--data", data, "--images", data] * 2
    assert main(["calibrate", "--model", model, *both, "--out", out]) == 0
    assert "120 captions, 33% right (CIDEr 0.7 or more); each data set counts the same" in (
        capsys.readouterr().out
    )
    assert load(out).confidence is not None
    assert load(model).confidence is None


def test_what_cannot_be_calibrated(model, data, tmp_path, capsys):
    shipped = find_model(DEFAULT_PRESET)
    with open(shipped, "rb") as file:
        content = file.read()
    for arguments, message in (
        (["--model", DEFAULT_PRESET], "is a shipped model, which stays as it is; give --out"),
        (["--model", model, "--images", "a", "--images", "b"], "2 given for 1 of --data"),
        (["--model", model, "--split", "test"], "has no split 'test'"),
        (["--model", model, "--out", "m.h5"], "a model's file name ends in .keras"),
        (["--model", model], "0 of 60 captions are right; a confidence needs 50 pictures or more"),
        (["--model", "nothing"], "nothing: no such model"),
    ):
        assert main(["calibrate", *arguments, "--data", data]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("captioner: error: ")
        assert message in line
    with open(shipped, "rb") as file:
        assert file.read() == content
