"""Teacher forcing: from a data set and settings to a trained captioner.

A run has one or two stages. In the first the CNN stays as it is, so its features are computed once
and the decoder learns from them. In the second, with `fine_tune_from`, CNN and decoder learn
together from pixels. After every epoch the validation pictures are captioned, and the model with
the best CIDEr is kept.
"""

import math
import os
import time

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from captioner import metrics
from captioner.augmentation import augment, may_mirror
from captioner.batches import EncodedCaptions, caption_batches, picture_batches
from captioner.captioner import Captioner, load
from captioner.datasets import load_dataset
from captioner.decoder import Decoder
from captioner.encoder import Encoder
from captioner.errors import CaptionerError
from captioner.features import cached_features
from captioner.images import ImageError, read_images
from captioner.run_folder import RunFolder
from captioner.vocabulary import PAD, Vocabulary

CAPTIONS_PER_PICTURE = 5  # of each picture, in one step of the second stage
PRESET = "flickr8k"


def train(config, resume=False, log=print, progress=True):
    """Trains a captioner.

    Args:
        config: TrainConfig.
        resume: bool. Whether to go on with the run in `config.out`. Defaults to `False`.
        log: callable. Takes each line of the run's report. Defaults to `print`.
        progress: bool. Whether to show progress bars. Defaults to `True`.

    Returns:
        Captioner, the best of the run, also in `config.out`/best.keras.

    Raises:
        CaptionerError: Settings or data that cannot be used; a loss that is no number.

    Example:
    >>> config = captioner.TrainConfig(data="data/shapes", out="runs/shapes")
    >>> model = captioner.train(config)
    """
    training = load_dataset(config.data, config.images or None, "train", config.format)
    validation = load_dataset(config.data, config.images or None, "val", config.format)
    for line in [*training.warnings, *validation.warnings]:
        log(f"note: {line}")
    validation = validation.subset(range(min(len(validation), config.validation_pictures)))
    folder = RunFolder.open(config, resume)
    keras.utils.set_random_seed(config.seed)
    captioner = new_captioner(config, training)
    run = _Run(config, folder, captioner, training, validation, log, progress)
    run.report_sizes()
    run.go()
    return load(folder.best)


def new_captioner(config, training):
    """An untrained captioner: vocabulary from the training captions, encoder weights as told."""
    captions = (text for texts in training.captions for text in texts)
    vocabulary = Vocabulary.build(captions, min_count=config.min_count)
    encoder = _new_encoder(config)
    decoder = Decoder(
        vocabulary_size=len(vocabulary),
        image_features=encoder.channels,
        units=config.units,
        embedding=config.embedding,
        image_units=config.image_units,
        cell=config.cell,
        implementation=config.implementation,
        layers=config.layers,
        word_dropout=config.word_dropout,
        image_dropout=config.image_dropout,
        recurrent_dropout=config.recurrent_dropout,
        dropout=config.dropout,
        l2=config.l2,
        seed=config.seed,
        attention=config.attention,
        attention_units=config.attention_units,
        attention_penalty=config.attention_penalty,
    )
    return Captioner(encoder, decoder, vocabulary)


def _new_encoder(config):
    if config.encoder_weights != "preset":
        encoder = Encoder(config.encoder)
        encoder.load_network_weights(config.encoder_weights)
        return encoder
    encoder = load(PRESET).encoder
    if encoder.backbone != config.encoder:
        raise CaptionerError(
            f"--encoder {config.encoder}: the shipped weights are for {encoder.backbone}; add "
            "--encoder-weights imagenet, none or a file"
        )
    return encoder


