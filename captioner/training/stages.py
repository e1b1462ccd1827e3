"""The stages of a training run: from text, from stored features, from pixels, from rewards."""

import itertools
import math
import os
import shutil
import time
from collections import deque

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from captioner.compiled import XLA
from captioner.errors import CaptionerError, require
from captioner.images import ImageError, read_images
from captioner.text_files import read_text
from captioner.training.augmentation import augment
from captioner.training.batches import EncodedCaptions, batches_of, bucket_length, some_captions
from captioner.training.config import as_list, flag
from captioner.training.optimizers import TwoRateAdam, learning_rate_at, plateau_factor
from captioner.training.self_critical import (
    SAMPLES,
    Reward,
    Sampler,
    SelfCritical,
    advantages,
    as_inputs,
)
from captioner.training.teacher_forcing import TeacherForcing
from captioner.training.word_layer import WordLayer, frequent_words, word_shares
from captioner.vocabulary import PAD

LATE = 2  # steps after which the loss of one is asked for


class _Stage:
    """What the stages share: a compiled model, and an epoch of steps of teacher forcing."""

    rate = "learning_rate"  # the setting that is this stage's learning rate
    most_lengths = None  # of batches: as many as suit the captions
    imagined = None  # ImaginedBatches, in stages that learn from text beside pictures

    def __init__(self, run):
        self.run = run
        self.captions = run.train_captions

    def compile(self, make_model, kind=keras.optimizers.Adam, **settings):
        devices = self.run.devices
        with devices.scope():
            model = make_model()
            optimizer = devices.optimizer(kind, **settings, **self.optimizer_settings())
            model.compile(optimizer=optimizer, jit_compile=XLA)
            optimizer.build(model.trainable_variables)
        self.model, self.optimizer = model, optimizer
        self.compiled = devices.steps(model)

    def teacher(self, word_layer=None):
        config = self.run.config
        return TeacherForcing(
            self.run.captioner,
            config.label_smoothing,
            config.scheduled_sampling,
            config.seed,
            config.text_weight,
            word_layer,
        )

    def optimizer_settings(self):
        config = self.run.config
        average = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
        return {"global_clipnorm": config.clip_norm or None, **average}

    def set_learning_rate(self, step, steps_an_epoch):
        config = self.run.config
        self.optimizer.learning_rate = learning_rate_at(
            step,
            self.epochs * steps_an_epoch,
            getattr(config, self.rate),
            config.schedule,
            config.warmup,
        )
        if config.schedule == "plateau":
            self.optimizer.learning_rate *= plateau_factor(self.run.scores(self))

    def average_weights(self):
        """Puts the moving averages of the weights in their place, where they are kept.

        Returns:
            What `put_back` wants, the weights as the next step needs them.
        """
        variables = self.model.trainable_variables
        weights = [ops.convert_to_numpy(variable) for variable in variables]
        self.optimizer.finalize_variable_values(variables)
        return weights

    def put_back(self, weights):
        for variable, weight in zip(self.model.trainable_variables, weights, strict=True):
            variable.assign(weight)

    def run_epoch(self, epoch):
        """Learns from every picture once, or from each data set by its weight.

        Returns:
            dict of what history.csv should tell.
        """
        run, own = self.run, self.run.devices.own
        rng = np.random.default_rng([run.config.seed, self.number, epoch])
        batches = batches_of(
            self.captions, self.pictures_a_step, self.captions_each, rng, self.items(epoch),
            self.most_lengths,
        )  # fmt: skip
        images = self.images([self.own_pictures(batch.pictures) for batch in batches], epoch)
        captions = sum(batch.count for batch in batches)
        losses = Progress(f"epoch {epoch + 1}/{self.epochs}", captions, "loss", run.progress)
        waiting = deque()  # a GPU is at the next steps while the loss of one is asked for
        for step, batch in enumerate(batches, epoch * len(batches)):
            self.set_learning_rate(step, len(batches))
            self.model.set_sampling(step / (self.epochs * len(batches)))
            words, targets = self.captions.matrix(batch.captions, batch.rows, batch.length)
            inputs = {"words": own(words), **next(images)}
            inputs |= self.own_text(batch.rows, batch.length, rng)
            loss = self.compiled.train(inputs, own(targets))
            waiting.append((loss, step, np.count_nonzero(targets), batch.count))
            if len(waiting) > LATE:
                self._add_loss(losses, *waiting.popleft())
        for each in waiting:
            self._add_loss(losses, *each)
        return {"train_loss": losses.close()}

    def items(self, epoch):
        """The captions that come in an epoch, or the pictures where each has several."""
        return self.run.balance.items(
            *self.captions.items(self.captions_each), stage=self.number, epoch=epoch
        )

    def _add_loss(self, losses, loss, step, words, captions):
        loss = float(loss)
        self.require_finite(loss, step)
        losses.add(loss, words, captions)

    def own_text(self, rows, length, rng):
        """This worker's captions without pictures of a step, where the stage has some."""
        if self.imagined is None:
            return {}
        taken = self.imagined.take(rows, length, rng)
        return {name: self.run.devices.own(value) for name, value in taken.items()}

    def own_pictures(self, pictures):
        """Those pictures of a batch, which may not be full, that this worker learns from."""
        rows = self.run.devices.own(range(self.pictures_a_step))
        return pictures[rows.start : rows.stop]

    def own_rows(self, values):
        """The values of this worker's pictures of a batch, with rows of zeros if it is not full."""
        return filled(values, len(self.run.devices.own(range(self.pictures_a_step))))

    def require_finite(self, loss, step):
        """Raises CaptionerError where a loss is no number."""
        if not math.isfinite(loss):
            raise CaptionerError(
                f"step {step}: the loss is {loss}; the last epoch is kept; go on with "
                f"--resume and a lower {flag(self.rate)}"
            )

    def after(self):
        """Tidies up when the stage is over."""


