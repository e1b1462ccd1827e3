"""The folder of a training run: settings, history, curves, checkpoints."""

import csv
import io
import json
import os
import shutil
import tempfile

import numpy as np

from captioner.captioner import load
from captioner.config import TrainConfig
from captioner.errors import CaptionerError, require

# What resuming may change: none of it alters the course of the run so far.
FREE_TO_CHANGE = {
    "out", "cache", "epochs", "fine_tune_epochs", "self_critical", "patience", "learning_rate",
    "fine_tune_learning_rate", "encoder_learning_rate", "self_critical_learning_rate",
}  # fmt: skip


class RunFolder:
    """Everything a run leaves on disk. Files are replaced whole, never half written.

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

    @classmethod
    def open(cls, config, resume):
        """The folder for a new run, or that of the run to go on with. Nothing is written yet.

        Without `config.out` it is `InMemory`.

        Raises:
            CaptionerError: A run is there already and `resume` is False; or something else is.
        """
        if not config.out:
            require(not resume, "no run folder given to go on with; name it as out")
            return InMemory()
        folder = cls(config.out)
        if os.path.exists(config.out) and not os.path.isdir(config.out):
            raise CaptionerError(f"{config.out}: is a file; give the run another --out")
        exists = os.path.exists(folder._config)
        if exists and not resume:
            raise CaptionerError(
                f"{config.out}: holds a run already; go on with it by --resume, or give another "
                "--out"
            )
        if not exists and os.path.isdir(config.out) and os.listdir(config.out):
            raise CaptionerError(f"{config.out}: folder is not empty; give another --out")
        return folder

    def begin(self, config):
        """Makes the folder, with the settings in it.

        Raises:
            CaptionerError: A run is there that has other settings.
        """
        if os.path.exists(self._config):
            self._compare(config)
        os.makedirs(self.path, exist_ok=True)
        replace_file(self._config, config.to_json().encode())

    def best_of(self, stage):
        """The path of the captioner after the best epoch of one stage."""
        return os.path.join(self.path, f"best-{stage}.keras")

    def keep(self, captioner):
        """Writes the captioner after the last epoch."""
        captioner.save(self.last)

    def keep_last_as(self, path):
        """Copies the captioner after the last epoch, which is quicker than to save it twice."""
        shutil.copyfile(self.last, path + ".new")
        os.replace(path + ".new", path)

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
        old = TrainConfig.from_file(self._config)
        changed = [
            f"{name} was {value!r}, is {getattr(config, name)!r}"
            for name, value in vars(old).items()
            if value != getattr(config, name) and name not in FREE_TO_CHANGE
        ]
        if changed:
            raise CaptionerError(
                f"{self.path}: cannot resume with other settings: {'; '.join(changed)}"
            )

    def save_state(self, arrays, facts):
        """Keeps what resuming needs: a dict of arrays, and a dict of plain values."""
        path = self._state + ".new"
        with open(path, "wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), **arrays)
        os.replace(path, self._state)

    def load_state(self):
        """(arrays, facts) of `save_state`, or None where no epoch was finished."""
        if not os.path.exists(self._state):
            return None
        with np.load(self._state) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "facts"}
            return arrays, json.loads(str(stored["facts"]))

    def save_history(self, rows):
        """Writes history.csv, a line an epoch, and the learning curves as a picture."""
        lines = [list(rows[0])] + [list(row.values()) for row in rows]
        table = io.StringIO(newline="")
        csv.writer(table).writerows(lines)
        replace_file(self._history, table.getvalue().encode())
        _save_curves(rows, self._curves)

    def log_scalars(self, row):
        """Appends an epoch's numbers to the TensorBoard events of the run."""
        from tensorboard.summary import Writer

        writer = Writer(os.path.join(self.path, "tensorboard"))
        for name, value in row.items():
            if isinstance(value, float):
                writer.add_scalar(name, value, row["epoch"])
        writer.close()


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


def replace_file(path, content):
    """Writes bytes to a file, or leaves the old one whole."""
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.replace(path + ".new", path)


def _save_curves(rows, path):
    # matplotlib takes half a second to import, and only training needs it here.
    from captioner.reports import learning_curves

    learning_curves(rows).savefig(path + ".new.png", dpi=110)
    os.replace(path + ".new.png", path)
