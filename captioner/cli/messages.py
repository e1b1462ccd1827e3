"""Lines on standard error, above a progress bar if there is one."""

import sys

from tqdm import tqdm


def say(line):
    """Prints a line for the user."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def complain(problem):
    """Prints what went wrong."""
    say(f"captioner: {problem}")
