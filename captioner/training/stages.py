"""The stages of a training run: from text, from stored features, from pixels, from rewards."""

import abc
import contextlib
import itertools
import math
import shutil
import time
from collections import deque

import numpy as np
from keras import ops

from captioner.compiled import XLA, products_in
from captioner.errors import CaptionerError, flag
from captioner.images import read_images
from captioner.training.batches import (
    EncodedCaptions,
    batches_of,
    bucket_length,
    filled,
    some_captions,
)
from captioner.training.optimizers import Adam, TwoRateAdam, learning_rate_at, plateau_factor
from captioner.training.progress import Progress
from captioner.training.self_critical import (
    SAMPLES,
    Reward,
    Sampler,
    SelfCritical,
    advantages,
    as_inputs,
)
from captioner.training.teacher_forcing import TeacherForcing
from captioner.training.word_layer import frequent_words, new_word_layer, word_shares
from captioner.vocabulary import PAD

# They seed the random generators of their stages, and must not change: with another number, the
# same seed gives another run.
FEATURES, PIXELS, REWARDS, TEXT = range(4)

LATE = 2  # how many steps later the loss of one is read
ENCODED_AT_ONCE = 64  # pictures


class Stage(abc.ABC):
    """A part of a run that learns in one way: what the loop asks of it, and what all share.

    A subclass sets the names below. The loop calls `prepare`, then, for each epoch,
    `run_epoch` and `validation_features`, and `after` at the end.

    Args:
        config: TrainConfig.
        captioner: Captioner, which learns.
        data: TrainingData.
        devices: OneDevice or Replicas.
        log: callable. Takes lines.
        progress: bool. Whether to show progress bars.

    Attributes:
        name: str. In history.csv, and in the name of the file of the stage's best captioner.
        number: int. Seeds the random generators.
        length: str. The setting that is the number of epochs.
        rate: str. The setting that is the learning rate.
        text_settings: tuple of str. The stage learns from captions without pictures if all of these
            settings say so; empty: it never does.
        sees_pictures: bool. Whether its captions of pictures can be scored. An epoch of a stage
            that sees none is the best of the run only until one with pictures has ended.
        changes_cnn: bool. Whether the CNN learns, so that stored features are of no use later.
        epochs: int. How many the settings want.
        model, optimizer, steps: what learns, by compiled steps (see `captioner.training.steps`),
            once `prepare` has been called.
    """

    name = number = length = None
    rate = "learning_rate"
    text_settings = ()
    sees_pictures = True
    changes_cnn = False
    imagined = None  # ImaginedBatches, in stages that learn from text beside pictures

    def __init__(self, config, captioner, data, devices, log, progress):
        self.config, self.captioner, self.data = config, captioner, data
        self.devices, self.log, self.progress = devices, log, progress
        self.epochs = self.epochs_in(config)
        self.captions = data.captions

    @classmethod
    def epochs_in(cls, config):
        """How many epochs of this stage the settings want; 0: the run goes without it."""
        return getattr(config, cls.length)

    @classmethod
    def learns_from_text(cls, config):
        """Whether the stage learns from captions without pictures."""
        return bool(cls.text_settings) and all(getattr(config, each) for each in cls.text_settings)

    @abc.abstractmethod
    def prepare(self, own_cache):
        """Makes everything ready for the first epoch: the model and what it learns from.

        Args:
            own_cache: str or None. Folder for features, where the CNN has learned in this run.
        """

    def after(self):  # noqa: B027 - most stages have nothing to tidy up
        """Tidies up when the stage is over."""

    @abc.abstractmethod
    def validation_features(self):
        """What the CNN sees in the validation pictures, (pictures, ...); None without pictures."""

    @abc.abstractmethod
    def run_epoch(self, epoch, scores):
        """Learns from every picture once, or from each data set by its weight.

        Args:
            epoch: int. Counted from 0 in the stage.
            scores: list. How good the stage's epochs so far are, see `choosing.goodness`.

        Returns:
            dict with one column of history.csv, `train_loss` or `reward`.
        """

    def compile(self, make_model, kind=Adam, **settings):
        """Makes the model and its optimizer, a Keras class, on all devices."""
        config = self.config
        if config.ema:
            settings |= {"use_ema": True, "ema_momentum": config.ema}
        with self.devices.scope():
            model = make_model()
            optimizer = self.devices.optimizer(
                kind, global_clipnorm=config.clip_norm or None, **settings
            )
            model.compile(optimizer=optimizer, jit_compile=XLA)
            optimizer.build(model.trainable_variables)
        self.model, self.optimizer = model, optimizer
        self.steps = self.devices.steps(model)

    def set_learning_rate(self, step, steps_an_epoch, scores):
        """Sets the learning rate of a step, counted from 0 in the stage."""
        config, steps = self.config, self.epochs * steps_an_epoch
        peak = getattr(config, self.rate)
        self.optimizer.learning_rate = learning_rate_at(
            step, steps, peak, config.schedule, config.warmup
        )
        if config.schedule == "plateau":
            self.optimizer.learning_rate *= plateau_factor(scores)

    def learn(self, inputs, targets, weights=None):
        """Learns from a batch by a compiled step; returns its loss."""
        # For the CNN no gain was measured that is larger than the differences between runs.
        precision = "float32" if self.changes_cnn else self.config.precision
        with products_in(precision):
            return self.steps.train(inputs, targets, weights)

    @contextlib.contextmanager
    def averaged_weights(self):
        """A block in which the weights are their moving averages, where these are kept."""
        variables = self.model.trainable_variables
        weights = [ops.convert_to_numpy(variable) for variable in variables]
        self.optimizer.finalize_variable_values(variables)
        yield
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)

    def own_text(self, rows, length, rng):
        """This worker's share of the step's captions without pictures, where the stage has some."""
        if self.imagined is None:
            return {}
        taken = self.imagined.take(rows, length, rng)
        return {name: self.devices.own(value) for name, value in taken.items()}

    def own_pictures(self, pictures):
        """Those pictures of a batch, which may not be full, that this worker learns from."""
        rows = self.devices.own(range(self.pictures_a_step))
        return pictures[rows.start : rows.stop]

    def own_rows(self, values):
        """The values of this worker's pictures of a batch, with rows of zeros if it is not full."""
        return filled(values, len(self.devices.own(range(self.pictures_a_step))))

    def require_finite(self, loss, step):
        """Raises CaptionerError where a loss is not a finite number."""
        if not math.isfinite(loss):
            continuing = "the last epoch is kept; continue with --resume and"
            raise CaptionerError(
                f"step {step}: the loss is {loss}; "
                f"{continuing if self.config.out else 'train again with'} a lower {flag(self.rate)}"
            )


