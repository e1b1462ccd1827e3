"""The flags that say which captioner."""

import argparse

import pytest

from captioner.cli import model_arguments
from captioner.cli.model_arguments import add_model_arguments, add_storage_argument, chosen_model
from captioner.cli.search_arguments import add_search_arguments
from captioner.errors import CaptionerError
from captioner.models import ModelChoice


@pytest.mark.parametrize(
    ("flags", "choice"),
    [
        ([], ModelChoice()),
        (["--model", "a", "--model", "b"], ModelChoice(("a", "b"))),
        (["--runtime", "keras"], ModelChoice(runtime="keras")),
        (["--threads", "3", "--device", "cpu"], ModelChoice(threads=3)),
        (
            ["--rerank", "b.keras", "--rerank-weight", "0.2"],
            ModelChoice(rerank="b.keras", rerank_weight=0.2),
        ),
    ],
)
def test_flags_become_a_choice(flags, choice):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    add_search_arguments(parser)
    assert chosen_model(parser.parse_args(flags)) == choice


@pytest.fixture
def started(monkeypatch):
    """The devices that Keras is started for, in place of starting it."""
    calls = []
    monkeypatch.setattr(
        model_arguments, "start_keras_for", lambda options, what: calls.append(options.device)
    )
    return calls


@pytest.mark.parametrize(
    ("flags", "devices"),
    [
        ([], []),
        (["--device", "auto"], []),
        (["--device", "cpu"], []),  # LiteRT is there already
        (["--device", "cpu", "--runtime", "keras"], ["cpu"]),
        (["--device", "gpu:1", "--runtime", "keras"], ["gpu:1"]),
    ],
)
def test_keras_starts_where_it_runs_the_model(started, flags, devices):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    chosen_model(parser.parse_args(flags))
    assert started == devices


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--device", "gpu"], "--device gpu: LiteRT runs on the CPU; give --runtime keras too"),
        (["--device", "gpu", "--model", "nonsense"], "nonsense: no such model"),
        (["--threads", "0"], "--threads 0: must be 1 or more"),
    ],
)
def test_what_cannot_compute(started, flags, message):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    with pytest.raises(CaptionerError, match=message):
        chosen_model(parser.parse_args(flags))
    assert not started


def test_a_command_without_search_flags_has_no_re_ranking():
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert chosen_model(parser.parse_args(["--model", "a"])) == ModelChoice(("a",))


@pytest.mark.parametrize(("flags", "storage"), [([], "float32"), (["--storage", "int8"], "int8")])
def test_storage(flags, storage, capsys):
    parser = argparse.ArgumentParser()
    add_storage_argument(parser, "float32", more=("int8",))
    assert parser.parse_args(flags).storage == storage
    with pytest.raises(SystemExit):
        parser.parse_args(["--storage", "int4"])
    assert "int4" in capsys.readouterr().err
