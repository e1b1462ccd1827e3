"""The command: a model becomes a folder that captions without Keras."""

import json
import os

import pytest

from captioner.cli import main
from captioner.cli.messages import megabytes
from captioner.files import size_of
from captioner.lite_captioner import MANIFEST


@pytest.mark.parametrize("flags", [[], ["--storage", "float32"], ["--storage", "int8"]])
def test_an_exported_model_captions(model, photos, tmp_path, capsys, flags):
    folder = str(tmp_path / "exported")
    assert main(["export", "--model", model, "--out", folder, *flags]) == 0
    written, use = capsys.readouterr().err.splitlines()
    assert written.startswith(f"{folder}: encode.tflite ")
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    assert written.endswith(f"; {size / 1e6:.1f} MB in all")
    assert use == f"to use it: python caption.py photo.jpg --model {folder}"
    assert sorted(os.listdir(folder)) == [
        "encode.tflite", MANIFEST, "start.tflite", "step.tflite",
    ]  # fmt: skip
    capsys.readouterr()
    assert main(["caption", str(photos), "--model", folder]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_kind_is_in_the_manifest(model, tmp_path, capsys):
    folder = tmp_path / "saved"
    command = ["export", "--model", model, "--out", str(folder), "--format", "saved_model"]
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert json.loads((folder / MANIFEST).read_text())["kind"] == "saved_model"


def test_what_cannot_be_exported(model, tmp_path, capsys):
    folder = str(tmp_path / "exported")
    assert main(["export", "--model", model, "--out", folder]) == 0
    assert main(["export", "--model", folder, "--out", str(tmp_path / "again")]) == 2
    assert "is exported already; give the .keras file" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "again")


def test_a_page_of_the_shipped_model(tmp_path, capsys):
    folder = str(tmp_path / "site")
    assert main(["export", "--format", "web", "--out", folder]) == 0
    written, use = capsys.readouterr().err.splitlines()
    model, runtime = (
        megabytes(size_of(os.path.join(folder, each))) for each in ("model", "runtime")
    )
    assert written.startswith(f"{folder}: model {model}, runtime {runtime}; ")
    assert use == (
        f"to use it: python -m http.server --directory {folder} 8000, "
        "then open http://localhost:8000"
    )
    again = ["export", "--format", "web", "--out", folder, "--storage", "int8"]
    assert main(again) == 2
    assert "storage 'int8': everyday is exported already" in capsys.readouterr().err


def test_a_page_of_an_own_model(model, tmp_path, capsys):
    """Of a .keras file, and of a folder that was exported from it."""
    exported, first, second = (str(tmp_path / name) for name in ("exported", "first", "second"))
    assert main(["export", "--format", "web", "--model", model, "--out", first, "--quiet"]) == 0
    assert main(["export", "--model", model, "--out", exported, "--quiet"]) == 0
    assert main(["export", "--format", "web", "--model", exported, "--out", second, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert [shown_name(each) for each in (first, second)] == ["model", "exported"]


def shown_name(site):
    with open(os.path.join(site, "model", MANIFEST), encoding="utf-8") as file:
        return json.load(file)["name"]
