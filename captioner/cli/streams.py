"""Standard streams that are closed: some schedulers and daemons start programs so."""

import io
import os
import sys


class ClosedStream(io.TextIOWrapper):
    """A text stream in the place of a closed one: what is written to it disappears."""

    def __init__(self):
        super().__init__(io.FileIO(os.devnull, "w"), "utf-8", "replace", write_through=True)


def open_closed_streams():
    """Opens the standard streams that are closed, so that messages stop nothing.

    Their numbers are taken, too: the next file to be opened would get one, and libraries write
    their messages to it. `sys.stdin` stays None where it is closed.

    Example:
    >>> open_closed_streams()
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)  # the same number, mostly: inheritable
    sys.stdout = sys.stdout or ClosedStream()
    sys.stderr = sys.stderr or ClosedStream()
