"""Several decoders that look at the same picture and agree on every word, in one model."""

from itertools import chain

import keras
import numpy as np
from keras import ops

from captioner.decoder import Decoder
from captioner.errors import require


@keras.saving.register_keras_serializable(package="captioner")
class JointDecoder(keras.layers.Layer):
    """The mean of the word probabilities of some decoders, in a decoder's place.

    Unlike an `Ensemble`, which asks whole captioners, it needs the picture encoded only once, and
    lies in one file with its CNN. It writes captions; it is not trained, its members are.

    Args:
        members: list of Decoder, or of their configs: of one vocabulary and one encoder, all with
            attention or all without.

    Call arguments, and `start` and `step`: those of `Decoder`.

    Returns:
        Logarithms of the mean probabilities, tensor (batch, time, vocabulary_size).

    Raises:
        CaptionerError: The members do not take the same words and pictures.

    Example:
    >>> one, two = (Decoder(100, 12, units=16, cell=cell) for cell in ("lstm", "gru"))
    >>> JointDecoder([one, two])(np.array([[1, 5, 6]]), np.ones((1, 12), "float32")).shape
    (1, 3, 100)

    Reference: Vinyals et al. 2017, "Show and tell: lessons learned", section 4.3.3.
    """

    def __init__(self, members, **kwargs):
        super().__init__(**kwargs)
        self.members = [
            Decoder.from_config(each) if isinstance(each, dict) else each for each in members
        ]
        first = self.members[0]
        for other in self.members[1:]:
            for name in ("vocabulary_size", "image_features", "attention"):
                one, two = getattr(first, name), getattr(other, name)
                require(one == two, f"decoders with {name} {one} and {two} cannot be joined")
        self.vocabulary_size = first.vocabulary_size
        self.image_features = first.image_features
        self.attention = first.attention
        # How many arrays each member's context and state are.
        regions = () if self.attention == "none" else (2,)
        blank = ops.zeros((1, *regions, self.image_features))
        self._sizes = [[len(part) for part in each.start(blank)] for each in self.members]
        self.build((None, None), (None, self.image_features))

    def build(self, words_shape, image_shape):
        self.built = True

    @property
    def implementation(self):
        """`"custom"` or `"keras"`, or both where the members differ."""
        return "+".join(sorted({each.implementation for each in self.members}))

    def call(self, words, image, training=False, return_attention=False):
        flags = {"training": training, "return_attention": return_attention}
        found = [each(words, image, **flags) for each in self.members]
        if not return_attention:
            return mean_log_probability(found)
        logits, weights = zip(*found, strict=True)
        looked = None if weights[0] is None else ops.mean(ops.stack(weights), axis=0)
        return mean_log_probability(logits), looked

    def start(self, image, training=False):
        parts = [each.start(image, training) for each in self.members]
        contexts, states = zip(*parts, strict=True)
        return list(chain(*contexts)), list(chain(*states))

    def step(self, words, context, state):
        log_probs, new_state = [], []
        for member, (contexts, states) in zip(self.members, self._sizes, strict=True):
            found, after = member.step(words, context[:contexts], state[:states])
            context, state = context[contexts:], state[states:]
            log_probs.append(found)
            new_state += after
        return mean_log_probability(log_probs), new_state

    def get_config(self):
        return {**super().get_config(), "members": [each.get_config() for each in self.members]}


def mean_log_probability(logits):
    """The logarithm of the mean of the probabilities that several logits (..., words) stand for."""
    log_probs = ops.log_softmax(ops.cast(ops.stack(logits), "float32"), axis=-1)
    return ops.logsumexp(log_probs, axis=0) - np.log(len(logits))
