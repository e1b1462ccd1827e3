"""What a run has done so far, what is kept of it, and how a stopped run continues.

After every epoch the captioner is written, then the state: weights, the optimizer's memory and the
history. A resumed run starts from them, with the data, the settings and the CNN that it began with,
and ends as if it had not been stopped.
"""

import os

from keras import ops

from captioner.captioner import Captioner, load_keras
from captioner.errors import counted, flag, require
from captioner.training.about import about, without_folders
from captioner.training.choosing import counts_cider, goodness, is_best
from captioner.training.config import as_list
from captioner.training.set_scores import pictures_of_largest, score_names, tokenization_of
from captioner.training.sources import fingerprints
from captioner.training.stages import STAGES


class Record:
    """The books of a run: its epochs so far, and what its folder keeps of them.

    Args:
        config: TrainConfig.
        folder: RunFolder or InMemory.
        devices: OneDevice or Replicas.
        stages: list of Stage classes, those of the run.
        training, validation: CaptionDataset.

    Attributes:
        history: list of dict, one for each epoch.
        best: dict or None. The history's line of the epoch that is kept as the best of the run.

    Raises:
        CaptionerError: The run to resume began with different data, on another number of replicas,
            or is in a stage that the settings leave out.
    """

    def __init__(self, config, folder, devices, stages, training, validation):
        self._config, self._folder, self._replicas = config, folder, devices.replicas
        self._stages, self._validation = stages, validation
        self._pictures = pictures_of_largest(validation)
        self._fingerprints = fingerprints(config, training, validation)
        self.history, self.best = [], None
        self._stopped_in = None  # the stage in which a resumed run was stopped
        stored = folder.load_state()
        if stored:
            self._arrays, facts = stored
            self._require_same_data(facts.get("data", {}))
            self._require_as_many_replicas(facts.get("replicas", 1))
            self._stopped_in = facts["stage"]
            self.history = facts["history"]
            self.best = self.history[_best_epoch(facts) - 1]
            self.stages_to_come()  # an error if the settings leave out the stage it stopped in

    def start_from(self, captioner, devices):
        """The captioner to train, given the one that the settings make.

        A resumed run takes over the CNN that it began with, though the file that the CNN came from
        may have changed since.

        Raises:
            CaptionerError: The captioner of `init_from` has different words or sizes now.
        """
        self._started_from = captioner.about  # empty unless another captioner is trained further
        if self._stopped_in is None:
            return captioner
        # A killed run may have written the last one in a stage that its state knows nothing of.
        path = self._folder.best_of(self._stopped_in)
        path = path if os.path.exists(path) else self._folder.last
        with devices.scope():
            then = load_keras(path)
        require(
            captioner.vocabulary == then.vocabulary
            and [each.shape for each in captioner.decoder.weights]
            == [each.shape for each in then.decoder.weights],
            f"{self._config.init_from or path}: has different words or sizes than when the run in "
            f"{self._folder.path} began; put it back as it was, or {self._new_run()}",
        )
        encoder = then.encoder
        if self._cnn_has_learned():  # no stage needs what it was before; `begin` takes its weights
            encoder = captioner.encoder.at_size(then.picture_size)
        words, search = captioner.vocabulary, captioner.generation
        return Captioner(encoder, captioner.decoder, words, search, captioner.about)

    def stages_to_come(self):
        """The stages that are not over, the one that a resumed run was stopped in first.

        Raises:
            CaptionerError: The settings leave out the stage that it was stopped in.
        """
        if self._stopped_in is None:
            return self._stages
        names = [stage.name for stage in self._stages]
        require(
            self._stopped_in in names,
            f"{self._folder.path}: the run is in its stage of {self._stopped_in}, which these "
            "settings leave out; resume with the epochs it had",
        )
        return self._stages[names.index(self._stopped_in) :]

    def begin(self, stage):
        """Prepares a stage, from the best epoch of the stages before, or from where it stopped."""
        folder, is_resumed = self._folder, stage.name == self._stopped_in
        if is_resumed:
            stage.log(f"continuing after epoch {len(self.history)} of {folder.path}")
            folder.take_weights(stage.captioner, folder.last)  # `prepare` may look at the CNN
        elif self.history:
            best = folder.take_weights(stage.captioner, folder.best)
            stage.log(f"{stage.name}: from the weights of epoch {best['epoch']}")
        stage.prepare(folder.features if self._cnn_has_learned() else None)
        if is_resumed:
            for name, variable in _variables(stage):
                variable.assign(self._arrays[name])

    def scores(self, stage):
        """How good the epochs of a stage so far are, see `choosing.goodness`."""
        return [self._goodness(row) for row in self.history if row["stage"] == stage.name]

    def add(self, row, stage):
        """Notes an epoch, given its row of the history, and keeps the captioner.

        The captioner is kept as the last one, and as the best of the stage and of the run where it
        is. Its `about` then tells of its training.
        """
        captioner = stage.captioner
        scores = {name: row[name] for name in score_names(self._validation)}
        captioner.about = about(
            self._config,
            row["epoch"],
            scores,
            self._started_from,
            validation_loss=row["val_loss"],
            validation_pictures=self._pictures,
            tokenization=tokenization_of(self._validation),
        )
        kept_as = []
        if is_best(self._goodness(row), self.scores(stage)):
            kept_as.append(self._folder.best_of(stage.name))
        self.history.append(row)
        if self.best is None or self._rank(row) > self._rank(self.best):
            self.best = row
            kept_as.append(self._folder.best)
        self._folder.keep(captioner, *kept_as)

    def save(self, stage):
        """Writes all that resuming needs: a resumed run repeats what came after it."""
        facts = {
            "stage": stage.name,
            "history": self.history,
            "best_epoch": self.best["epoch"],
            "data": self._fingerprints,
            "replicas": self._replicas,
        }
        arrays = {name: ops.convert_to_numpy(value) for name, value in _variables(stage)}
        self._folder.keep_state(self.history, arrays, facts)

    def best_line(self):
        """Which epoch is kept as the best, as a line for people."""
        row = self.best
        loss, cider = f"validation loss {row['val_loss']:.3f}", f"CIDEr {row['CIDEr']:.4f}"
        if counts_cider(self._pictures):
            return f"best {cider}, of epoch {row['epoch']} with {loss}"
        few = f"too few pictures to choose by CIDEr: {self._pictures}"
        return f"best {loss}, of epoch {row['epoch']} with {cider} ({few})"

    def shared_by_workers(self):
        """What all workers of a run have in common, by what it is in words."""
        settings = without_folders(self._config)
        return {
            "settings": {flag(name): value for name, value in settings.items()},
            "data": self._fingerprints,
            "finished epochs (--out has to be on a disk that all workers share)": len(self.history),
        }

    def _goodness(self, row):
        return goodness(row, self._pictures)

    def _rank(self, row):
        """How good an epoch is among all of the run: any with pictures before any without."""
        return _saw_pictures(row), self._goodness(row)

    def _require_same_data(self, before):
        for split, now in self._fingerprints.items():
            was = before.get(split, now)
            paths = self._config.text if split == "text" else self._config.data
            if split.endswith("val"):
                paths = self._config.val_data or paths
            had, has = _size_of(was), _size_of(now)
            different = " (different ones)" if had == has else ""
            require(
                was == now,
                f"{', '.join(as_list(paths))}: has changed since the run in {self._folder.path} "
                f"began: {split} had {had}, has {has}{different}; put it back as it was, or "
                f"{self._new_run()}",
            )

    def _require_as_many_replicas(self, before):
        """Raises CaptionerError if batches would have another size than so far in the run."""
        require(
            self._replicas == before,
            f"{self._folder.path}: the run began with {before} replicas, and there are "
            f"{self._replicas} now; start as many, or {self._new_run()}",
        )

    def _cnn_has_learned(self):
        """Whether the CNN is no longer the one that the run began with."""
        learning = [stage.name for stage in STAGES if stage.changes_cnn]
        return any(row["stage"] in learning for row in self.history)

    def _new_run(self):
        return f"begin a new run, with --init-from {self._folder.best}"


def _saw_pictures(row):
    return any(stage.name == row["stage"] and stage.sees_pictures for stage in STAGES)


def _best_epoch(facts):
    """The number of the epoch that is kept as the best, given the facts of a state."""
    if "best_epoch" in facts:
        return facts["best_epoch"]
    # In earlier runs the loss decided between epochs of the text stage only.
    seen = [row for row in facts["history"] if _saw_pictures(row)]
    best = max(seen, key=lambda row: row["CIDEr"], default=None)
    return (best or min(facts["history"], key=lambda row: row["val_loss"]))["epoch"]


def _variables(stage):
    """(name, variable) of each variable of a stage's model and of its optimizer."""
    for kind, owner in (("model", stage.model), ("optimizer", stage.optimizer)):
        for number, variable in enumerate(owner.variables):
            yield f"{kind}_{number}", variable


def _size_of(fingerprint):
    """How large the data of a fingerprint are, in words."""
    captions = counted(fingerprint["captions"], "caption")
    pictures = fingerprint["pictures"]
    return f"{counted(pictures, 'picture')} with {captions}" if pictures else captions
