"""What the commands print besides their results; standard output set up for captions."""

import contextlib
import os
import sys

from captioner.bulk.progress import Listener
from captioner.cli.streams import ClosedStream
from captioner.errors import CaptionerError, cannot_be, require
from captioner.progress import ProgressBar


def say(line):
    """Prints a line on standard error, above a progress bar if there is one.

    There can only be one where tqdm, which draws it, has been imported. Where the line cannot be
    printed, because the reader has gone or the disk is full, the work continues.
    """
    try:
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def note(line, quiet=False):
    """Prints what is good to know, unless nothing but errors and the result is wanted."""
    if not quiet:
        say(f"note: {line}")


def complain(problem):
    """Prints what went wrong."""
    say(f"captioner: {problem}")


def megabytes(size):
    """A number of bytes as people read it."""
    return f"{size / 1e6:.1f} MB"


class Progress(Listener):
    """Prints problems, and how far the captioning is.

    Args:
        quiet: bool. Whether to print problems only. Defaults to `False`.
    """

    def __init__(self, quiet=False):
        self._quiet, self._bar = quiet, None

    def problem(self, line):
        complain(line)

    def note(self, line):
        """Prints what is good to know, unless nothing but problems is wanted."""
        if not self._quiet:
            say(line)

    def start(self, done, total):
        if done:
            self.note(f"continuing after {done} of {total} pictures")
        shown = not self._quiet and total - done > 1
        self._bar = ProgressBar(total, "picture", done=done, shown=shown)

    def advance(self, pictures):
        self._bar.add(pictures)

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
