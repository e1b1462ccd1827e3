"""train: its flags are the settings, whose defaults its help shows."""

import dataclasses
import json
import re

import pytest

from captioner import TrainConfig
from captioner.cli import main
from captioner.cli.train import NEEDED, settings_given
from captioner.errors import flag
from captioner.training import run
from captioner.training.config import GROUPS


@pytest.fixture
def trained(monkeypatch):
    """The configs that training is called with, in place of training."""
    calls = []
    monkeypatch.setattr(run, "train", lambda config, resume, **rest: calls.append((config, resume)))
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
    stored = {"out": str(tmp_path), "data": "x", "units": 5, "layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert main(["train", "--out", str(tmp_path), "--units", "6", "--resume"]) == 0
    config, resume = trained.pop()
    assert resume
    assert (config.units, config.layers) == (6, 2)
    assert config.text_weight == 0  # as before there was this setting
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"layers": 3, "data": "x"}))
    assert main(["train", "--out", str(tmp_path), "--config", str(path), "--units", "6"]) == 0
    config, resume = trained.pop()
    assert not resume
    assert (config.units, config.layers, config.text_weight) == (6, 3, 0.5)


def test_a_folder_without_a_run_cannot_be_resumed(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"units": 5}')  # is not the run's
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/config.json").write_text('{"data": "x"}')
    (tmp_path / "runs/empty").mkdir()
    for flags, message in (
        ([], "--resume: no run folder given; add --out with the folder of the run"),
        (["--out", "runs/mnie"], "runs/mnie: holds no run to resume; did you mean runs/mine? to "
         "begin one, give --data"),
        (["--out", "runs/empty"], "runs/empty: holds no run to resume; to begin one, give --data"),
        (["--out", "nowhere/x"], "nowhere/x: holds no run to resume; to begin one, give --data"),
    ):  # fmt: skip
        assert main(["train", "--resume", *flags]) == 2
        assert capsys.readouterr().err == f"captioner: error: {message}\n"
    assert not trained


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_resume_begins_a_run_where_there_is_none(trained, tmp_path, capsys, quiet):
    out = str(tmp_path / "mine")
    assert main(["train", "--resume", "--out", out, "--data", "x", *quiet]) == 0
    assert trained == [(TrainConfig(out=out, data="x"), True)]
    note = f"note: {out}: holds no run to resume; a new one begins\n"
    assert capsys.readouterr().err == ("" if quiet else note)


def test_quiet_reports_nothing(monkeypatch):
    calls = []
    monkeypatch.setattr(run, "train", lambda config, resume, **given: calls.append(given))
    assert main(["train", "--out", "x", "--data", "x", "--quiet"]) == 0
    assert main(["train", "--out", "x", "--data", "x"]) == 0
    silent, usual = calls
    assert silent["progress"] is False
    assert silent["log"]("a line") is None
    assert usual == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run folder given; add --out runs/NAME"),
        (["--out", "x"], "no data set given; add --data with an annotation file or a folder"),
        (["--out", "x", "--data", "a", "http://x.org/b"], "http://x.org/b: is on the web"),
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