class TextStage(_Stage):
    """The decoder learns from captions without pictures: i = 0."""

    name, number = "text", 3

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs = config.text_epochs
        run.captioner.encoder.freeze()
        self.captions = run.text_captions
        run.captioner.decoder.learn_pictures(False)
        self.pictures_a_step, self.captions_each = run.devices.replicas * config.batch_size, 1
        self.compile(self.teacher)

    def items(self, epoch):
        return None

    def images(self, batches, epoch):
        return ({} for _ in batches)

    def after(self):
        self.run.captioner.decoder.learn_pictures(True)

    def validation_features(self):
        return None


class FeatureStage(_Stage):
    """The decoder learns from stored features."""

    name, number = "features", 0

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs = config.epochs
        self.pictures_a_step = run.devices.replicas * run.pictures_a_step
        self.captions_each = run.captions_each
        run.captioner.encoder.freeze()
        if run.has_text_beside:
            self.imagined = run.imagined_batches(run.train_features, self.lengths())
        self.compile(self.teacher)

    def lengths(self):
        """The numbers of words of a caption in the batches, where those sort captions by it.

        Where each picture has several captions, a batch is as long as the longest of them, and
        says little of the others.
        """
        if self.captions_each > 1:
            return ()
        batches = batches_of(self.captions, self.pictures_a_step, self.captions_each)
        return [batch.length for batch in batches]

    def run_epoch(self, epoch):
        self.features = self.run.view(epoch)
        return super().run_epoch(epoch)

    def images(self, batches, epoch):
        for pictures in batches:
            yield {"image": self.own_rows(self.features[pictures])}

    def validation_features(self):
        return self.run.val_features


