"""How far a confidence can be trusted: learned from people's captions, checked on pictures unseen.

A caption counts as right if its CIDEr-D against people's captions of its picture is at least
`RIGHT`. That level comes closest to what a person who looks at the pictures calls right; it was
measured with `python -m benchmarks.confidence`.
"""

from typing import NamedTuple

import numpy as np

from captioner.confidence import Confidence
from captioner.errors import CaptionerError
from captioner.metrics.scores import score_each

RIGHT = 0.7  # CIDEr-D of a caption, from which it counts as right
FEWEST = 50  # pictures to learn a confidence from
FEWEST_OF_A_KIND = 10  # of them with right captions, and with others
FOLDS = 5  # parts of the pictures, each judged by what the others have taught
BINS = 5  # of the reliability table


class TooFewPicturesError(CaptionerError):
    """There are too few pictures to learn a confidence from, or too few of one kind."""


class Calibration(NamedTuple):
    """A confidence, and how it fares on pictures that it has not learned from.

    Attributes:
        confidence: Confidence. Learned from all pictures.
        unseen: float array (pictures,). Of each picture's caption, by a confidence that was learned
            from the other pictures.
        is_right: bool array (pictures,).
        weights: float array (pictures,). How much each picture counts; their mean is 1.
    """

    confidence: Confidence
    unseen: np.ndarray
    is_right: np.ndarray
    weights: np.ndarray

    def share_right(self):
        """The share of the captions that are right."""
        return float(np.average(self.is_right, weights=self.weights))

    def log_loss(self):
        """The mean of -log p, p being what was thought of how it turned out."""
        thought = np.where(self.is_right, self.unseen, 1 - self.unseen)
        return float(-np.average(np.log(thought), weights=self.weights))

    def auc(self):
        """How often a right caption has more confidence than another one, see `auc`."""
        return auc(self.unseen, self.is_right)

    def reliability(self):
        """Rows of `reliability`."""
        return reliability(self.unseen, self.is_right, self.weights)


def calibrate(sets):
    """Learns a confidence from captions and what people say of the same pictures.

    Args:
        sets: list of (dict from image id to list of str, people's captions; dict from the same ids
            to `Caption`). Each data set counts the same, however many pictures it has, and its
            CIDEr is that of the set alone.

    Returns:
        Calibration.

    Raises:
        TooFewPicturesError: There are too few pictures, or too few with right captions, or with
            others.

    Example:
    >>> dataset = captioner.load_dataset("annotations.json", split="val")
    >>> captions = model.generate(dataset.image_paths, return_details=True)
    >>> found = dict(zip(dataset.image_ids, captions))
    >>> model.confidence = calibrate([(dataset.references(), found)]).confidence
    """
    word_scores, is_right, weights = [], [], []
    for references, captions in sets:
        word_scores += [captions[name].word_scores for name in references]
        is_right += are_right(references, captions)
        weights += [1 / len(references)] * len(references)
    is_right, weights = np.array(is_right), np.array(weights) / np.mean(weights)
    right = int(is_right.sum())
    if len(is_right) < FEWEST or min(right, len(is_right) - right) < FEWEST_OF_A_KIND:
        raise TooFewPicturesError(
            f"{right} of {len(is_right)} captions are right; a confidence needs {FEWEST} pictures "
            f"or more, {FEWEST_OF_A_KIND} of them with right captions and {FEWEST_OF_A_KIND} with "
            "others; give more pictures"
        )

    def learned_from(rows):
        return Confidence.fit([word_scores[n] for n in rows], is_right[rows], weights[rows])

    unseen, folds = np.empty(len(is_right)), np.arange(len(is_right)) % FOLDS
    for fold in range(FOLDS):
        learned = learned_from(np.flatnonzero(folds != fold))
        for n in np.flatnonzero(folds == fold):
            unseen[n] = learned.of(word_scores[n])
    confidence = learned_from(np.arange(len(is_right)))
    return Calibration(confidence, unseen, is_right, weights)


def are_right(references, captions):
    """Which captions count as right, a list of bool in the order of `references`.

    Args:
        references: dict from image id to list of str.
        captions: dict from the same ids to `Caption`.
    """
    scores = score_each(references, {name: each.text for name, each in captions.items()})
    return [scores[name]["CIDEr"] >= RIGHT for name in references]


def auc(values, is_right):
    """The area under the ROC curve.

    Args:
        values: float array (captions,).
        is_right: bool array (captions,).

    Returns:
        float: the share of all pairs of a right caption and another one in which the right one
        has the greater value; a tie is half a pair. 0.5 says nothing, 1 is perfect.

    Example:
    >>> auc([0.1, 0.4, 0.8], [False, True, True])
    1.0
    """
    values, is_right = np.asarray(values), np.asarray(is_right, bool)
    more = values[is_right][:, None] - values[~is_right]
    return float(np.mean((more > 0) + 0.5 * (more == 0)))


def reliability(confidences, is_right, weights=None):
    """How many captions of each confidence are right.

    Args:
        confidences: float array (captions,).
        is_right: bool array (captions,).
        weights: float array (captions,) or None. How much each counts. Defaults to `None`, all
            the same.

    Returns:
        list of (lowest confidence, highest confidence, number of captions, share that is right, or
        None of no captions).

    Example:
    >>> reliability([0.1, 0.5, 0.55], [False, True, False])[2]
    (0.4, 0.6, 2, 0.5)
    """
    confidences, is_right = np.asarray(confidences), np.asarray(is_right, float)
    weights = np.ones(len(is_right)) if weights is None else weights
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    rows = []
    for place in range(BINS):
        here = places == place
        share = float(np.average(is_right[here], weights=weights[here])) if here.any() else None
        rows.append((place / BINS, (place + 1) / BINS, int(here.sum()), share))
    return rows
