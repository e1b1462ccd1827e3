"""What is printed while pictures are captioned."""

import os
import subprocess
import sys

import pytest

from captioner.cli.messages import Progress, complain, say


def test_lines_go_to_standard_error(capsys):
    say("a note")
    complain("a.jpg: broken")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "a note\ncaptioner: a.jpg: broken\n"


def test_a_line_that_cannot_be_printed_stops_nothing():
    program = "from captioner.cli.messages import say; say('a'); say('b'); print('done')"
    command = 'exec "$0" -c "$1" 2>/dev/full'
    done = subprocess.run(["sh", "-c", command, sys.executable, program], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_progress_prints_problems_and_where_it_continues(capsys):
    with Progress() as progress:
        progress.problem("gone.jpg: no such file or folder")
        progress.start(2, 5)
        progress.advance(1)
        progress.problem("a.jpg: broken")
        progress.advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "captioner: gone.jpg: no such file or folder",
        "continuing after 2 of 5 pictures",
        "captioner: a.jpg: broken",
    ]


def test_quiet_prints_problems_only(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(quiet=True) as progress:
        progress.start(2, 5)
        progress.note("2 of 5 captions were not written")
        progress.problem("a.jpg: broken")
        progress.advance(2)
    assert capsys.readouterr().err == "captioner: a.jpg: broken\n"


def test_a_terminal_sees_a_bar_that_disappears(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress() as progress:
        progress.start(0, 5)
        progress.advance(2)
    printed = capsys.readouterr().err
    assert "/5" in printed
    assert printed.endswith("\r")
    with Progress() as progress:
        progress.start(0, 1)  # one picture needs none
        progress.advance(1)
    assert capsys.readouterr().err == ""


PROGRAM = """
import os, sys
from captioner.cli import main
from captioner.cli.messages import standard_output
from captioner.errors import CaptionerError
try:
    with standard_output() as file:
        file.write(os.fsdecode(b"\\xff\\xc3\\xa9\\n"))
except CaptionerError as error:
    print(error, file=sys.stderr)
"""


def test_names_of_any_bytes_are_printed_as_they_are():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, env=environment)
    assert done.stdout == b"\xff\xc3\xa9\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=full, stderr=subprocess.PIPE, text=True
        )
    first = done.stderr.splitlines()[0]
    assert first == "standard output: cannot be written (No space left on device)"