class TeacherForcedStage(Stage):
    """A stage that learns people's captions word by word, see `TeacherForcing`.

    A subclass has `images` too, and `prepare` sets `pictures_a_step` and `captions_each`.
    """

    most_lengths = None  # most different lengths of batches; None: no limit

    @abc.abstractmethod
    def images(self, batches, epoch):
        """What the model sees beside words.

        Args:
            batches: list of int arrays. The pictures of each batch that are this worker's.
            epoch: int.

        Yields:
            dict of inputs of the model, for each batch.
        """

    def run_epoch(self, epoch, scores):
        own = self.devices.own
        rng = np.random.default_rng([self.config.seed, self.number, epoch])
        batches = batches_of(
            self.captions, self.pictures_a_step, self.captions_each, rng, self.items(epoch),
            self.most_lengths,
        )  # fmt: skip
        images = self.images([self.own_pictures(batch.pictures) for batch in batches], epoch)
        captions = sum(batch.count for batch in batches)
        losses = Progress(f"epoch {epoch + 1}/{self.epochs}", captions, "loss", self.progress)
        waiting = deque()  # a GPU computes the next steps before the loss of one is read
        for step, batch in enumerate(batches, epoch * len(batches)):
            self.set_learning_rate(step, len(batches), scores)
            self.model.set_sampling(step / (self.epochs * len(batches)))
            words, targets = self.captions.matrix(batch.captions, batch.rows, batch.length)
            inputs = {"words": own(words), **next(images)}
            inputs |= self.own_text(batch.rows, batch.length, rng)
            loss = self.learn(inputs, own(targets))
            waiting.append((loss, step, np.count_nonzero(targets), batch.count))
            if len(waiting) > LATE:
                self._add_loss(losses, *waiting.popleft())
        for each in waiting:
            self._add_loss(losses, *each)
        return {"train_loss": losses.close()}

    def items(self, epoch):
        """The captions that come in an epoch, or the pictures where each has several."""
        pictures, captions = self.captions.items(self.captions_each)
        return self.data.balance.items(pictures, captions, stage=self.number, epoch=epoch)

    def teacher(self, word_layer=None):
        """The model of teacher forcing."""
        config = self.config
        return TeacherForcing(
            self.captioner,
            config.label_smoothing,
            config.scheduled_sampling,
            config.seed,
            config.text_weight,
            word_layer,
        )

    def _add_loss(self, losses, loss, step, words, captions):
        loss = float(loss)
        self.require_finite(loss, step)
        losses.add(loss, words, captions)


