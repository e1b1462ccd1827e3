"""The folder of a training run: settings, history, curves, checkpoints."""

import contextlib
import json
import os
import shutil

import numpy as np
from filelock import FileLock, Timeout

from captioner.captioner import load_keras
from captioner.errors import CaptionerError, cannot_be, differences, require
from captioner.files import UNFINISHED, replace_bytes, replacing, sweep
from captioner.training import history_files
from captioner.training.config import TrainConfig, read_run_settings
from captioner.training.in_memory import InMemory, nothing

LOCK = "lock"
# What earlier versions wrote: the ending of unfinished files, and the names of folders for them.
FORMER_FILE, FORMER_FOLDER = ".new", ".saving-"

# What resuming may change: none of it alters the course of the run so far.
FREE_TO_CHANGE = {
    "out", "cache", "epochs", "fine_tune_epochs", "self_critical", "patience", "learning_rate",
    "fine_tune_learning_rate", "encoder_learning_rate", "self_critical_learning_rate",
    "precision",
}  # fmt: skip


def open_folder(config, resume, is_chief=True):
    """The folder for a new run, or that of the run to continue. Nothing is written yet.

    Args:
        config: TrainConfig.
        resume: bool. Whether to continue the run that is there.
        is_chief: bool. Whether this process writes the folder. Defaults to `True`.

    Returns:
        RunFolder; FollowedFolder for a worker beside the chief; InMemory without `config.out`.

    Raises:
        CaptionerError: A run is there already and `resume` is False; or something else is.
    """
    if not config.out:
        require(not resume, "no run folder to resume; give its name as out")
        return InMemory()
    if not is_chief:
        return FollowedFolder(config.out)
    folder = RunFolder(config.out)
    require(
        os.path.isdir(config.out) or not os.path.exists(config.out),
        f"{config.out}: is a file; give the run another --out",
    )
    require(
        resume or not folder.holds_run(),
        f"{config.out}: holds a run already; continue with --resume, or give another --out",
    )
    require(
        folder.holds_run() or not folder._holds_something(),
        f"{config.out}: folder is not empty; give another --out",
    )
    return folder


class RunFolder:
    """Everything a run leaves on disk. Files are replaced whole, never half written.

    A process may be killed, or the disk be full, at any moment. The state is written last, so a
    resumed run repeats whatever came after it, in the same way.

    Attributes:
        last, best: str. Paths of the captioners after the last and after the best epoch.
        features: str. Folder for the features of a CNN that has learned in this run.
    """

    def __init__(self, path):
        self.path = path
        self.last = os.path.join(path, "last.keras")
        self.best = os.path.join(path, "best.keras")
        self.features = os.path.join(path, "features")
        self._config = os.path.join(path, "config.json")
        self._state = os.path.join(path, "state.npz")
        self._lock = None

    def holds_run(self):
        """Whether a run has begun in it."""
        return os.path.exists(self._config)

    def begin(self, config):
        """Makes the folder, and keeps other processes out of it.

        Raises:
            CaptionerError: A run with other settings is there, or another process uses the folder.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            self._lock = FileLock(os.path.join(self.path, LOCK))
            self._lock.acquire(timeout=0)  # the system releases it if the process is killed
        except Timeout as error:
            raise CaptionerError(
                f"{self.path}: another process is training in it; give another --out, or stop that "
                "process"
            ) from error
        except OSError as error:
            line = cannot_be("written", self.path, error)
            raise CaptionerError(f"{line}; give another --out") from error
        try:
            if self.holds_run():
                self._require_same_settings(config)
            self._sweep()
        except BaseException:
            self.end()
            raise

    def keep_settings(self, config):
        """Writes config.json: from now on there is a run."""
        with self._writing(self._config):
            replace_bytes(self._config, config.to_json().encode())

    def end(self):
        """Lets other processes into the folder."""
        if self._lock:
            self._lock.release()

    def _holds_something(self):
        """Whether it holds more than a run leaves behind that was killed at its very start."""
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

    def _require_same_settings(self, config):
        before = TrainConfig(**read_run_settings(self._config))
        kept = [name for name in vars(before) if name not in FREE_TO_CHANGE]
        was, now = ({name: getattr(each, name) for name in kept} for each in (before, config))
        changed = differences(was, now)
        require(
            not changed, f"{self.path}: cannot resume with other settings: {'; '.join(changed)}"
        )

    @contextlib.contextmanager
    def _writing(self, path):
        """Reports in one line what cannot be written, which leaves the older file as it was."""
        try:
            yield
        except CaptionerError:
            raise
        except OSError as error:
            # HDF5's own words for a full disk take many lines.
            reason = os.strerror(error.errno) if error.errno else error
            line = cannot_be("written", path, reason)
            raise CaptionerError(
                f"{line}; the last finished epoch is kept; continue with --resume"
            ) from error

    def best_of(self, stage):
        """The path of the captioner after the best epoch of one stage."""
        return os.path.join(self.path, f"best-{stage}.keras")

    def keep(self, captioner, *best):
        """Writes the captioner after the last epoch.

        Args:
            captioner: Captioner.
            best: str. Paths that get it too, since it is the best so far; a copy is quicker than
                to save it again.
        """
        with self._writing(self.last):
            captioner.save(self.last)
        for path in best:
            with self._writing(path), replacing(path) as unfinished:
                shutil.copyfile(self.last, unfinished)

    def take_weights(self, captioner, path):
        """Gives the captioner the weights of one that was kept; returns its `about`."""
        saved = load_keras(path)
        captioner.encoder.set_weights(saved.encoder.get_weights())
        captioner.decoder.set_weights(saved.decoder.get_weights())
        return saved.about

    def best_captioner(self, captioner):
        """The captioner after the best epoch."""
        return load_keras(self.best)

    def keep_state(self, history, arrays, facts):
        """Writes what is known after an epoch: history, curves, events, and the state, last.

        Args:
            history: list of dict, one for each epoch so far.
            arrays: dict of arrays, and
            facts: dict of plain values: what resuming needs, as `load_state` returns it.
        """
        for name, write in history_files.writers().items():
            path = os.path.join(self.path, name)
            with self._writing(path):
                write(history, path)
        with (
            self._writing(self._state),
            replacing(self._state) as unfinished,
            open(unfinished, "wb") as file,
        ):
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)

    def load_state(self):
        """(arrays, facts) of `keep_state`, or None where no epoch was finished.

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
                f"{self._state}: damaged ({error}); the run cannot be resumed, but its best.keras "
                "can be used, and trained further with --init-from"
            ) from error
        return arrays, facts


class FollowedFolder(RunFolder):
    """The folder as workers beside the chief see it: the chief writes, they read.

    So it has to be on a disk that all of them share.
    """

    begin = keep_settings = keep = keep_state = nothing
