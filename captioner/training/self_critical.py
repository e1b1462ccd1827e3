"""Self-critical training: captions the model makes up are rewarded by their CIDEr-D.

Teacher forcing asks for the next word of people's captions; what counts in the end is the whole
caption the model writes alone. Here it samples several captions of each picture, and the words of
those that score better than the rest become likelier.

Reference: Rennie et al. 2017, "Self-critical sequence training"; the mean of the other samples as
baseline: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!".
"""

import numpy as np
from keras import ops

from captioner.compiled import XLA, CompiledModel
from captioner.metrics.cider import CiderD
from captioner.training.teacher_forcing import TeacherForcing, forbid, word_loss
from captioner.vocabulary import END, PAD, START

SAMPLES = 5  # captions of each picture
END_WORD = "<end>"


class Sampler(CompiledModel):
    """Draws captions word by word from the decoder's probabilities, image dropout applied.

    With all of the picture the decoder knows its training pictures by heart, and what it would
    say of those teaches little about new ones.

    Args:
        captioner: Captioner.

    Call arguments:
        inputs: dict with `image` (pictures, ...), as `Captioner.see` gives it, and `chance`, float
            (captions, words) between 0 and 1, which decides what is drawn; each picture for an
            equal number of successive captions.

    Returns:
        int tensor (captions, words): the words, the end id, then padding.
    """

    def __init__(self, captioner):
        super().__init__()
        self.captioner = captioner
        self.built = True
        self.compile(jit_compile=XLA)

    def call(self, inputs):
        chance, decoder = inputs["chance"], self.captioner.decoder
        context, state = decoder.start(inputs["image"], training=True)
        each = chance.shape[0] // inputs["image"].shape[0]
        context, state = ([ops.repeat(value, each, axis=0) for value in values]
                          for values in (context, state))  # fmt: skip
        word = ops.full((chance.shape[0],), START, "int32")
        ended = ops.zeros((chance.shape[0],), "bool")
        words = []
        for t in range(chance.shape[1]):
            log_probs, state = decoder.step(word, context, state)
            word = ops.where(ended, PAD, draw(forbid(log_probs), chance[:, t]))
            ended = ops.logical_or(ended, ops.equal(word, END))
            words.append(word)
        return ops.stack(words, axis=1)


def draw(logits, chance):
    """The word at which the summed probabilities exceed a chance.

    Args:
        logits: tensor (captions, vocabulary).
        chance: tensor (captions,), uniform between 0 and 1.

    Returns:
        int tensor (captions,).
    """
    cumulated = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    reached = chance[:, None] * cumulated[:, -1:]  # rounding may end the sum beside 1
    word = ops.sum(ops.cast(cumulated <= reached, "int32"), axis=-1)
    return ops.minimum(word, logits.shape[-1] - 1)


class SelfCritical(TeacherForcing):
    """The captioner as it learns from its own captions: the sample weights are the advantages.

    Without sample weights, in validation, the loss is that of teacher forcing.

    Args:
        captioner: Captioner.
        teacher_weight: float. Weight of teacher forcing beside the rewards, on `teacher_words` and
            `teacher_targets` (captions, time) of the inputs; `0` needs neither. Defaults to `0.0`.
        label_smoothing: float. That of teacher forcing. Defaults to `0.0`.
        text_weight: float. That of teacher forcing: what captions without pictures count beside
            those of `teacher_words`, `teacher_weight` being for both. Defaults to `0.0`.
    """

    def __init__(self, captioner, teacher_weight=0.0, label_smoothing=0.0, text_weight=0.0):
        super().__init__(captioner, label_smoothing, text_weight=text_weight)
        self.teacher_weight = teacher_weight

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if sample_weight is None:
            return super().compute_loss(x, y, y_pred, training=False)
        loss = word_loss(y, forbid(y_pred["logits"]), weights=sample_weight)
        taught = self.taught(x, "teacher", "image")
        taught += self.text_weight * self.taught(x, "text", "text_image")
        return loss + self.beside(x, y, y_pred) + self.teacher_weight * taught


class Reward:
    """CIDEr-D of sampled captions against those of people, the end of a caption counted as a word.

    Without it a caption that breaks off, "a dog running on a", would lose nothing (Hu et al. 2023,
    arXiv 2305.12254). Words are weighed by how rare they are in the training captions.

    Args:
        captions: list (pictures) of lists of str, the training captions.
        vocabulary: Vocabulary.

    Example:
    >>> reward = Reward([["a dog runs"], ["a cat", "one cat"]], Vocabulary(["dog", "runs", "cat"]))
    >>> reward(np.array([0, 0]), np.array([[4, 5, 2], [6, 2, 0]]))
    array([4.16..., 0.92...])
    """

    def __init__(self, captions, vocabulary):
        self._vocabulary = vocabulary
        self._cider = CiderD(
            {
                picture: [[*vocabulary.tokens(text), END_WORD] for text in texts]
                for picture, texts in enumerate(captions)
            }
        )

    def __call__(self, pictures, words):
        """The rewards of captions (captions, time), each of the picture (captions,) so numbered."""
        return self._cider.score(
            list(zip(pictures.tolist(), map(self._tokens, words), strict=True))
        )

    def _tokens(self, words):
        words = [each for each in words.tolist() if each != PAD]
        is_ended = words[-1:] == [END]
        tokens = [self._vocabulary.word(each) for each in words[: len(words) - is_ended]]
        return [*tokens, END_WORD] if is_ended else tokens


def advantages(rewards):
    """How much better each sample is than the mean of the others of its picture.

    Args:
        rewards: array (pictures, samples), two or more samples.
    """
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    return rewards - others


def as_inputs(words, length):
    """Sampled captions as teacher forcing takes them.

    Args:
        words: int array (captions, words).
        length: int. Columns of the result.

    Returns:
        (inputs, targets): int arrays (captions, length); no word is to be predicted after the end.
    """
    targets = np.zeros((len(words), max(length, words.shape[1])), "int32")
    targets[:, : words.shape[1]] = words
    inputs = np.concatenate([np.full((len(words), 1), START), targets[:, :-1]], axis=1)
    inputs[targets == PAD] = PAD
    return inputs[:, :length].astype("int32"), targets[:, :length]