class PixelStage(_Stage):
    """CNN and decoder learn together, each picture with all its captions."""

    name, number, rate = "pixels", 1, "fine_tune_learning_rate"
    most_lengths = 2 if XLA else None  # it takes a minute to compile the CNN for each

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs = config.fine_tune_epochs
        self.pictures_a_step = run.devices.replicas * config.fine_tune_batch_size
        self.captions_each = run.captions_a_picture
        encoder = run.captioner.encoder
        encoder.unfreeze_from(config.fine_tune_from)
        self.shares = None  # (pictures, words)
        if config.word_targets and config.word_weight:
            words = frequent_words(self.captions, config.word_targets)
            self.shares = word_shares(self.captions, len(run.training), words)
        self.compile(
            lambda: self.teacher(self.word_layer()),
            TwoRateAdam,
            slow_variables=encoder.trainable_variables,
            slow_factor=config.encoder_learning_rate / (config.fine_tune_learning_rate or 1.0),
        )
        self.log_trainable()

    def word_layer(self):
        """A new word layer, or None where the settings want none."""
        if self.shares is None:
            return None
        usual = self.shares.mean(axis=0, dtype=np.float32)
        layer = WordLayer(usual, self.run.config.word_weight, name="word_layer")
        layer.build((None, self.run.captioner.encoder.channels))
        return layer

    def log_trainable(self):
        layers = [layer for layer in self.run.captioner.encoder.network.layers if layer.trainable]
        count = sum(layer.count_params() for layer in layers)
        self.run.log(f"fine-tuning {count:,} weights of the CNN, batch normalisation left as it is")

    def images(self, batches, epoch):
        """The pictures of each batch, read ahead while the one before is learned from."""
        paths, size = self.run.training.image_paths, (self.run.captioner.encoder.size,) * 2
        order = np.concatenate(batches)

        def change(place, pixels):  # by several threads, in no order: each picture has its own rng
            number = int(order[place])
            rng = np.random.default_rng([self.run.config.seed, self.number, epoch, number])
            return augment(pixels, self.run.mirrored[number], rng, self.run.config.smallest_crop)

        read = read_images(
            (paths[number] for number in order), size, change if self.run.config.augment else None
        )
        for pictures in batches:
            batch = []
            for _, _, result in itertools.islice(read, len(pictures)):
                if isinstance(result, ImageError):
                    raise result
                batch.append(result)
            empty = np.zeros((0, *size, 3), np.uint8)  # where a batch has no picture for a worker
            inputs = {"pixels": self.own_rows(np.stack(batch) if batch else empty)}
            if self.shares is not None:
                inputs["word_shares"] = self.own_rows(self.shares[pictures])
            yield inputs

    def validation_features(self):
        run = self.run
        size = (run.captioner.encoder.size,) * 2
        read = read_images(run.validation.image_paths, size)
        features = []
        while batch := [result for _, (_, _, result) in zip(range(64), read, strict=False)]:
            features.append(run.captioner.encode(np.stack(batch), 64).astype("float16"))
        return np.concatenate(features)


