"""The command line as a user sees it: one line for a mistake, notes, exit status."""

import os
import signal
import subprocess
import sys
import warnings

import pytest

import captioner
from captioner.cli import COMMANDS, main
from captioner.errors import CaptionerError, CaptionerWarning


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caption", "nowhere.jpg"], "no pictures to caption"),
        (["caption", "{photos}", "--model", "nonsense"], "nonsense: no such model"),
        (["caption", "{photos}", "--model", "{photos}/a.png"], "cannot be opened as a captioner"),
        (["caption", "{photos}", "--model", "{model}", "--top-p", "0.5"], "no meaning with method"),
        (["train", "--data", "nowhere", "--out", "x"], "nowhere: no such file or folder"),
        (["train", "--units", "0"], "--units 0: must be 1 or more"),
        (["train", "--config", "nowhere.json"], "nowhere.json: cannot be read"),
        (["evaluate", "--data", "nowhere"], "nothing to score"),
    ],
)
def test_mistakes_get_one_line_and_status_2(model, photos, capsys, arguments, message):
    arguments = [each.format(photos=photos, model=model) for each in arguments]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("arguments", "program", "message"),
    [
        (["captoin"], "captioner", "captoin: no such command; did you mean caption? choose one of"),
        ([], "captioner", "the following arguments are required: COMMAND"),
        (["train", "--unit", "3"], "captioner train", "--unit: no such option; did you mean "
         "--units?"),
        (["caption", "x", "--method", "beem"], "captioner caption", "--method beem: no such "
         "choice; did you mean beam? choose one of greedy, beam, sample"),
    ],
)  # fmt: skip
def test_what_is_misspelt(capsys, arguments, program, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: {program} [options]")
    assert usage.endswith(f"; see {program} --help")
    assert error.startswith(f"captioner: error: {message}")


@pytest.mark.parametrize("script", ["caption.py", "train.py"])
def test_a_program_of_one_command_is_called_by_its_name(script):
    done = subprocess.run([sys.executable, script, "--seeed"], capture_output=True, text=True)
    usage, error = done.stderr.splitlines()
    assert usage.startswith(f"usage: {script} [options]")
    assert error == "captioner: error: --seeed: no such option; did you mean --seed?"
    assert done.returncode == 2


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_every_command_says_its_version(capsys, arguments):
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--version"])
    assert capsys.readouterr().out == f"captioner {captioner.__version__}\n"


@pytest.fixture
def command(monkeypatch):
    """Makes `main` run a function in place of a command; returns what runs it."""

    def run(function, *flags):
        monkeypatch.setattr("captioner.cli.export.run", function)
        return main(["export", "--out", "x", *flags])

    return run


def raising(error):
    def run(options):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (CaptionerError("a.jpg: broken"), 2, "captioner: error: a.jpg: broken"),
        (MemoryError(), 2, "captioner: error: not enough memory; give a smaller --batch-size or "
         "--beam-size"),
        (KeyboardInterrupt(), 130, "captioner: interrupted"),
    ],
)  # fmt: skip
def test_what_stops_a_command_is_one_line(command, capsys, error, status, line):
    assert command(raising(error)) == status
    assert capsys.readouterr().err == line + "\n"


def test_sigterm_ends_it_as_ctrl_c_does(command, capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert command(lambda options: os.kill(os.getpid(), signal.SIGTERM)) == 143
    assert capsys.readouterr().err == "captioner: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_our_warnings_are_notes_and_no_one_elses(command, capsys, recwarn):
    def run(options):
        warnings.warn("LiteRT is missing", CaptionerWarning, stacklevel=1)
        warnings.warn("of a library", UserWarning, stacklevel=1)
        return 0

    assert command(run) == 0
    assert capsys.readouterr().err == "note: LiteRT is missing\n"
    assert [str(each.message) for each in recwarn] == ["of a library"]
    assert command(run, "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_a_reader_that_has_seen_enough_is_no_error(photos):
    program = "from captioner.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "caption", str(photos)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
