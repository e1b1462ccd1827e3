"""The folder of a training run: settings, history, curves, checkpoints."""

import contextlib
import csv
import importlib.util
import io
import json
import os
import shutil
import tempfile

import numpy as np
from filelock import FileLock, Timeout

from captioner.captioner import load
from captioner.errors import CaptionerError, cannot_be, differences, require
from captioner.files import UNFINISHED, replace_bytes, replacing, sweep
from captioner.training.config import TrainConfig, read_run_settings

LOCK = "lock"
# How names of unfinished files once ended, and those of the folders around them began.
FORMER_FILE, FORMER_FOLDER = ".new", ".saving-"
TIMES = {"train_seconds", "seconds"}
REPORTS = {"matplotlib": "curves.png", "tensorboard": "TensorBoard events"}  # and who writes them

# What resuming may change: none of it alters the course of the run so far.
FREE_TO_CHANGE = {
    "out", "cache", "epochs", "fine_tune_epochs", "self_critical", "patience", "learning_rate",
    "fine_tune_learning_rate", "encoder_learning_rate", "self_critical_learning_rate",
}  # fmt: skip


class RunFolder:
    """Everything a run leaves on disk. Files are replaced whole, never half written.

    A process may be killed, or the disk be full, at any moment: the state is written last, so what
    comes after it is done once more, in the same way.

    Attributes:
        last, best: str. Paths of the captioners after the last and after the best epoch.
    """

    def __init__(self, path):
        self.path = path
        self.last = os.path.join(path, "last.keras")
        self.best = os.path.join(path, "best.keras")
        self._config = os.path.join(path, "config.json")
        self._state = os.path.join(path, "state.npz")
        self._history = os.path.join(path, "history.csv")
        self._curves = os.path.join(path, "curves.png")
        self._lock = None

    @classmethod
    def open(cls, config, resume, is_chief=True):
        """The folder for a new run, or that of the run to go on with. Nothing is written yet.

        Without `config.out` it is `InMemory`; for who is not the chief, `FollowedFolder`.

        Raises:
            CaptionerError: A run is there already and `resume` is False; or something else is.
        """
        if not config.out:
            require(not resume, "no run folder given to go on with; name it as out")
            return InMemory()
        if not is_chief:
            return FollowedFolder(config.out)
        folder = cls(config.out)
        if os.path.exists(config.out) and not os.path.isdir(config.out):
            raise CaptionerError(f"{config.out}: is a file; give the run another --out")
        exists = os.path.exists(folder._config)
        if exists and not resume:
            raise CaptionerError(
                f"{config.out}: holds a run already; go on with it by --resume, or give another "
                "--out"
            )
        if not exists and folder._holds_something():
            raise CaptionerError(f"{config.out}: folder is not empty; give another --out")
        return folder

    def begin(self, config):
        """Makes the folder, and keeps other processes out of it.

        Raises:
            CaptionerError: A run is there that has other settings, or another process is at it.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            self._lock = FileLock(os.path.join(self.path, LOCK))
            self._lock.acquire(timeout=0)  # the system releases it if the process is killed
        except Timeout as error:
            raise CaptionerError(
                f"{self.path}: another process is training in it; give another --out, or stop that "
                "one"
            ) from error
        except OSError as error:
            line = cannot_be("written", self.path, error)
            raise CaptionerError(f"{line}; give another --out") from error
        try:
            if os.path.exists(self._config):
                self._compare(config)
            self._sweep()
        except BaseException:
            self.end()
            raise

    def keep_settings(self, config):
        """Writes config.json: from now on there is a run."""
        self._replace(self._config, config.to_json().encode())

    def end(self):
        """Lets other processes into the folder."""
        if self._lock:
            self._lock.release()

    def left_out(self):
        """A line for each report that will be missing, for what writes it is not installed."""
        return [f"no {what}, for {name} is not installed"
                for name, what in REPORTS.items() if not _is_installed(name)]  # fmt: skip

    def _holds_something(self):
        """Whether there are files that no run that was killed at its very start has left."""
        if not os.path.isdir(self.path):
            return False
        left = (LOCK, "config.json" + FORMER_FILE)
        return any(
            name not in left and not name.startswith(UNFINISHED) for name in os.listdir(self.path)
        )

    def _sweep(self):
        """Deletes what a killed process had not finished writing."""
        sweep(self.path)
        for name in os.listdir(self.path):
            path = os.path.join(self.path, name)
            if name.endswith(FORMER_FILE):
                os.remove(path)
            elif name.startswith(FORMER_FOLDER):
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _writing(self, path):
        """Tells in one line what cannot be written, which leaves the older file as it was."""
        try:
            yield
        except CaptionerError:
            raise
        except OSError as error:
            # HDF5's own words for a full disk take many lines.
            reason = os.strerror(error.errno) if error.errno else error
            line = cannot_be("written", path, reason)
            raise CaptionerError(
                f"{line}; the last finished epoch is kept; continue it with --resume"
            ) from error

    def _replace(self, path, content):
        with self._writing(path):
            replace_bytes(path, content)

    def best_of(self, stage):
        """The path of the captioner after the best epoch of one stage."""
        return os.path.join(self.path, f"best-{stage}.keras")

    def keep(self, captioner):
        """Writes the captioner after the last epoch."""
        with self._writing(self.last):
            captioner.save(self.last)

    def keep_last_as(self, path):
        """Copies the captioner after the last epoch, which is quicker than to save it twice."""
        with self._writing(path), replacing(path) as unfinished:
            shutil.copyfile(self.last, unfinished)

    def take_weights(self, captioner, path):
        """Gives the captioner the weights of one that was kept; returns its `about`."""
        saved = load(path)
        captioner.encoder.set_weights(saved.encoder.get_weights())
        captioner.decoder.set_weights(saved.decoder.get_weights())
        return saved.about

    def best_captioner(self, captioner):
        """The captioner after the best epoch."""
        return load(self.best)

    def _compare(self, config):
        old = TrainConfig(**read_run_settings(self._config))
        kept = [name for name in vars(old) if name not in FREE_TO_CHANGE]
        was, now = ({name: getattr(each, name) for name in kept} for each in (old, config))
        changed = differences(was, now)
        if changed:
            raise CaptionerError(
                f"{self.path}: cannot resume with other settings: {'; '.join(changed)}"
            )

    def save_state(self, arrays, facts):
        """Keeps what resuming needs: a dict of arrays, and a dict of plain values."""
        with (
            self._writing(self._state),
            replacing(self._state) as unfinished,
            open(unfinished, "wb") as file,
        ):
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)

    def load_state(self):
        """(arrays, facts) of `save_state`, or None where no epoch was finished.

        Raises:
            CaptionerError: The file is damaged.
        """
        if not os.path.exists(self._state):
            return None
        try:
            with np.load(self._state) as stored:  # zip files have checksums
                arrays = {name: stored[name] for name in stored.files}
            facts = json.loads(str(arrays.pop("facts")))
        except Exception as error:  # zipfile, zlib, json and NumPy each have their own
            raise CaptionerError(
                f"{self._state}: damaged ({error}); the run cannot go on, but its best.keras can "
                "be used, and gone on from with --init-from"
            ) from error
        return arrays, facts

    def save_history(self, rows):
        """Writes history.csv, a line an epoch, and the learning curves as a picture.

        How long an epoch took is not in it, so that the same run gives the same file.
        """
        names = [name for name in rows[0] if name not in TIMES]
        table = io.StringIO(newline="")
        csv.writer(table).writerows([names, *([row[name] for name in names] for row in rows)])
        self._replace(self._history, table.getvalue().encode())
        if _is_installed("matplotlib"):
            with self._writing(self._curves):
                _save_curves(rows, self._curves)

    def log_scalars(self, row):
        """Appends an epoch's numbers to the TensorBoard events of the run."""
        if not _is_installed("tensorboard"):
            return
        from tensorboard.summary import Writer

        folder = os.path.join(self.path, "tensorboard")
        with self._writing(folder):
            writer = Writer(folder)
            for name, value in row.items():
                if isinstance(value, float):
                    writer.add_scalar(name, value, row["epoch"])
            writer.close()