class RewardStage(_Stage):
    """The decoder learns from its own captions, see `captioner.training.self_critical`."""

    name, number, rate = "rewards", 2, "self_critical_learning_rate"

    def prepare(self):
        run, config = self.run, self.run.config
        self.epochs = config.self_critical
        self.pictures_a_step = run.devices.replicas * max(1, config.batch_size // SAMPLES)
        run.captioner.encoder.freeze()
        self.own_cache, self.val_features = None, run.val_features
        if any(row["stage"] == "pixels" for row in run.history):
            # The CNN is this run's own now, and so are its features, until they have served.
            self.own_cache = os.path.join(run.folder.path, "features")
            self.val_features = run.features(run.validation, self.own_cache)
        self.sampler = Sampler(run.captioner)
        self.reward = Reward(run.training.captions, run.captioner.vocabulary)
        # One length for all, which is one shape to compile; the few longer captions are cut.
        self.captions = EncodedCaptions(
            run.training.captions, run.captioner.vocabulary, run.longest - 1
        )
        self.by_picture = self.captions.by_picture()
        if run.has_text_beside and config.teacher_weight:
            self.imagined = run.imagined_batches(run.view(0, self.own_cache))
        self.compile(
            lambda: SelfCritical(
                run.captioner, config.teacher_weight, config.label_smoothing, config.text_weight
            )
        )

    def run_epoch(self, epoch):
        run, devices, pictures_a_step = self.run, self.run.devices, self.pictures_a_step
        features = run.view(epoch, self.own_cache)
        rng = np.random.default_rng([run.config.seed, self.number, epoch])
        order = rng.permutation(self.items(epoch))
        batches = np.split(order, range(pictures_a_step, len(order), pictures_a_step))
        captions = len(order) * SAMPLES
        rewards = Progress(f"epoch {epoch + 1}/{self.epochs}", captions, "reward", run.progress)
        start, scoring = time.time(), 0.0
        for step, pictures in enumerate(batches, epoch * len(batches)):
            self.set_learning_rate(step, len(batches))
            own_pictures = self.own_pictures(pictures)
            image = self.own_rows(features[own_pictures])
            chance = rng.random((pictures_a_step * SAMPLES, run.longest), dtype="float32")
            words = self.sampler.run({"image": image, "chance": devices.own(chance)})
            asked = time.time()
            words[len(own_pictures) * SAMPLES :] = PAD  # what is said of no picture
            real = words[: len(own_pictures) * SAMPLES]
            scores = self.reward(np.repeat(own_pictures, SAMPLES), real).reshape(-1, SAMPLES)
            scoring += time.time() - asked
            gain = filled(advantages(scores).reshape(-1).astype("float32"), len(words))
            longest = int(np.count_nonzero(real, axis=1).max(initial=1))
            told = devices.gather([longest, float(scores.sum()), len(real)])
            longest, rewarded, count = zip(*told, strict=True)
            inputs, targets = as_inputs(words, bucket_length(max(longest)))
            inputs = {"words": inputs, "image": image, **self._teacher(pictures, rng)}
            inputs |= self.own_text(pictures_a_step * run.captions_a_picture, run.longest, rng)
            loss = self.compiled.train(inputs, targets, gain)
            self.require_finite(float(loss), step)
            rewards.add(sum(rewarded) / sum(count), sum(count), sum(count))
        share = 100 * scoring / (time.time() - start)
        if devices.is_chief:
            self._show(pictures[0], real[:SAMPLES], scores[0])
        run.log(f"computing the rewards took {share:.0f} % of the epoch's time")
        return {"reward": rewards.close()}

    def items(self, epoch):
        pictures = np.arange(len(self.run.training))  # all with as many samples
        return self.run.balance.items(
            pictures, np.ones_like(pictures), stage=self.number, epoch=epoch
        )

    def _teacher(self, pictures, rng):
        """People's captions of the pictures, for the part of the loss that is teacher forcing."""
        if not self.run.config.teacher_weight:
            return {}
        each = self.run.captions_a_picture
        chosen = [some_captions(self.by_picture[picture], each, rng) for picture in pictures]
        rows = self.pictures_a_step * each
        words, targets = self.captions.matrix(np.concatenate(chosen), rows, self.run.longest)
        own = self.run.devices.own
        return {"teacher_words": own(words), "teacher_targets": own(targets)}

    def _show(self, picture, words, scores):
        """Logs the samples of one picture, best first."""
        self.run.log(f"samples for {self.run.training.image_ids[picture]}:")
        for n in np.argsort(-scores):
            text = self.run.captioner.vocabulary.decode(words[n])
            self.run.log(f"  reward {scores[n]:.2f}  {text}")

    def validation_features(self):
        return self.val_features

    def after(self):
        if self.own_cache:
            shutil.rmtree(self.own_cache, ignore_errors=True)


class Progress:
    """The weighted mean of a number over an epoch, and its progress bar."""

    def __init__(self, title, captions, label, shown):
        self._sum = self._weights = 0
        self._label = label
        self._bar = tqdm(total=captions, unit="caption", desc=title, disable=not shown, leave=False)

    def add(self, value, weight, captions):
        self._sum += value * weight
        self._weights += weight
        self._bar.update(captions)
        mean = f"{self._sum / self._weights:.3f}"
        self._bar.set_postfix({self._label: mean}, refresh=False)

    def close(self):
        """Ends the bar; returns the mean."""
        self._bar.close()
        return float(self._sum / self._weights)


def read_lines(paths):
    """The lines of text files that have words.

    Args:
        paths: str, or list of str.

    Raises:
        CaptionerError: A file cannot be read, is not UTF-8, or has no such line.
    """
    found = []
    for path in as_list(paths):
        lines = read_text(path).split("\n")
        lines = [line.strip() for line in lines if any(map(str.isalnum, line))]
        require(lines, f"{path}: no captions in it; give one a line")
        found += lines
    return found


def filled(array, rows):
    """The array with rows of zeros added, so that every batch has the same shape."""
    missing = rows - len(array)
    array = np.asarray(array)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if not missing:
        return array
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
