"""The history of a run as files for people: a table, a picture, TensorBoard events."""

import csv
import importlib.util
import io

from captioner.files import replace_bytes, replacing

TIMES = {"train_seconds", "seconds"}
PACKAGES = {"curves.png": "matplotlib", "TensorBoard events": "tensorboard"}  # which write them


def writers():
    """What writes the files: a dict from a file's name to a function of the history and a path.

    Files are left out whose package is not installed.
    """
    found = {"history.csv": write_table}
    if _is_installed("matplotlib"):
        found["curves.png"] = write_curves
    if _is_installed("tensorboard"):
        found["tensorboard"] = add_events
    return found


def left_out():
    """A line for each file that is not written because its package is not installed."""
    return [f"no {what}, for {package} is not installed"
            for what, package in PACKAGES.items() if not _is_installed(package)]  # fmt: skip


def write_table(history, path):
    """Writes history.csv, a line an epoch.

    How long an epoch took is not in it, so that the same run gives the same file.

    Args:
        history: list of dict, one for each epoch.
        path: str.
    """
    names = [name for name in history[0] if name not in TIMES]
    table = io.StringIO(newline="")
    csv.writer(table).writerows([names, *([row[name] for name in names] for row in history)])
    replace_bytes(path, table.getvalue().encode())


def write_curves(history, path):
    """Writes the learning curves as a picture."""
    # matplotlib takes half a second to import, and only training needs it here.
    from captioner.output.reports import learning_curves

    with replacing(path) as unfinished:
        learning_curves(history).savefig(unfinished, dpi=110, format="png")


def add_events(history, path):
    """Adds the last epoch's numbers to the TensorBoard events in a folder."""
    from tensorboard.summary import Writer

    writer = Writer(path)
    for name, value in history[-1].items():
        if isinstance(value, float):
            writer.add_scalar(name, value, history[-1]["epoch"])
    writer.close()


def _is_installed(name):
    return importlib.util.find_spec(name) is not None
