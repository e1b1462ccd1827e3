"""Closed standard streams: nothing is written into a wrong file, and nothing stops."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from captioner.cli.streams import ClosedStream, open_closed_streams
open_closed_streams()
with open(sys.argv[1], "w") as file:
    number = file.fileno()
    os.write(2, b"a library's message")
    print("printed")
    print("problem", file=sys.stderr)
    are_closed = [isinstance(each, ClosedStream) for each in (sys.stdout, sys.stderr)]
    file.write(f"{number} {[sys.stdin is None, *are_closed]}")
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_a_file_gets_no_number_of_a_standard_stream(tmp_path, closed):
    path = tmp_path / "out"
    marks = " ".join(f"{number}>&-" for number in closed)
    command = f'exec "$0" -c "$1" "$2" {marks}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, PROGRAM, path], check=True, capture_output=True
    )
    number, streams = path.read_text().split(" ", 1)
    assert int(number) > 2
    assert streams == str([each in closed for each in range(3)])
    assert done.stdout == (b"" if 1 in closed else b"printed\n")
    assert done.stderr == (b"" if 2 in closed else b"a library's messageproblem\n")


def caption(arguments, marks):
    command = f'exec "$0" caption.py "$@" {marks}'
    return subprocess.run(["sh", "-c", command, sys.executable, *arguments], capture_output=True)


def test_what_is_missing_is_said_in_one_line(tmp_path):
    done = caption(["data/samples/cat.jpg"], ">&-")
    assert done.returncode == 2
    assert done.stderr == b"captioner: error: standard output: is closed; give --output FILE\n"
    done = caption(["-"], "<&-")
    assert done.returncode == 2
    assert b"standard input is closed" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_any_stream_the_good_pictures_are_captioned(tmp_path):
    bad, output = tmp_path / "bad.jpg", tmp_path / "captions"
    bad.write_text("no picture")
    arguments = [str(bad), "data/samples/cat.jpg", "--output", str(output)]
    assert caption(arguments, "<&- >&- 2>&-").returncode == 1
    [line] = output.read_text().splitlines()
    assert line.startswith("data/samples/cat.jpg\t")


def test_beside_pictures_no_output_is_needed(tmp_path):
    picture = tmp_path / "cat.jpg"
    os.symlink(os.path.abspath("data/samples/cat.jpg"), picture)
    assert caption([str(picture), "--sidecar"], ">&-").returncode == 0
    assert (tmp_path / "cat.txt").read_text()


def test_a_reader_of_messages_that_has_gone_stops_nothing(tmp_path):
    bad, output = tmp_path / "bad.jpg", tmp_path / "captions"
    bad.write_text("no picture")
    arguments = [str(bad), "data/samples/cat.jpg", "--output", str(output)]
    assert caption(arguments, "2>/dev/full").returncode == 1
    assert len(output.read_text().splitlines()) == 1