class FollowedFolder(RunFolder):
    """The folder as workers beside the chief see it: the chief writes, they read.

    So it has to be on a disk that all of them share.
    """

    def begin(self, config):
        pass

    def keep_settings(self, config):
        pass

    def keep(self, captioner):
        pass

    def keep_last_as(self, path):
        pass

    def save_state(self, arrays, facts):
        pass

    def save_history(self, rows):
        pass

    def log_scalars(self, row):
        pass


class InMemory:
    """What a run without a folder keeps, in memory: the last and the best captioners."""

    last, best = "last", "best"

    def __init__(self):
        self._kept = {}
        self._workshop = None

    @property
    def path(self):
        """A folder, gone with the run, for features of a CNN that learns: they are large."""
        self._workshop = self._workshop or tempfile.TemporaryDirectory(prefix="captioner-")
        return self._workshop.name

    def best_of(self, stage):
        return f"best-{stage}"

    def begin(self, config):
        pass

    def keep_settings(self, config):
        pass

    def left_out(self):
        return []

    def end(self):
        pass

    def keep(self, captioner):
        self._kept[self.last] = (
            captioner.encoder.get_weights(),
            captioner.decoder.get_weights(),
            dict(captioner.generation),
            captioner.about,
        )

    def keep_last_as(self, name):
        self._kept[name] = self._kept[self.last]

    def take_weights(self, captioner, name):
        encoder, decoder, _, about = self._kept[name]
        captioner.encoder.set_weights(encoder)
        captioner.decoder.set_weights(decoder)
        return about

    def best_captioner(self, captioner):
        self.take_weights(captioner, self.best)
        *_, generation, captioner.about = self._kept[self.best]
        captioner.generation.update(generation)
        return captioner

    def save_state(self, arrays, facts):
        pass

    def load_state(self):
        return None

    def save_history(self, rows):
        pass

    def log_scalars(self, row):
        pass


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


def _save_curves(rows, path):
    # matplotlib takes half a second to import, and only training needs it here.
    from captioner.output.reports import learning_curves

    with replacing(path) as unfinished:
        learning_curves(rows).savefig(unfinished, dpi=110, format="png")