class TextStage(TeacherForcedStage):
    """The decoder learns from captions without pictures: i = 0."""

    name, number, length = "text", TEXT, "text_epochs"
    text_settings = ("text",)
    sees_pictures = False

    @classmethod
    def epochs_in(cls, config):
        return super().epochs_in(config) if config.text else 0

    def prepare(self, own_cache):
        self.captioner.encoder.freeze()
        self.captioner.decoder.learn_pictures(False)
        self.captions, self.captions_each = self.data.text, 1
        self.pictures_a_step = self.devices.replicas * self.config.batch_size
        self.compile(self.teacher)

    def items(self, epoch):
        return None  # all captions

    def images(self, batches, epoch):
        return ({} for _ in batches)

    def validation_features(self):
        return None

    def after(self):
        self.captioner.decoder.learn_pictures(True)


class FeatureStage(TeacherForcedStage):
    """The decoder learns from stored features."""

    name, number, length = "features", FEATURES, "epochs"
    text_settings = ("text", "text_weight")

    def prepare(self, own_cache):
        self.captioner.encoder.freeze()
        self.captions_each = self.data.captions_each
        self.pictures_a_step = self.devices.replicas * self.data.pictures_a_step
        if self.learns_from_text(self.config):
            self.imagined = self.data.imagined(self.data.features(0), self._lengths())
        self.compile(self.teacher)

    def _lengths(self):
        """The numbers of words of a caption in the batches, where those sort captions by it.

        Where each picture has several captions, a batch is as long as the longest of them, and
        says little of the shorter ones.
        """
        if self.captions_each > 1:
            return ()
        batches = batches_of(self.captions, self.pictures_a_step, self.captions_each)
        return [batch.length for batch in batches]

    def images(self, batches, epoch):
        features = self.data.features(epoch)
        return (
            {"image": self.own_rows(features[pictures].astype(np.float32))} for pictures in batches
        )

    def validation_features(self):
        return self.data.val_features()


class PixelStage(TeacherForcedStage):
    """CNN and decoder learn together, each picture with all its captions."""

    name, number, length = "pixels", PIXELS, "fine_tune_epochs"
    rate = "fine_tune_learning_rate"
    changes_cnn = True
    most_lengths = 2 if XLA else None  # it takes a minute to compile the CNN for each

    @classmethod
    def epochs_in(cls, config):
        return super().epochs_in(config) if config.fine_tune_from != "none" else 0

    def prepare(self, own_cache):
        config, encoder = self.config, self.captioner.encoder
        self.pictures_a_step = self.devices.replicas * config.fine_tune_batch_size
        self.captions_each = self.data.captions_a_picture
        encoder.unfreeze_from(config.fine_tune_from)
        self.shares = None  # (pictures, words)
        if config.word_targets and config.word_weight:
            words = frequent_words(self.captions, config.word_targets)
            self.shares = word_shares(self.captions, len(self.data.training), words)
        self.compile(
            lambda: self.teacher(new_word_layer(self.shares, config.word_weight, encoder.channels)),
            TwoRateAdam,
            slow_variables=encoder.trainable_variables,
            slow_factor=config.encoder_learning_rate / (config.fine_tune_learning_rate or 1.0),
        )
        layers = [layer for layer in encoder.network.layers if layer.trainable]
        count = sum(layer.count_params() for layer in layers)
        self.log(f"fine-tuning {count:,} weights of the CNN, batch normalisation left as it is")

    def images(self, batches, epoch):
        """The pictures of each batch, read ahead while the one before is learned from."""
        size = (self.captioner.encoder.size,) * 2
        seed = [self.config.seed, self.number, epoch]
        read = self.data.pixels(np.concatenate(batches), size, seed)
        for pictures in batches:
            batch = list(itertools.islice(read, len(pictures)))
            empty = np.zeros((0, *size, 3), np.uint8)  # where a batch has no picture for a worker
            inputs = {"pixels": self.own_rows(np.stack(batch) if batch else empty)}
            if self.shares is not None:
                inputs["word_shares"] = self.own_rows(self.shares[pictures].astype(np.float32))
            yield inputs

    def validation_features(self):
        size = (self.captioner.encoder.size,) * 2
        read = (pixels for _, _, pixels in read_images(self.data.validation.image_paths, size))
        features = []
        while batch := list(itertools.islice(read, ENCODED_AT_ONCE)):
            encoded = self.captioner.encode(np.stack(batch), ENCODED_AT_ONCE)
            features.append(encoded.astype("float16"))
        return np.concatenate(features)


