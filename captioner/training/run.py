"""Training: from a data set and settings to a trained captioner.

A run has up to four stages, see `captioner.training.stages`. With `text` the decoder first learns
from captions without pictures. In the next, the main one, the CNN stays as it is, so its features
are computed once and the decoder learns from them, and from captions without pictures too, see
`captioner.training.imagined`. In the third, with `fine_tune_from`, CNN and decoder learn together
from pixels. In the last, with `self_critical`, the decoder learns from the scores of its own
captions. After every epoch the validation pictures are captioned, and the model with the best CIDEr
is kept. On several devices or machines (`distribute`) the same is done by workers that share every
batch, see `captioner.training.distribution`.
"""

import dataclasses
import functools
import hashlib
import math
import os
import time

import keras
import numpy as np
from keras import ops

from captioner.captioner import Captioner, load
from captioner.errors import CaptionerError, require
from captioner.presets import current_name
from captioner.training.augmentation import View, may_mirror
from captioner.training.balance import Balance
from captioner.training.batches import EncodedCaptions, batches_of, bucket_length
from captioner.training.config import as_list, flag
from captioner.training.distribution import devices_for
from captioner.training.features import Rows, cached_features
from captioner.training.imagined import ImaginedBatches, ImaginedPictures
from captioner.training.run_folder import RunFolder
from captioner.training.sources import load_sources, shares
from captioner.training.stages import (
    FeatureStage,
    PixelStage,
    RewardStage,
    TextStage,
    filled,
    read_lines,
)
from captioner.training.starting_point import new_captioner
from captioner.training.validation import score_names, scores_line, set_scores
from captioner.vocabulary import END, tokenize

CAPTIONS_PER_PICTURE = 5  # of each picture, in a step that takes pictures with their captions
LONGEST_SHARE = (
    99  # percent of the training captions are no longer than what is written in training
)
REPEAT_RULES = (0, 2)  # values of no_repeat_ngram to choose from


def train(
    config, resume=False, log=print, progress=True, after_epoch=None, data=None, encoder=None
):
    """Trains a captioner.

    Args:
        config: TrainConfig. Without an `out` the run leaves no files (but cached features of
            pictures), and cannot be resumed.
        resume: bool. Whether to go on with the run in `config.out`. Defaults to `False`.
        log: callable. Takes each line of the run's report. Defaults to `print`.
        progress: bool. Whether to show progress bars. Defaults to `True`.
        after_epoch: callable or None. Called with the epoch's line of history.csv, a dict, when all
            is saved; what it raises ends the run. Defaults to `None`.
        data: (CaptionDataset, CaptionDataset) or None. Training and validation pictures instead of
            those of `config.data`. Defaults to `None`.
        encoder: Encoder or None. The CNN, instead of a new one: many runs on one CNN that stays as
            it is load it once. Not for `init_from` and `fine_tune_from`. Defaults to `None`.

    Returns:
        Captioner, the best of the run, also in `config.out`/best.keras.

    Raises:
        CaptionerError: Settings or data that cannot be used; a loss that is no number.

    Example:
    >>> config = captioner.TrainConfig(data="data/shapes", out="runs/shapes")
    >>> model = captioner.train(config)
    """
    config.init_from = current_name(config.init_from)
    devices = devices_for(config.distribute)
    if not devices.is_chief:
        log, progress = _say_nothing, False
    with devices.together():
        training, validation = data or load_sources(config)
        for line in [*training.warnings, *validation.warnings]:
            log(f"note: {line}")
        validation = _first_of_each_set(validation, config.validation_pictures)
        folder = RunFolder.open(config, resume, devices.is_chief)
    if encoder:
        require(
            not config.init_from and config.fine_tune_from == "none",
            "encoder: given for runs that leave it as it is, without init_from and fine_tune_from",
        )
        config = dataclasses.replace(config, encoder=encoder.backbone, picture_size=encoder.size)
    keras.utils.set_random_seed(config.seed)
    with devices.scope():
        captioner = new_captioner(config, training, encoder)
    try:
        with devices.together():
            _require_usable(config, captioner)
            folder.begin(config)
            run = _Run(
                config, folder, devices, captioner, training, validation, log, progress, after_epoch
            )
            run.look_back()
            folder.keep_settings(config)  # only now: a wrong setting must not leave a run behind
        run.require_same_everywhere()
        with devices.together():
            run.prepare()
        run.report_sizes()
        run.go()
        return folder.best_captioner(captioner)
    finally:
        folder.end()


