"""What the commands print while pictures are captioned; standard output set up for captions."""

import contextlib
import os
import sys

from tqdm import tqdm

from captioner.bulk.progress import Listener
from captioner.cli.streams import ClosedStream
from captioner.errors import CaptionerError, cannot_be, require


def say(line):
    """Prints a line on standard error, above a progress bar if there is one.

    Where it cannot be printed, because the reader has gone or the disk is full, the work continues.
    """
    try:
        tqdm.write(line, file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def complain(problem):
    """Prints what went wrong."""
    say(f"captioner: {problem}")


class Progress(Listener):
    """Prints problems, and shows a bar where standard error is a terminal."""

    def __init__(self):
        self._bar = None

    def problem(self, line):
        complain(line)

    def start(self, done, total):
        if done:
            say(f"continuing after {done} of {total} pictures")
        quiet = total - done == 1 or not sys.stderr.isatty()
        self._bar = tqdm(
            total=total, initial=done, unit="picture", disable=quiet, leave=False, file=sys.stderr
        )

    def advance(self, pictures):
        self._bar.update(pictures)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._bar is not None:
            self._bar.close()


@contextlib.contextmanager
def standard_output(may_be_closed=False):
    """Standard output, for names of any bytes.

    Args:
        may_be_closed: bool. Whether a closed one is no problem, because what is written to it is
            written elsewhere, too. Defaults to `False`.

    Raises:
        CaptionerError: It cannot be written.
    """
    require(
        may_be_closed or not isinstance(sys.stdout, ClosedStream),
        "standard output: is closed; give --output FILE",
    )
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        raise CaptionerError(cannot_be("written", "standard output", error)) from error
