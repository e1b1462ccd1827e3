"""Teacher forcing: the loss of the next word, given the right words so far."""

import keras
import numpy as np
from keras import ops

from captioner.decoding import IMPOSSIBLE, NEVER_SAID
from captioner.packing import CAN_PACK, Packing
from captioner.training.distribution import mean_over_replicas
from captioner.vocabulary import PAD

TINY = 1e-6  # divides where there is nothing to divide


class TeacherForcing(keras.Model):
    """The captioner as it is trained: given the right words so far, predict the next one.

    Args:
        captioner: Captioner.
        label_smoothing: float. Share of each target spread over all words (Szegedy et al. 2016,
            section 7). Validation loss is without it. Defaults to `0.0`.
        scheduled_sampling: float. Share of the given words replaced, in training, by what the model
            itself would have said there, so that it learns to continue after its own mistakes
            (Bengio et al. 2015; in one pass for all words, Mihaylova & Martins 2019).
            `set_sampling` says how much of it applies now. Defaults to `0.0`.
        seed: int or None. Seed of the sampled words. Defaults to `None`.
        text_weight: float. Weight in the loss of captions without pictures, on `text_words` and
            `text_targets` (captions, time) of the inputs and pictures imagined for them,
            `text_image`, see `captioner.training.imagined`. Defaults to `0.0`.
        word_layer: WordLayer or None. What the CNN is to predict too, in training: `word_shares`
            (pictures, words) of the inputs. Defaults to `None`.

    Call arguments:
        inputs: dict with `words` (captions, time) and either `image` (pictures, ...), the CNN's
            features as `Captioner.see` gives them, or `pixels` (pictures, size, size, 3). Each
            picture has the same number of captions, one after another. Without `image` and `pixels`
            the captions have no picture.
    """

    def __init__(
        self,
        captioner,
        label_smoothing=0.0,
        scheduled_sampling=0.0,
        seed=None,
        text_weight=0.0,
        word_layer=None,
    ):
        super().__init__()
        self.text_weight = text_weight
        self.word_layer = word_layer
        self.captioner = captioner
        self.label_smoothing = label_smoothing
        self.scheduled_sampling = scheduled_sampling
        if scheduled_sampling:
            self.seed_generator = keras.random.SeedGenerator(seed)
            self.sampled_share = self.add_weight(
                name="sampled_share", shape=(), initializer="zeros", trainable=False
            )
        self.built = True  # the captioner is

    def call(self, inputs, training=False):
        image = inputs.get("image")
        if "pixels" in inputs:
            image = self.captioner.see(inputs["pixels"], training=training)
        words, decoder = inputs["words"], self.captioner.decoder
        if training and self.scheduled_sampling:
            words = self._partly_sampled(words, image)
        if not training:
            return decoder(words, image)
        if decoder.attention == "none" or image is None:
            output = {"logits": decoder(words, image, training=True, packed=CAN_PACK)}
        else:
            logits, weights = decoder(
                words, image, training=True, return_attention=True, packed=CAN_PACK
            )
            output = {"logits": logits, "attention": weights}
        if self.word_layer is not None:
            output["word_logits"] = self.word_layer(image)
        return output

    def set_sampling(self, progress):
        """Sets how much of scheduled sampling applies: it rises in a line from 0 to all of it.

        Args:
            progress: float, 0 at the start of a stage of training and 1 at its end.
        """
        if self.scheduled_sampling:
            self.sampled_share.assign(self.scheduled_sampling * progress)

    def _partly_sampled(self, words, image):
        """The words, some replaced by those drawn from the model after the right words so far."""
        logits = forbid(self.captioner.decoder(words, image, training=False))
        batch, time, vocabulary = logits.shape
        drawn = keras.random.categorical(
            ops.reshape(logits, (-1, vocabulary)), 1, seed=self.seed_generator
        )
        drawn = ops.reshape(ops.cast(drawn, words.dtype), (batch, time))
        drawn = ops.concatenate([words[:, :1], drawn[:, :-1]], axis=1)  # start stays the first
        chance = keras.random.uniform((batch, time), seed=self.seed_generator)
        replaced = ops.logical_and(chance < self.sampled_share, ops.not_equal(words, PAD))
        return ops.stop_gradient(ops.where(replaced, drawn, words))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Cross-entropy summed over the real target words, divided by their number.

        Label smoothing and the penalties (L2, attention) are of training only.

        Args:
            y_pred: logits; in training a dict with `logits`, and perhaps `attention` and
                `word_logits`, as `call` gives it.
        """
        if not training:
            return word_loss(y, y_pred)
        loss = word_loss(y, y_pred["logits"], self.label_smoothing) + self.beside(x, y, y_pred)
        return loss + self.text_weight * self.taught(x, "text", "text_image")

    def beside(self, inputs, targets, output):
        """What L2, regions that were not looked at and the word layer add to the loss.

        The decoder cannot add the penalty of unseen regions by itself: replicas in one process
        would add theirs to the same sum.
        """
        loss = sum(self.losses)
        if "attention" in output:
            missed = unseen(output["attention"], ops.not_equal(targets, PAD))
            loss = loss + self.captioner.decoder.attention_penalty * missed
        if "word_logits" in output:
            loss = loss + self.word_layer.loss(inputs["word_shares"], output["word_logits"])
        return loss

    def taught(self, inputs, kind, image):
        """The loss of other captions than the step's own; 0 where it has none of the kind.

        Args:
            kind: str. The inputs have them as `{kind}_words` and `{kind}_targets`.
            image: str. Which of the inputs is their pictures.
        """
        if not inputs or f"{kind}_words" not in inputs:
            return 0.0
        logits = self.captioner.decoder(
            inputs[f"{kind}_words"], inputs[image], training=True, packed=CAN_PACK
        )
        return word_loss(inputs[f"{kind}_targets"], logits, self.label_smoothing)


def word_loss(targets, logits, label_smoothing=0.0, weights=None):
    """Mean cross-entropy of the target words that are not padding.

    In a replica's step, the mean of all replicas' losses is the loss of the whole batch.

    Args:
        targets: int tensor (captions, time), 0 for padding.
        logits: tensor (captions, time, vocabulary), or (real words, vocabulary), those of the words
            that are not padding, in the order of `Packing`.
        label_smoothing: float. Defaults to `0.0`.
        weights: tensor (captions,) or None. What each caption's part of the sum is multiplied by.
            Defaults to `None`.

    Returns:
        Scalar tensor.
    """
    if weights is not None:
        weights = weights[:, None]
    if len(logits.shape) == 2:
        packing = Packing(ops.not_equal(targets, PAD))
        targets = packing.pack(targets)
        weights = None if weights is None else packing.of_captions(weights)[:, 0]
    words = logits.shape[-1]
    wanted = ops.one_hot(targets, words, dtype="float32") * (1 - label_smoothing)
    wanted = wanted + label_smoothing / words
    # One fused operation: arrays of the vocabulary's size take most of the memory of a step.
    losses = ops.categorical_crossentropy(wanted, ops.cast(logits, "float32"), from_logits=True)
    mask = ops.cast(ops.not_equal(targets, PAD), "float32")
    if weights is not None:
        losses = losses * weights
    count = mean_over_replicas(ops.sum(mask))
    return ops.sum(losses * mask) / ops.maximum(count, TINY)


def unseen(weights, mask):
    """How far the attention of each region, summed over a caption, is from 1: squared, mean.

    Args:
        weights: tensor (batch, time, regions).
        mask: bool tensor (batch, time), False where a caption is padding. A caption that is nothing
            else does not count.

    Reference: Xu et al. 2015, equation (14), the doubly stochastic term.
    """
    mask = ops.cast(mask, weights.dtype)
    is_caption = ops.max(mask, axis=1)
    looked = ops.sum(weights * mask[..., None], axis=1)  # (batch, regions)
    each = ops.mean(ops.square(1.0 - looked), axis=1)
    captions = mean_over_replicas(ops.sum(is_caption))
    return ops.sum(each * is_caption) / ops.maximum(captions, TINY)


def forbid(logits):
    """The logits (..., vocabulary) with padding, start and unknown made impossible."""
    words = np.arange(logits.shape[-1])
    return logits + np.where(np.isin(words, NEVER_SAID), IMPOSSIBLE, 0).astype("float32")
