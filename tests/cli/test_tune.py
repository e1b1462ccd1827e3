"""tune: the flags of training but those that it searches."""

import json

import pytest

from captioner import TrainConfig
from captioner.cli import main
from captioner.errors import flag
from captioner.study import tuning
from captioner.training.config import SEARCH_SPACE


@pytest.mark.parametrize("name", SEARCH_SPACE)
def test_what_is_searched_is_not_taken(name, capsys):
    assert main(["tune", "--data", "x", "--out", "y", flag(name), "1"]) == 2
    assert capsys.readouterr().err == (
        f"captioner: error: {flag(name)}: is what tune varies; leave it out\n"
    )


def test_flags_become_settings(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(tuning, "tune", lambda *arguments: calls.append(arguments))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"epochs": 3, "cell": "gru"}))
    flags = ["--config", str(config), "--data", "x", "--out", "y", "--cell", "rnn"]
    assert main(["tune", *flags, "--trials", "4", "--folds", "2"]) == 0
    assert calls == [(TrainConfig(data="x", epochs=3, cell="rnn"), "y", 4, 2)]


def test_from_the_command_line(tmp_path, capsys):
    assert main(["tune", "--data", "data/shapes"]) == 2
    assert "no folder given" in capsys.readouterr().err
    out = ["--out", str(tmp_path / "tune")]
    assert main(["tune", "--data", "data/shapes", "--trials", "0", *out]) == 2
    assert "trials 0: must be 1 or more" in capsys.readouterr().err
    assert main(["tune", "--data", "data/shapes", "--folds", "1", *out]) == 2
    assert "folds 1: must be 0, or 2 or more" in capsys.readouterr().err
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"cell": "lost"}), encoding="utf-8")
    assert main(["tune", "--config", str(config), *out]) == 2
    assert "lost" in capsys.readouterr().err
    assert not (tmp_path / "tune").exists()
