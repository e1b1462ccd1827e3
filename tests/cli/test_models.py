"""The list of shipped captioners."""

import json
import os
import subprocess
import sys

from captioner import presets
from captioner.cli import main
from captioner.lite_captioner import manifest_of
from captioner.presets import DEFAULT_PRESET, exported_form


def test_each_with_what_it_is(capsys):
    assert main(["models"]) == 0
    name, *lines = capsys.readouterr().out.splitlines()
    assert name == f"{DEFAULT_PRESET} (the default)"
    shown = dict(line.split(maxsplit=1) for line in lines)
    manifest = manifest_of(exported_form(DEFAULT_PRESET))
    size = os.path.getsize(os.path.join(presets.FOLDER, f"{DEFAULT_PRESET}.keras")) / 1e6
    assert f"{DEFAULT_PRESET}.keras {size:.1f} MB" in shown["files"]
    assert f"{manifest['picture_size']} pixels" in shown["pictures"]
    assert manifest["about"]["trained_with"]["cell"] in shown["words"]
    assert f"CIDEr {manifest['about']['validation']['CIDEr']:.3f}" in shown["validation"]


def test_as_json_without_keras():
    program = (
        "import sys\nfrom captioner.cli import main\nassert main(['models', '--json']) == 0\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    [facts] = json.loads(done.stdout)
    assert facts["name"] == DEFAULT_PRESET
    assert facts["is_default"]
    assert set(facts["files"]) == {f"{DEFAULT_PRESET}.keras", f"{DEFAULT_PRESET}.litert"}


def test_one_without_a_form_for_litert(monkeypatch, tmp_path, capsys):
    (tmp_path / "mine.keras").write_bytes(b"x" * 300_000)
    monkeypatch.setattr(presets, "FOLDER", str(tmp_path))
    assert main(["models"]) == 0
    assert capsys.readouterr().out == "mine\n  files         mine.keras 0.3 MB\n"
