"""The flags that say which captioner."""

import argparse

import pytest

from captioner.cli.model_arguments import add_model_arguments, add_storage_argument, chosen_model
from captioner.cli.search_arguments import add_search_arguments
from captioner.models import ModelChoice


@pytest.mark.parametrize(
    ("flags", "choice"),
    [
        ([], ModelChoice()),
        (["--model", "a", "--model", "b"], ModelChoice(("a", "b"))),
        (["--runtime", "keras"], ModelChoice(runtime="keras")),
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
