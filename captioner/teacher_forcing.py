"""Teacher forcing: the loss of the next word, given the right words so far."""

import keras
from keras import ops

from captioner.vocabulary import PAD


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


def word_loss(targets, logits, label_smoothing=0.0, weights=None):
    """Mean cross-entropy of the target words that are not padding.

    Args:
        targets: int tensor (captions, time), 0 for padding.
        logits: tensor (captions, time, vocabulary).
        label_smoothing: float. Defaults to `0.0`.
        weights: tensor (captions,) or None. What each caption's part of the sum is multiplied by.
            Defaults to `None`.

    Returns:
        Scalar tensor.
    """
    words = logits.shape[-1]
    wanted = ops.one_hot(targets, words, dtype="float32") * (1 - label_smoothing)
    wanted = wanted + label_smoothing / words
    # One fused operation: arrays of the vocabulary's size take most of the memory of a step.
    losses = ops.categorical_crossentropy(wanted, ops.cast(logits, "float32"), from_logits=True)
    mask = ops.cast(ops.not_equal(targets, PAD), "float32")
    if weights is not None:
        losses = losses * weights[:, None]
    return ops.sum(losses * mask) / ops.maximum(ops.sum(mask), 1.0)