class TeacherForcing(keras.Model):
    """The captioner as it is trained: given the right words so far, predict the next one.

    Args:
        captioner: Captioner.
        label_smoothing: float. Share of each target spread over all words (Szegedy et al. 2016,
            section 7). Validation loss is without it. Defaults to `0.0`.

    Call arguments:
        inputs: dict with `words` (captions, time) and either `image` (pictures, ...), the CNN's
            features as `Captioner.see` gives them, or `pixels` (pictures, size, size, 3). Each
            picture is for an equal number of successive captions.
    """

    def __init__(self, captioner, label_smoothing=0.0):
        super().__init__()
        self.captioner = captioner
        self.label_smoothing = label_smoothing
        self.built = True  # the captioner is

    def call(self, inputs, training=False):
        image = inputs.get("image")
        if image is None:
            image = self.captioner.see(inputs["pixels"], training=training)
        return self.captioner.decoder(inputs["words"], image, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Cross-entropy summed over the real target words, divided by their number."""
        smoothing = self.label_smoothing if training else 0.0
        return word_loss(y, y_pred, smoothing) + sum(self.losses)


def word_loss(targets, logits, label_smoothing=0.0):
    """Mean cross-entropy of the target words that are not padding.

    Args:
        targets: int tensor (captions, time), 0 for padding.
        logits: tensor (captions, time, vocabulary).
        label_smoothing: float. Defaults to `0.0`.

    Returns:
        Scalar tensor.
    """
    words = logits.shape[-1]
    wanted = ops.one_hot(targets, words, dtype="float32") * (1 - label_smoothing)
    wanted = wanted + label_smoothing / words
    # One fused operation: arrays of the vocabulary's size take most of the memory of a step.
    losses = ops.categorical_crossentropy(wanted, ops.cast(logits, "float32"), from_logits=True)
    mask = ops.cast(ops.not_equal(targets, PAD), "float32")
    return ops.sum(losses * mask) / ops.maximum(ops.sum(mask), 1.0)


class TwoRateAdam(keras.optimizers.Adam):
    """Adam with smaller steps for some variables; Adam's steps do not follow a scaled gradient.

    Args:
        slow_variables: list of keras.Variable.
        slow_factor: float. What their learning rate is multiplied by.
    """

    def __init__(self, slow_variables=(), slow_factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self._slow_variables = {id(variable) for variable in slow_variables}
        self._slow_factor = slow_factor

    def build(self, variables):
        super().build(variables)
        slow = [each for each in variables if id(each) in self._slow_variables]
        self._slow_numbers = {self._get_variable_index(each) for each in slow}

    def update_step(self, gradient, variable, learning_rate):
        # On TensorFlow this variable is not Keras' object but the one inside; its number is kept.
        is_slow = self._get_variable_index(variable) in self._slow_numbers
        factor = self._slow_factor if is_slow else 1.0
        super().update_step(gradient, variable, learning_rate * factor)


def learning_rate_at(step, steps, peak, schedule="cosine", warmup=0.05):
    """The learning rate of one step: a linear rise, then a cosine to zero or a constant.

    Args:
        step: int. From 0.
        steps: int. Steps in all.
        peak: float. The largest rate.
        schedule: `"cosine"` (Loshchilov & Hutter 2017, section 3) or `"constant"`.
        warmup: float. Share of the steps that the rise takes.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    if schedule == "constant":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class _Compiled:
    """Keras' step functions of a model, one per shape.

    Keras would trace one function for all shapes, with an unknown number of words, and the time
    loop could not be written out.
    """

    def __init__(self, model):
        self.model = model
        self._functions = {}

    def train(self, inputs, targets):
        return self._run("train_function", self.model.train_on_batch, inputs, targets)

    def test(self, inputs, targets):
        return self._run("test_function", self.model.test_on_batch, inputs, targets)

    def _run(self, kind, run, inputs, targets):
        key = (kind, targets.shape)
        setattr(self.model, kind, self._functions.get(key))
        self.model.reset_metrics()
        loss = float(run(inputs, targets, return_dict=True)["loss"])
        self._functions[key] = getattr(self.model, kind)
        return loss


class _Run:
    """One training run: its data, its stages, its books."""

    def __init__(self, config, folder, captioner, training, validation, log, progress):
        self.config = config
        self.folder = folder
        self.captioner = captioner
        self.log = log
        self.progress = progress
        self.train_features, self.training = self._encode(training)
        self.val_features, self.validation = self._encode(validation)
        vocabulary, longest = captioner.vocabulary, config.max_length
        self.train_captions = EncodedCaptions(self.training.captions, vocabulary, longest)
        self.val_captions = EncodedCaptions(self.validation.captions, vocabulary, longest)
        self.captions_a_picture = min(
            CAPTIONS_PER_PICTURE, max(len(captions) for captions in self.training.captions)
        )
        # One vector a picture costs nothing to repeat; regions are prepared once for all captions.
        self.captions_each = 1 if config.attention == "none" else self.captions_a_picture
        self.pictures_a_step = max(1, config.batch_size // self.captions_each)
        self.history = []
        self.best_score = -1.0

    def batches(self, encoded, pictures_a_step, rng=None, captions_each=None):
        """A pass over captions: a list of (picture numbers, caption numbers, length)."""
        each = captions_each or self.captions_each
        if each == 1:
            batches = caption_batches(encoded, pictures_a_step, rng)
            return [(encoded.pictures[numbers], numbers, length) for numbers, length in batches]
        return picture_batches(encoded, pictures_a_step, each, rng)

    def inputs(self, encoded, batch, pictures_a_step):
        """The words of a batch, in a shape that all batches of one length have, and the targets."""
        pictures, captions, length = batch
        rows = pictures_a_step * (len(captions) // len(pictures))
        words, targets = encoded.matrix(captions, rows, length)
        return {"words": words}, targets

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
        return features[readable], dataset.subset(readable)

    def report_sizes(self):
        captioner, config = self.captioner, self.config
        self.log(
            f"{len(self.training)} pictures with {len(self.train_captions)} captions to learn "
            f"from, {len(self.validation)} pictures to choose by; vocabulary "
            f"{len(captioner.vocabulary)} (words seen at least {config.min_count} times)"
        )
        if self.train_captions.cut:
            self.log(
                f"note: {self.train_captions.cut} captions are longer than {config.max_length} "
                "words and were cut"
            )
        self.log(
            f"{config.encoder} {captioner.encoder.count_params():,} weights, decoder "
            f"({config.cell}, {config.implementation}) {captioner.decoder.count_params():,}"
        )

    def go(self):
        stages = [_FeatureStage(self)] if self.config.epochs else []
        if self.config.fine_tune_from != "none" and self.config.fine_tune_epochs:
            stages.append(_PixelStage(self))
        if not stages:
            raise CaptionerError("0 epochs: nothing to train; give --epochs 1 or more")
        stored = self.folder.load_state()
        first = 0
        if stored:
            facts = stored[1]
            self.history, self.best_score = facts["history"], facts["best_score"]
            first = [stage.name for stage in stages].index(facts["stage"])
            self.log(f"going on after epoch {len(self.history)} of {self.folder.path}")
        for number, stage in enumerate(stages[first:], first):
            if number and not (stored and number == first):
                self._take_best()
            stage.prepare()
            if stored and number == first:
                self._restore(stage, *stored)
            self._run_stage(stage)
        self.log(f"best CIDEr {self.best_score:.4f}: {self.folder.best}")

    def _take_best(self):
        """The second stage goes on from the best epoch of the first."""
        best = load(self.folder.best)
        self.captioner.encoder.set_weights(best.encoder.get_weights())
        self.captioner.decoder.set_weights(best.decoder.get_weights())

    def _run_stage(self, stage):
        started = len([row for row in self.history if row["stage"] == stage.name])
        for epoch in range(started, stage.epochs):
            if self._is_stuck(stage):
                self.log(f"no better score for {self.config.patience} epochs: stage ends early")
                return
            self._run_epoch(stage, epoch)

    def _is_stuck(self, stage):
        scores = [row["CIDEr"] for row in self.history if row["stage"] == stage.name]
        patience = self.config.patience
        return bool(patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= patience)

    def _run_epoch(self, stage, epoch):
        start = time.time()
        train_loss = stage.run_epoch(epoch)
        trained = time.time()
        val_features = stage.validation_features()
        row = {
            "epoch": len(self.history) + 1,
            "stage": stage.name,
            "train_loss": train_loss,
            "val_loss": self._validation_loss(stage, val_features),
            **self._validation_scores(val_features),
            "learning_rate": float(stage.optimizer.learning_rate),
            "train_seconds": round(trained - start, 1),
            "seconds": round(time.time() - start, 1),
        }
        self.history.append(row)
        self.log(
            "epoch {epoch} ({stage}): loss {train_loss:.3f}, validation {val_loss:.3f}, "
            "CIDEr {CIDEr:.4f}, BLEU-4 {BLEU-4:.4f}, {seconds:.0f} s".format(**row)
        )
        self._keep(stage, row)

    def _validation_loss(self, stage, features):
        total = words = 0
        for batch in self.batches(self.val_captions, self.pictures_a_step):
            inputs, targets = self.inputs(self.val_captions, batch, self.pictures_a_step)
            inputs["image"] = _filled(features[batch[0]], self.pictures_a_step)
            count = np.count_nonzero(targets)
            loss = stage.compiled.test(inputs, targets)
            total, words = total + loss * count, words + count
        return total / words

    def _validation_scores(self, features):
        """Greedy captions of the validation pictures against their references."""
        captions = {}
        for start in range(0, len(features), 64):
            batch = _filled(features[start : start + 64], 64)
            found = self.captioner.decode(batch, method="greedy", max_length=30)
            names = self.validation.image_ids[start : start + 64]
            for name, caption in zip(names, found, strict=False):  # the last batch is padded
                captions[name] = caption[0].text
        scores = metrics.score(self.validation.references(), captions, ["bleu", "cider"])
        return {"CIDEr": scores["CIDEr"], "BLEU-4": scores["BLEU-4"]}

    def _keep(self, stage, row):
        self.captioner.about = {
            "trained_with": _without_folders(self.config),
            "epoch": row["epoch"],
            "validation": {"CIDEr (greedy)": row["CIDEr"], "BLEU-4 (greedy)": row["BLEU-4"]},
        }
        self.captioner.save(self.folder.last)
        if row["CIDEr"] > self.best_score:
            self.best_score = row["CIDEr"]
            self.captioner.save(self.folder.best)
        self.folder.save_history(self.history)
        self.folder.log_scalars(row)
        arrays = {f"model_{n}": value for n, value in enumerate(_values(stage.model.variables))}
        optimizer = _values(stage.optimizer.variables)
        arrays |= {f"optimizer_{n}": value for n, value in enumerate(optimizer)}
        facts = {"stage": stage.name, "history": self.history, "best_score": self.best_score}
        # The last file written: what a killed run did after it is done once more.
        self.folder.save_state(arrays, facts)

    def _restore(self, stage, arrays, facts):
        for n, variable in enumerate(stage.model.variables):
            variable.assign(arrays[f"model_{n}"])
        for n, variable in enumerate(stage.optimizer.variables):
            variable.assign(arrays[f"optimizer_{n}"])


class _Stage:
    """What both stages share: an epoch of steps over pictures with their captions."""

    def __init__(self, run):
        self.run = run

    def compile(self, optimizer):
        """Makes the model to train. XLA is off: on CPUs it makes the recurrence half as fast, the
        CNN a quarter, and takes many seconds to compile each shape (measured)."""
        self.optimizer = optimizer
        self.model = TeacherForcing(self.run.captioner, self.run.config.label_smoothing)
        self.model.compile(optimizer=optimizer, jit_compile=False)
        optimizer.build(self.model.trainable_variables)
        self.compiled = _Compiled(self.model)

    def run_epoch(self, epoch):
        run, config = self.run, self.run.config
        rng = np.random.default_rng([config.seed, self.number, epoch])
        batches = run.batches(run.train_captions, self.pictures_a_step, rng, self.captions_each)
        images = self.images([pictures for pictures, _, _ in batches], rng)
        captions = sum(np.count_nonzero(captions >= 0) for _, captions, _ in batches)
        losses = _Losses(f"epoch {epoch + 1}/{self.epochs}", captions, run)
        for step, batch in enumerate(batches, epoch * len(batches)):
            self.optimizer.learning_rate = learning_rate_at(
                step,
                self.epochs * len(batches),
                self.learning_rate,
                config.schedule,
                config.warmup,
            )
            inputs, targets = run.inputs(run.train_captions, batch, self.pictures_a_step)
            loss = self.compiled.train({**inputs, **next(images)}, targets)
            losses.add(loss, np.count_nonzero(targets), np.count_nonzero(batch[1] >= 0), step)
        return losses.mean()


class _FeatureStage(_Stage):
    """The decoder learns from stored features."""

    name, number = "features", 0

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs, self.learning_rate = config.epochs, config.learning_rate
        self.pictures_a_step, self.captions_each = run.pictures_a_step, run.captions_each
        run.captioner.encoder.freeze()
        self.compile(keras.optimizers.Adam(global_clipnorm=config.clip_norm or None))

    def images(self, batches, rng):
        for pictures in batches:
            yield {"image": _filled(self.run.train_features[pictures], self.pictures_a_step)}

    def validation_features(self):
        return self.run.val_features


class _PixelStage(_Stage):
    """CNN and decoder learn together, each picture with all its captions."""

    name, number = "pixels", 1

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs, self.learning_rate = config.fine_tune_epochs, config.fine_tune_learning_rate
        self.pictures_a_step = config.fine_tune_batch_size
        self.captions_each = run.captions_a_picture
        encoder = run.captioner.encoder
        encoder.unfreeze_from(config.fine_tune_from)
        self.compile(
            TwoRateAdam(
                slow_variables=encoder.trainable_variables,
                slow_factor=config.encoder_learning_rate / (config.fine_tune_learning_rate or 1.0),
                global_clipnorm=config.clip_norm or None,
            )
        )
        self.mirrored = [may_mirror(captions) for captions in run.training.captions]
        self.log_trainable()

    def log_trainable(self):
        layers = [layer for layer in self.run.captioner.encoder.network.layers if layer.trainable]
        count = sum(layer.count_params() for layer in layers)
        self.run.log(f"fine-tuning {count:,} weights of the CNN, batch normalisation left as it is")

    def images(self, batches, rng):
        """The pictures of each batch, read ahead while the one before is learned from."""
        paths = self.run.training.image_paths
        size = (self.run.captioner.encoder.size,) * 2
        read = read_images((paths[number] for pictures in batches for number in pictures), size)
        for pictures in batches:
            batch = []
            for number in pictures:
                result = next(read)[2]
                if isinstance(result, ImageError):
                    raise result
                if self.run.config.augment:
                    result = augment(result, self.mirrored[number], rng)
                batch.append(result)
            yield {"pixels": _filled(np.stack(batch), self.pictures_a_step)}

    def validation_features(self):
        run = self.run
        size = (run.captioner.encoder.size,) * 2
        read = read_images(run.validation.image_paths, size)
        features = []
        while batch := [result for _, (_, _, result) in zip(range(64), read, strict=False)]:
            features.append(run.captioner.encode(np.stack(batch), 64).astype("float16"))
        return np.concatenate(features)


class _Losses:
    """The mean loss per word of an epoch, and its progress bar."""

    def __init__(self, title, captions, run):
        self._sum = self._words = 0
        self._bar = tqdm(
            total=captions, unit="caption", desc=title, disable=not run.progress, leave=False
        )

    def add(self, loss, words, captions, step):
        if not math.isfinite(loss):
            self._bar.close()
            raise CaptionerError(
                f"step {step}: the loss is {loss}; the last epoch's checkpoint is kept; lower "
                "--learning-rate"
            )
        self._sum += loss * words
        self._words += words
        self._bar.update(captions)
        self._bar.set_postfix(loss=f"{self._sum / self._words:.3f}", refresh=False)

    def mean(self):
        self._bar.close()
        return self._sum / self._words


def _without_folders(config):
    """The settings as a shipped model should tell them: whose disk is nobody's business."""
    paths = ("data", "images", "out", "cache", "encoder_weights")
    names = {name: os.path.basename(getattr(config, name).rstrip("/")) for name in paths}
    return {**vars(config), **names}


def _values(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]


def _filled(array, rows):
    """The array with rows of zeros added, so that every batch has the same shape."""
    missing = rows - len(array)
    array = np.asarray(array)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if not missing:
        return array
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