def _first_of_each_set(dataset, most):
    """Of each of the data sets in one, at most that many pictures."""
    return dataset.subset(sorted(n for rows in dataset.by_set().values() for n in rows[:most]))


def _say_nothing(line):
    """The log of a worker beside the chief."""


def _require_usable(config, captioner):
    """Raises CaptionerError for a setting that only a later stage would stumble over."""
    tuned = config.fine_tune_from != "none"
    if tuned:
        captioner.encoder.require_layer(config.fine_tune_from)
    for path in as_list(config.text) if config.text else ():
        require(
            any(word in captioner.vocabulary for line in read_lines(path)
                for word in tokenize(line)),
            f"{path}: none of its words are in the vocabulary, which the captions of --data give; "
            "give captions in the same language",
        )  # fmt: skip
    epochs = (config.text and config.text_epochs, config.epochs, tuned and config.fine_tune_epochs,
              config.self_critical)  # fmt: skip
    if not any(epochs):
        raise CaptionerError("0 epochs: nothing to train; give --epochs 1 or more")


class _Run:
    """One training run: its data, its stages, its books."""

    def __init__(
        self, config, folder, devices, captioner, training, validation, log, progress, after_epoch
    ):
        self.config = config
        self.folder = folder
        self.devices = devices
        self.captioner = captioner
        self.log = log
        self.progress = progress
        self.after_epoch = after_epoch
        self.training, self.validation = training, validation
        self.history = []
        self.best_score = -1.0

    def look_back(self):
        """Finds what a resumed run has done so far, and whether it can continue.

        Raises:
            CaptionerError: Its data have changed, or these settings leave out the stage it is in.
        """
        self.fingerprints = {
            f"{name} {split}".strip(): dataset.subset(rows).fingerprint()
            for split, dataset in (("train", self.training), ("val", self.validation))
            for name, rows in dataset.by_set().items()
        }
        if self.config.text:
            self.fingerprints["text"] = _fingerprint_of_text(self.config.text)
        self.stored = self.folder.load_state()
        self.stages = self._stages()
        if self.stored:
            facts = self.stored[1]
            self._require_same_data(facts.get("data", {}))
            self._require_as_many_replicas(facts.get("replicas", 1))
            self._take_up_cnn(facts)
            self._stage_to_go_on_with(facts["stage"])
            self.history, self.best_score = facts["history"], facts["best_score"]

    def _take_up_cnn(self, facts):
        """Takes over the CNN that the run began with, though a file it came from has changed since.

        Raises:
            CaptionerError: The captioner of `init_from` has other words or sizes than then.
        """
        # A killed run may have written the last one in a stage that its state knows nothing of.
        path = self.folder.best_of(facts["stage"])
        path = path if os.path.exists(path) else self.folder.last
        with self.devices.scope():
            then = load(path)
        mine = self.captioner
        require(
            mine.vocabulary == then.vocabulary
            and [each.shape for each in mine.decoder.weights]
            == [each.shape for each in then.decoder.weights],
            f"{self.config.init_from or path}: has other words or sizes than when the "
            f"run in {self.folder.path} began; put it back as it was, or begin a new run, with "
            f"--init-from {self.folder.best}",
        )
        # Where it has learned in this run, what it was before serves no stage to come.
        has_learned = any(row["stage"] == PixelStage.name for row in facts["history"])
        encoder = mine.encoder.at_size(then.picture_size) if has_learned else then.encoder
        self.captioner = Captioner(
            encoder, mine.decoder, mine.vocabulary, mine.generation, mine.about
        )

    def require_same_everywhere(self):
        """Raises CaptionerError if the workers are not at the same run with the same data."""
        mine = {
            "settings": _without_folders(self.config),
            "data": self.fingerprints,
            "finished epochs (--out has to be on a disk that all workers share)": len(self.history),
        }
        for worker, theirs in enumerate(self.devices.gather(mine)):
            for what, value in theirs.items():
                different = value if what != "settings" else [
                    flag(name) for name in value if value[name] != mine[what][name]
                ]  # fmt: skip
                require(
                    value == mine[what],
                    f"worker {worker} has other {what} than worker {self.devices.index}: "
                    f"{different}",
                )

    def prepare(self):
        """Encodes pictures and captions."""
        config, captioner = self.config, self.captioner
        training, validation = self.training, self.validation
        self.train_features, self.training = self._encode(training)
        self.mirrored = [may_mirror(captions) for captions in self.training.captions]
        self.val_features, self.validation = self._encode(validation)
        self.balance = Balance(self.training.sets, shares(config), config.seed)
        vocabulary, most = captioner.vocabulary, config.max_length
        self.train_captions = EncodedCaptions(self.training.captions, vocabulary, most)
        self.val_captions = EncodedCaptions(self.validation.captions, vocabulary, most)
        self.longest = self._longest()
        search = captioner.generation
        self.repeat_rules = dict.fromkeys([*REPEAT_RULES, search["no_repeat_ngram"]])
        search["max_length"] = max(search["max_length"], self.longest)
        self.captions_a_picture = min(
            CAPTIONS_PER_PICTURE, max(len(captions) for captions in self.training.captions)
        )
        # One vector a picture costs nothing to repeat; regions are prepared once for all captions.
        attends = captioner.decoder.attention != "none"
        self.captions_each = self.captions_a_picture if attends else 1
        self.pictures_a_step = max(1, config.batch_size // self.captions_each)
        self.started_from = captioner.about  # empty unless the run goes on from a captioner

    def _longest(self):
        """Most words, the end included, of a caption that the model writes in training."""
        usual = np.percentile(self.train_captions.lengths, LONGEST_SHARE)
        return bucket_length(int(np.ceil(usual)))

    def _encode(self, dataset):
        """Features of a data set, and the data set without the pictures that cannot be read."""
        features, unreadable = cached_features(
            self.captioner, dataset.image_paths, self.config.cache or None, progress=self.progress
        )
        if not unreadable:
            return features, dataset
        for reason in unreadable.values():
            self.log(f"note: skipped {reason}")
        readable = [n for n in range(len(dataset)) if n not in unreadable]
        kept = dataset.subset(readable)
        for name in set(dataset.sets) - set(kept.sets):
            first = unreadable[dataset.sets.index(name)]
            raise CaptionerError(f"{name or 'data'}: no picture can be read; the first: {first}")
        return Rows(features, readable), kept

    @functools.cached_property
    def text_captions(self):
        """The captions without pictures, EncodedCaptions."""
        lines = [[line] for line in read_lines(self.config.text)]
        return EncodedCaptions(lines, self.captioner.vocabulary, self.config.max_length)

    @property
    def has_text_beside(self):
        """Whether captions without pictures are learned from beside those with."""
        return bool(self.config.text and self.config.text_weight)

    def imagined_batches(self, features, lengths=()):
        """Captions without pictures, each with an imagined one.

        Args:
            features: array (pictures, ...), the training pictures' of the CNN as it is now.
            lengths: as `ImaginedBatches` takes them. Defaults to `()`.
        """
        size, noise = len(self.captioner.vocabulary), self.config.imagined_noise
        imagined = ImaginedPictures(self.train_captions, features, size, noise)
        attends = self.captioner.decoder.attention != "none"
        # Equal regions are one vector; Keras warns of a softmax over a single one.
        return ImaginedBatches(self.text_captions, imagined, lengths, regions=2 * attends)

    def features(self, dataset, cache):
        """The features of pictures that can all be read, of the CNN as it is now."""
        return cached_features(self.captioner, dataset.image_paths, cache, progress=self.progress)[
            0
        ]

    def view(self, epoch, own_cache=None):
        """The training pictures' features as an epoch sees them.

        Args:
            epoch: int. Epochs take the versions of the pictures in turn.
            own_cache: str or None. Folder for the features of a CNN that has learned in this run.
        """
        number = epoch % self.config.views
        if not number and not own_cache:
            return self.train_features
        return cached_features(
            self.captioner,
            self.training.image_paths,
            own_cache or self.config.cache or None,
            progress=self.progress,
            view=self._view(number) if number else None,
        )[0]

    def _view(self, number):
        return View(number, self.mirrored, self.config.seed, self.config.smallest_crop)

    def report_sizes(self):
        captioner, config = self.captioner, self.config
        for line in self.folder.left_out():
            self.log(f"note: {line}")
        if self.devices.describe():
            self.log(self.devices.describe())
        self.log(
            f"{len(self.training)} pictures with {len(self.train_captions)} captions to learn "
            f"from, {len(self.validation)} pictures to choose by; vocabulary "
            f"{len(captioner.vocabulary)} (words seen at least {config.min_count} times)"
        )
        self._report_sets()
        if self.config.text:
            self._report_text()
        if self.train_captions.cut:
            self.log(
                f"note: {self.train_captions.cut} captions are longer than {config.max_length} "
                "words and were cut"
            )
        self.log(
            f"{config.encoder} {captioner.encoder.count_params():,} weights, decoder "
            f"({config.cell}, {config.implementation}) {captioner.decoder.count_params():,}"
        )

    def _report_text(self):
        """Logs how many captions there are without pictures, and how much of them is unknown."""
        counts = self.text_captions.word_counts()[END + 1 :]  # of words, the unknown one first
        self.log(
            f"{len(self.text_captions)} captions without pictures; "
            f"{100 * counts[0] / max(1, counts.sum()):.1f} % of their words are not in the "
            "vocabulary"
        )
        config = self.config
        beside = config.epochs or (config.self_critical and config.teacher_weight)
        if TextStage not in self.stages and not (self.has_text_beside and beside):
            self.log("note: no stage learns from --text; give --text-epochs, or --text-weight")

    def _report_sets(self):
        """Logs what each of several data sets brings."""
        training, chosen_by = self.training.by_set(), self.validation.by_set()
        weights = shares(self.config)
        for name, rows in training.items() if len(training) > 1 else ():
            captions = sum(len(self.training.captions[n]) for n in rows)
            share = weights.get(name, captions / len(self.train_captions))
            self.log(
                f"{name}: {len(rows)} pictures with {captions} captions, {100 * share:.1f} % of "
                f"what is learned from; {len(chosen_by.get(name, ()))} pictures to choose by"
            )

    def _stages(self):
        """The kinds of stages that the settings ask for, in their order."""
        stages = [TextStage] if self.config.text and self.config.text_epochs else []
        if self.config.epochs:
            stages.append(FeatureStage)
        if self.config.fine_tune_from != "none" and self.config.fine_tune_epochs:
            stages.append(PixelStage)
        if self.config.self_critical:
            stages.append(RewardStage)
        return stages

    def go(self):
        stages, stored, first = [kind(self) for kind in self.stages], self.stored, 0
        if stored:
            first = self._stage_to_go_on_with(stored[1]["stage"])
            self.log(f"going on after epoch {len(self.history)} of {self.folder.path}")
        for number, stage in enumerate(stages[first:], first):
            is_resumed = bool(stored) and number == first
            if is_resumed:
                # A stage may look at the CNN when it starts.
                self.folder.take_weights(self.captioner, self.folder.last)
            elif number:  # from the best epoch of the stages before
                about = self.folder.take_weights(self.captioner, self.folder.best)
                self.log(f"{stage.name}: from the weights of epoch {about['epoch']}")
            stage.prepare()
            if is_resumed:
                self._restore(stage, *stored)
            self._run_stage(stage)
            stage.after()
        where = f": {self.folder.best}" if self.config.out else ""
        self.log(f"best CIDEr {self.best_score:.4f}{where}")

    def _require_same_data(self, before):
        """Raises CaptionerError if pictures or captions are not those that the run began with."""
        for split, now in self.fingerprints.items():
            was = before.get(split, now)
            if was == now:
                continue
            paths = self.config.text if split == "text" else self.config.data
            numbers = [_size_of(each) for each in (was, now)]
            same = " (others)" if numbers[0] == numbers[1] else ""
            raise CaptionerError(
                f"{', '.join(as_list(paths))}: has changed since the run in "
                f"{self.folder.path} began: {split} had {numbers[0]}, has {numbers[1]}{same}; put "
                f"it back as it was, or begin a new run, with --init-from {self.folder.best}"
            )

    def _require_as_many_replicas(self, before):
        """Raises CaptionerError if batches would have another size than so far in the run."""
        now = self.devices.replicas
        require(
            now == before,
            f"{self.folder.path}: the run began with {before} replicas, and there are {now} now; "
            f"start as many, or begin a new run, with --init-from {self.folder.best}",
        )

    def _stage_to_go_on_with(self, stopped_in):
        names = [stage.name for stage in self.stages]
        if stopped_in in names:
            return names.index(stopped_in)
        raise CaptionerError(
            f"{self.folder.path}: the run is in its stage of {stopped_in}, which these settings "
            "leave out; resume with the epochs it had"
        )

    def _run_stage(self, stage):
        started = len([row for row in self.history if row["stage"] == stage.name])
        for epoch in range(started, stage.epochs):
            if self._is_stuck(stage):
                self.log(f"no better score for {self.config.patience} epochs: stage ends early")
                return
            self._run_epoch(stage, epoch)

    def scores(self, stage):
        """The validation CIDEr of the stage's epochs so far; without pictures, minus the loss."""
        name = "val_loss" if stage.name == "text" else "CIDEr"
        sign = -1 if stage.name == "text" else 1
        return [sign * row[name] for row in self.history if row["stage"] == stage.name]

    def _is_stuck(self, stage):
        scores = self.scores(stage)
        patience = self.config.patience
        return bool(patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= patience)

    def _run_epoch(self, stage, epoch):
        start = time.time()
        told = stage.run_epoch(epoch)
        trained = time.time()
        weights = stage.average_weights()
        val_features = stage.validation_features()
        row = {
            "epoch": len(self.history) + 1,
            "stage": stage.name,
            "train_loss": told.get("train_loss", ""),
            "reward": told.get("reward", ""),
            "val_loss": self._validation_loss(stage, val_features),
            **self._validation_scores(val_features),
            "learning_rate": float(ops.convert_to_numpy(stage.optimizer.learning_rate)),
            "train_seconds": round(trained - start, 3),
            "seconds": round(time.time() - start, 1),
        }
        self.history.append(row)
        [(name, value)] = told.items()
        self.log(
            f"epoch {row['epoch']} ({stage.name}): {name.removeprefix('train_')} {value:.3f}, "
            f"validation loss {row['val_loss']:.3f}, {scores_line(self.validation, row)}, "
            f"{row['seconds']:.0f} s"
        )
        with self.devices.together():  # others may read only what the chief has written
            self._save_models(stage, row)
            stage.put_back(weights)
            self._save_books(stage, row)
        if self.after_epoch:
            self.after_epoch(row)

    def _validation_loss(self, stage, features):
        total = words = 0
        batches = batches_of(self.val_captions, self.pictures_a_step, self.captions_each)
        for batch in batches[self.devices.index :: self.devices.workers]:
            inputs, targets = self.val_captions.matrix(batch.captions, batch.rows, batch.length)
            image = {}
            if features is not None:
                image = {"image": filled(features[batch.pictures], self.pictures_a_step)}
            count = int(np.count_nonzero(targets))
            loss = stage.compiled.test({"words": inputs, **image}, targets)
            total, words = total + loss * count, words + count
        totals, counts = zip(*self.devices.gather([total, words]), strict=True)
        return sum(totals) / sum(counts)

    def _validation_scores(self, features):
        """Captions of the validation pictures against their references.

        They are written as they will be for users, by the stored search. Greedy ones would cost
        less, and choose badly: of two epochs of one run the one with the better greedy captions
        was by 0.03 of CIDEr the worse in beam search (measured). Whether two words may be said
        twice in the same order depends on the data: captions of photographs gain 0.02 to 0.03 by
        the rule that they may not, but "a red circle above a red square" needs it. So both are
        tried, and the better one stored; then the rule about single words on top of it.
        """
        if features is None:  # what is said of no picture is worth nothing
            return dict.fromkeys(score_names(self.validation), 0.0)
        scores = {rule: self._scores_under(features, rule) for rule in self.repeat_rules}
        best = max(scores, key=lambda rule: scores[rule]["CIDEr"])
        stricter = self._scores_under(features, best, no_repeat_word=True)
        is_better = stricter["CIDEr"] > scores[best]["CIDEr"]
        self.captioner.generation |= {"no_repeat_ngram": best, "no_repeat_word": is_better}
        return stricter if is_better else scores[best]

    def _scores_under(self, features, no_repeat_ngram, no_repeat_word=False):
        rules = {"no_repeat_ngram": no_repeat_ngram, "no_repeat_word": no_repeat_word}
        search = self.captioner.search_settings({"max_length": self.longest, **rules})
        captions = []
        first, workers = self.devices.index, self.devices.workers
        for start in range(64 * first, len(features), 64 * workers):
            batch = filled(features[start : start + 64], 64)
            found = self.captioner.decode(batch, **search)
            numbers = range(start, min(start + 64, len(features)))
            for number, caption in zip(numbers, found, strict=False):  # the last batch is padded
                captions.append((number, caption[0].text))
        captions = dict(pair for part in self.devices.gather(captions) for pair in part)
        return set_scores(self.validation, captions)

    def _save_models(self, stage, row):
        self.captioner.about = {
            "trained_with": _without_folders(self.config),
            "epoch": row["epoch"],
            "validation": {name: row[name] for name in score_names(self.validation)},
        }
        if self.started_from:
            self.captioner.about["started_from"] = self.started_from
        self.folder.keep(self.captioner)
        *before, score = self.scores(stage)
        is_best = score > max(before, default=-math.inf)
        if is_best:
            self.folder.keep_last_as(self.folder.best_of(stage.name))
        if stage.name == "text":
            is_best_of_all = is_best  # and any epoch with pictures will be better
        else:
            is_best_of_all = row["CIDEr"] > self.best_score
            self.best_score = max(row["CIDEr"], self.best_score)
        if is_best_of_all:
            self.folder.keep_last_as(self.folder.best)

    def _save_books(self, stage, row):
        self.folder.save_history(self.history)
        self.folder.log_scalars(row)
        arrays = {f"model_{n}": value for n, value in enumerate(_values(stage.model.variables))}
        optimizer = _values(stage.optimizer.variables)
        arrays |= {f"optimizer_{n}": value for n, value in enumerate(optimizer)}
        facts = {
            "stage": stage.name,
            "history": self.history,
            "best_score": self.best_score,
            "data": self.fingerprints,
            "replicas": self.devices.replicas,
        }
        # The last file written: what a killed run did after it is done once more.
        self.folder.save_state(arrays, facts)

    def _restore(self, stage, arrays, facts):
        for n, variable in enumerate(stage.model.variables):
            variable.assign(arrays[f"model_{n}"])
        for n, variable in enumerate(stage.optimizer.variables):
            variable.assign(arrays[f"optimizer_{n}"])


def _fingerprint_of_text(paths):
    """As `CaptionDataset.fingerprint`, of captions without pictures."""
    lines = read_lines(paths)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"pictures": 0, "captions": len(lines), "digest": digest}


def _size_of(fingerprint):
    """How large the data of a fingerprint are, in words."""
    pictures, captions = fingerprint["pictures"], f"{fingerprint['captions']} captions"
    return f"{pictures} pictures with {captions}" if pictures else captions


def _without_folders(config):
    """The settings as a shipped model should tell them: whose disk is nobody's business."""
    paths = ("data", "more_data", "text", "images", "out", "cache", "encoder_weights", "init_from")
    names = {name: base_names(getattr(config, name)) for name in paths}
    return {**vars(config), **names}


def base_names(paths):
    """The last part of a path, or of each of a list."""
    if isinstance(paths, list):
        return [base_names(path) for path in paths]
    return os.path.basename(paths.rstrip("/"))


def _values(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]
