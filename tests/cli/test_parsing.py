"""Mistakes on the command line: what was probably meant, and the usage of the right command."""

import pytest

from captioner.cli.parsing import CommandParser


@pytest.fixture
def parser():
    parser = CommandParser(prog="try")
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("--beam-size", type=int)
    parser.add_argument("--length-penalty", type=float)
    parser.add_argument("--data", required=True)
    parser.add_argument("--method", choices=("greedy", "beam"))
    return parser


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beem-size", "3"], "--beem-size: no such option; did you mean --beam-size?"),
        (["--beem-size=3"], "--beem-size: no such option; did you mean --beam-size?"),
        (["-beam-size", "3"], "-beam-size: no such option; did you mean --beam-size?"),
        (["--len", "3"], "--len: no such option; did you mean --length-penalty?"),
        (["--dta", "x"], "--dta: no such option; did you mean --data?"),  # before what is missing
        (["--colour"], "--colour: no such option"),
        (["--data", "x", "--beam-size", "3.5"], "--beam-size 3.5: must be a whole number"),
        (["--data", "x", "--length-penalty", "big"], "--length-penalty big: must be a number"),
        ([], "the following arguments are required: --data"),
        (["--data", "x", "--method", "magic"], "--method magic: no such choice; choose one of "
         "greedy, beam"),
    ],
)  # fmt: skip
def test_mistakes(parser, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(arguments)
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: try [options] --data DATA [PATH ...]; see try --help"
    assert error == f"captioner: error: {message}"


def test_a_value_too_much(capsys):
    with pytest.raises(SystemExit, match="2"):
        CommandParser(prog="try").parse_args(["x"])
    assert "error: x: is not the value of an option" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--length-penalty", "-1.5", "-", "a.jpg"],
        ["-", "a.jpg", "--length-penalty=-1.5"],
        ["--length-penalty", "-1.5", "--", "-", "a.jpg"],
    ],
)
def test_what_looks_like_a_flag_and_is_none(parser, arguments):
    options = parser.parse_args(["--data", "x", *arguments])
    assert (options.length_penalty, options.paths) == (-1.5, ["-", "a.jpg"])


def test_names_after_two_hyphens_are_no_flags(parser):
    assert parser.parse_args(["--data", "x", "--", "--a.jpg"]).paths == ["--a.jpg"]


def test_a_flag_of_another_command_is_none_of_this_one(capsys):
    parser = CommandParser(prog="all")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("one").add_argument("--beam-size")
    commands.add_parser("two")
    assert parser.parse_args(["one", "--beam-size", "3"]).beam_size == "3"
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["two", "--beam-size", "3"])
    assert capsys.readouterr().err.splitlines() == [
        "usage: all two [options]; see all two --help",
        "captioner: error: --beam-size: no such option",
    ]


def test_the_help_has_the_short_usage_and_every_option(parser, capsys):
    with pytest.raises(SystemExit, match="0"):
        parser.parse_args(["--help"])
    usage, *rest = capsys.readouterr().out.splitlines()
    assert usage == "usage: try [options] --data DATA [PATH ...]"
    assert {"--beam-size", "--length-penalty", "--version"} <= set(" ".join(rest).split())