class RewardStage(Stage):
    """The decoder learns from its own captions, see `captioner.training.self_critical`."""

    name, number, length = "rewards", REWARDS, "self_critical"
    rate = "self_critical_learning_rate"
    text_settings = ("text", "text_weight", "teacher_weight")

    def prepare(self, own_cache):
        config, data, captioner = self.config, self.data, self.captioner
        self.pictures_a_step = self.devices.replicas * max(1, config.batch_size // SAMPLES)
        captioner.encoder.freeze()
        self.own_cache, self._val_features = own_cache, data.val_features(own_cache)
        self.sampler = Sampler(captioner)
        self.reward = Reward(data.training.captions, captioner.vocabulary)
        # One length for all, which is one shape to compile; the few longer captions are cut.
        texts, most = data.training.captions, data.longest - 1
        self.captions = EncodedCaptions(texts, captioner.vocabulary, most)
        self.by_picture = self.captions.by_picture()
        if self.learns_from_text(config):
            self.imagined = data.imagined(data.features(0, own_cache))
        self.compile(
            lambda: SelfCritical(
                captioner, config.teacher_weight, config.label_smoothing, config.text_weight
            )
        )

    def run_epoch(self, epoch, scores):
        """Samples captions of every picture once, and learns from what they score."""
        devices, pictures_a_step, longest = self.devices, self.pictures_a_step, self.data.longest
        features = self.data.features(epoch, self.own_cache)
        rng = np.random.default_rng([self.config.seed, self.number, epoch])
        order = rng.permutation(self.items(epoch))
        batches = np.split(order, range(pictures_a_step, len(order), pictures_a_step))
        captions = len(order) * SAMPLES
        mean = Progress(f"epoch {epoch + 1}/{self.epochs}", captions, "reward", self.progress)
        start, scoring = time.time(), 0.0
        for step, pictures in enumerate(batches, epoch * len(batches)):
            self.set_learning_rate(step, len(batches), scores)
            own_pictures = self.own_pictures(pictures)
            image = self.own_rows(features[own_pictures].astype(np.float32))
            chance = rng.random((pictures_a_step * SAMPLES, longest), dtype="float32")
            words = self.sampler.run({"image": image, "chance": devices.own(chance)})
            sampled = time.time()
            words[len(own_pictures) * SAMPLES :] = PAD  # captions of rows that fill up the batch
            real = words[: len(own_pictures) * SAMPLES]
            rewards = self.reward(np.repeat(own_pictures, SAMPLES), real).reshape(-1, SAMPLES)
            scoring += time.time() - sampled
            gain = filled(advantages(rewards).reshape(-1).astype("float32"), len(words))
            most_words = int(np.count_nonzero(real, axis=1).max(initial=1))
            of_all = devices.gather([most_words, float(rewards.sum()), len(real)])
            most_words, rewarded, count = zip(*of_all, strict=True)
            inputs, targets = as_inputs(words, bucket_length(max(most_words)))
            inputs = {"words": inputs, "image": image, **self._teacher(pictures, rng)}
            inputs |= self.own_text(pictures_a_step * self.data.captions_a_picture, longest, rng)
            loss = self.learn(inputs, targets, gain)
            self.require_finite(float(loss), step)
            mean.add(sum(rewarded) / sum(count), sum(count), sum(count))
        share = 100 * scoring / (time.time() - start)
        if devices.is_chief:
            self._show(pictures[0], real[:SAMPLES], rewards[0])
        self.log(f"computing the rewards took {share:.0f} % of the epoch's time")
        return {"reward": mean.close()}

    def items(self, epoch):
        pictures = np.arange(len(self.data.training))  # all with as many samples
        ones = np.ones_like(pictures)
        return self.data.balance.items(pictures, ones, stage=self.number, epoch=epoch)

    def _teacher(self, pictures, rng):
        """People's captions of the pictures, for the part of the loss that is teacher forcing."""
        if not self.config.teacher_weight:
            return {}
        each, own = self.data.captions_a_picture, self.devices.own
        chosen = [some_captions(self.by_picture[picture], each, rng) for picture in pictures]
        rows = self.pictures_a_step * each
        words, targets = self.captions.matrix(np.concatenate(chosen), rows, self.data.longest)
        return {"teacher_words": own(words), "teacher_targets": own(targets)}

    def _show(self, picture, words, rewards):
        """Logs the samples of one picture, best first."""
        self.log(f"samples for {self.data.training.image_ids[picture]}:")
        for n in np.argsort(-rewards):
            self.log(f"  reward {rewards[n]:.2f}  {self.captioner.vocabulary.decode(words[n])}")

    def validation_features(self):
        return self._val_features

    def after(self):
        if self.own_cache:
            shutil.rmtree(self.own_cache, ignore_errors=True)


STAGES = (TextStage, FeatureStage, PixelStage, RewardStage)  # in the order of a run
