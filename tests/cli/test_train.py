"""train: its flags are the settings, whose defaults its help shows."""

import dataclasses
import json
import re

import pytest

from captioner import TrainConfig
from captioner.cli import main
from captioner.cli.train import NEEDED, settings_given
from captioner.training import run
from captioner.training.config import GROUPS, flag


@pytest.fixture
def trained(monkeypatch):
    """The configs that training is called with, in place of training."""
    calls = []
    monkeypatch.setattr(run, "train", lambda config, resume: calls.append((config, resume)))
    return calls


def test_help_has_every_setting_with_its_default_in_its_group(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")  # the help of a flag on one line
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = capsys.readouterr().out
    for field in dataclasses.fields(TrainConfig):
        facts, name = field.metadata, flag(field.name)
        assert facts["choices"] or facts["metavar"]
        entries = printed.split(f"\n{facts['group']}:\n")[1].split("\n\n")[1].split("\n  --")
        [entry] = [each for each in entries if re.match(rf"(  )?(--)?{name[2:]}[ ,]", each)]
        assert facts["help"] in entry
        assert not facts["metavar"] or f"{name[2:]} {facts['metavar']}" in entry
        default = {"": "none", "()": "empty", "True": "on"}.get(f"{field.default}", field.default)
        if default == "none" and "empty: " in facts["help"]:
            default = "empty"
        shown = re.findall(r"\(default: ([^)]*)\)$", entry.rstrip())
        assert shown == ([] if field.name in NEEDED else [str(default)])
    assert {field.metadata["group"] for field in dataclasses.fields(TrainConfig)} == set(GROUPS)


def test_flags_become_settings(trained):
    given = {"data": ["a", "b"], "data_weights": [0.25, 0.75], "out": "run", "units": 7,
             "learning_rate": 0.01, "cell": "gru", "augment": False, "attention": "additive",
             "recurrent_dropout": 0.1}  # fmt: skip
    flags = ["--data", "a", "b", "--data-weights", "0.25", "0.75", "--out", "run", "--units", "7",
             "--learning-rate", "0.01", "--cell", "gru", "--no-augment", "--attention", "additive",
             "--recurrent-dropout", "0.1"]  # fmt: skip
    assert main(["train", *flags]) == 0
    assert trained == [(TrainConfig(**given), False)]


def test_flags_go_before_a_file_and_a_file_before_a_run(trained, tmp_path):
    stored = {"out": str(tmp_path), "units": 5, "layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert main(["train", "--out", str(tmp_path), "--units", "6", "--resume"]) == 0
    config, resume = trained.pop()
    assert resume
    assert (config.units, config.layers) == (6, 2)
    assert config.text_weight == 0  # as before there was this setting
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"layers": 3}))
    assert main(["train", "--out", str(tmp_path), "--config", str(path), "--units", "6"]) == 0
    config, resume = trained.pop()
    assert not resume
    assert (config.units, config.layers, config.text_weight) == (6, 3, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run folder given; add --out runs/NAME"),
        (["--out", "x", "--dropout", "1"], "--dropout 1.0: must be 0 or more and below 1"),
        (["--out", "x", "--config", "nowhere.json"], "nowhere.json: cannot be read"),
    ],
)
def test_mistakes_are_one_line_before_anything_starts(trained, capsys, arguments, message):
    assert main(["train", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not trained


def test_only_flags_that_are_given_are_settings():
    class Options:
        units, out, resume, augment = 7, None, True, False

    assert settings_given(Options) == {"units": 7, "augment": False}
