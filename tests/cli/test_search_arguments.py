"""The flags of the search: names and defaults are those of the table (tests/test_decoding.py)."""

import argparse
import json
import os
import re

import pytest

from captioner.cli import main, search_arguments
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.decoding import SETTINGS
from captioner.errors import CaptionerError
from captioner.presets import DEFAULT_PRESET, exported_form


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    add_search_arguments(parser)
    return parser


@pytest.fixture
def read_anew():
    """The shipped captioner is looked at again, here and by the next test."""
    search_arguments._shipped.cache_clear()
    yield
    search_arguments._shipped.cache_clear()


def help_of(parser, flag):
    [action] = [each for each in parser._actions if flag in each.option_strings]
    return action.help


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ([], {}),
        (["--method", "greedy"], {"method": "greedy"}),
        (["--beam-size", "5", "--n-best", "2"], {"beam_size": 5, "n_best": 2}),
        (["--n-best", "9"], {"n_best": 9}),
        (["--length-penalty", "0"], {"length_penalty": 0.0}),
        (["--max-length", "7", "--no-repeat-ngram", "0"], {"max_length": 7, "no_repeat_ngram": 0}),
        (["--no-repeat-word"], {"no_repeat_word": True}),
        (["--repeat-word"], {"no_repeat_word": False}),
        (["--no-repeat-word", "--repeat-word"], {"no_repeat_word": False}),
        (["--temperature", "0.7", "--top-p", "0.9"], {"temperature": 0.7, "top_p": 0.9}),
        (["--top-k", "0", "--seed", "0"], {"top_k": 0, "seed": 0}),
        (["--rerank", "model.keras", "--rerank-weight", "0.3"], {}),  # of the model, not the search
    ],
)
def test_only_the_flags_that_are_given_become_settings(parser, flags, settings):
    assert search_settings(parser.parse_args(flags)) == settings


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beam-size", "0"], "beam size 0: must be 1 or more"),
        (["--n-best", "4", "--beam-size", "3"], "n best 4: must be at most the beam size, 3"),
        (["--length-penalty", "nan"], "length penalty nan: must be from -10 to 10"),
        (["--temperature", "1e-300"], "temperature 1e-300: must be from 0.01 to 100"),
        (["--top-p", "0"], "top p 0.0: must be above 0 and at most 1"),
        (["--seed", "-1"], "seed -1: must be 0 or more"),
    ],
)
def test_values_out_of_range(parser, flags, message):
    with pytest.raises(CaptionerError, match=f"^{re.escape(message)}$"):
        search_settings(parser.parse_args(flags))


def test_a_wrong_value_is_reported_before_the_model_is_opened(photos, capsys):
    assert main(["caption", str(photos), "--model", "nonsense", "--beam-size", "0"]) == 2
    assert capsys.readouterr().err == "captioner: error: beam size 0: must be 1 or more\n"


@pytest.mark.parametrize("flags", [["--beam-size", "many"], ["--method", "magic"]])
def test_values_of_another_kind(parser, flags, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(flags)
    assert f"argument {flags[0]}: invalid" in capsys.readouterr().err


def test_the_help_has_the_settings_that_the_shipped_model_stores(read_anew):
    parser = argparse.ArgumentParser()
    add_search_arguments(parser)
    with open(os.path.join(exported_form(DEFAULT_PRESET), "manifest.json"), "rb") as file:
        stored = json.load(file)["generation"]
    assert stored.keys() == {name for name, each in SETTINGS.items() if each.is_stored}
    for name, value in stored.items():
        shown = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
        default = f"(default: the model's own; {DEFAULT_PRESET}: {shown})"
        assert help_of(parser, f"--{name.replace('_', '-')}").endswith(default)
    assert help_of(parser, "--seed").endswith("(default: 0)")


@pytest.mark.parametrize("content", [None, "{"])
def test_the_help_without_the_shipped_model(read_anew, monkeypatch, tmp_path, content):
    if content:
        folder = tmp_path / f"{DEFAULT_PRESET}.litert"
        folder.mkdir()
        (folder / "manifest.json").write_text(content)
    monkeypatch.setattr("captioner.presets.FOLDER", str(tmp_path))
    parser = argparse.ArgumentParser()
    add_search_arguments(parser)
    assert help_of(parser, "--beam-size").endswith("(default: the model's own)")
    assert help_of(parser, "--n-best").endswith("(default: 1)")


def test_the_help_says_which_methods_a_setting_is_for(parser):
    assert help_of(parser, "--beam-size").startswith("beam: ")
    assert help_of(parser, "--temperature").startswith("sample: below 1 safer")
    assert help_of(parser, "--max-length").startswith("most words")
