"""The flags that several commands share, and that every flag says its default."""

import argparse
import re

import pytest

from captioner.cli import COMMANDS, common_arguments, main
from captioner.cli.common_arguments import (
    add_compute_arguments,
    add_quiet_argument,
    start_keras_for,
)
from captioner.errors import CaptionerError


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    add_quiet_argument(parser)
    add_compute_arguments(parser)
    return parser


@pytest.mark.parametrize(
    ("flags", "started"),
    [
        ([], ("test", "auto", None, True, "train")),
        (["--quiet"], ("test", "auto", None, False, "train")),
        (["--threads", "2", "--device", "gpu:1"], ("test", "gpu:1", 2, True, "train")),
    ],
)
def test_keras_starts_as_the_flags_say(parser, monkeypatch, flags, started):
    calls = []
    monkeypatch.setattr(common_arguments, "start_keras", lambda *given: calls.append(given))
    start_keras_for(parser.parse_args(flags), "test")
    assert calls == [started]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--threads", "0"], "--threads 0: must be 1 or more"),
        (["--device", "tpu"], "--device tpu: give auto, cpu, gpu, or one GPU such as gpu:0"),
    ],
)
def test_values_that_cannot_be(parser, flags, message):
    with pytest.raises(CaptionerError, match=f"^{re.escape(message)}$"):
        start_keras_for(parser.parse_args(flags), "test")


WITHOUT_DEFAULT = {
    "caption": {"--manifest", "--output", "--attention-maps", "--rerank"},
    "train": {"--config", "--data", "--out"},
    "evaluate": {
        "--model",
        "--data",
        "--images",
        "--results",
        "--diversity",
        "--report",
        "--rerank",
    },
    "calibrate": {"--model", "--data", "--images"},
    "alt": {"--output", "--root", "--rerank"},
    "serve": {"--api-key"},
    "compare": {"--data"},
    "tune": {"--config", "--data", "--out"},
    "export": {"--out"},
}  # these add something, or have to be given


def flags_with_a_value(command, capsys):
    """(flag, help) of each option that takes a value, as the help of a command shows them."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = re.sub(r"\n {20,}", " ", capsys.readouterr().out)
    return re.findall(r"^  (--[\w-]+) (?:[A-Z{\[])(.*)$", text, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_with_a_value_says_its_default(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")
    flags = flags_with_a_value(command, capsys)
    assert flags or command == "models"
    silent = {flag for flag, help_text in flags if "default: " not in help_text}
    assert silent <= WITHOUT_DEFAULT.get(command, set())
