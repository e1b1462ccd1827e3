"""How often captions like this one are right: Platt scaling of what the search knows.

Two facts about a caption are weighed, and the logistic function makes a probability of them: the
mean probability of its words, and their number, the end included in both. Neither depends on the
length penalty, so a caption has the same confidence whatever search found it. The weights are
learned from captions that are known to be right or not (`captioner.metrics.calibration`).

Reference: Platt 1999, "Probabilistic outputs for support vector machines and comparisons to
regularized likelihood methods", section 2.2.
"""

from dataclasses import asdict, dataclass, fields
from numbers import Real

import numpy as np

from captioner.errors import require

RIDGE = 1.0  # how strongly weights are drawn to 0, as much as one caption could say against it
STEPS = 50  # of Newton's method, at most; it takes about five
MOST = 1e6  # that a weight may be: a model's file can come from anyone
LARGEST = 30.0  # of the logistic function's argument: the result stays between 0 and 1


@dataclass(frozen=True)
class Confidence:
    """A caption's probability of being right.

    Args:
        bias: float. The same for every caption.
        probability: float. Weight of the mean probability of the words.
        length: float. Weight of the number of words.

    Raises:
        CaptionerError: A value is not a number, or too large.

    Example:
    >>> confidence = Confidence(bias=-3.0, probability=6.0, length=-0.02)
    >>> round(confidence.of([-0.2, -0.1, -0.2]), 2)
    0.88
    """

    bias: float
    probability: float
    length: float

    def __post_init__(self):
        for name, value in asdict(self).items():
            is_number = isinstance(value, Real) and not isinstance(value, bool)
            require(
                is_number and abs(value) <= MOST,
                f"stored confidence: {name} {value!r}: must be a number from -{MOST:g} to {MOST:g}",
            )

    def of(self, word_scores):
        """The confidence of a caption.

        Args:
            word_scores: sequence of float. The log-probability of each word, the end's last.

        Returns:
            float, from 0 to 1.
        """
        [confidence] = _logistic(_facts([word_scores]) @ [self.probability, self.length], self.bias)
        return float(confidence)

    def to_config(self):
        """A dict of numbers, as JSON has them."""
        return asdict(self)

    @classmethod
    def from_config(cls, config):
        """The confidence that `to_config` describes; None for None, of a model that has none.

        Raises:
            CaptionerError: It does not describe one.
        """
        if config is None:
            return None
        names = [each.name for each in fields(cls)]
        require(
            isinstance(config, dict) and sorted(config) == sorted(names),
            f"stored confidence: must be the numbers {', '.join(names)}",
        )
        return cls(**config)

    @classmethod
    def fit(cls, word_scores, is_right, weights=None):
        """Learns from captions that are known to be right or not.

        Args:
            word_scores: list (captions) of sequences of float, as `of` takes them.
            is_right: sequence (captions) of bool.
            weights: sequence (captions) of float. How much each counts; their mean is 1. Defaults
                to `None`, all the same.

        Example:
        >>> likely, unlikely = [-0.1, -0.1], [-2.0, -2.0]
        >>> confidence = Confidence.fit([likely, unlikely] * 20, [True, False] * 20)
        >>> confidence.of(likely) > 0.8, confidence.of(unlikely) < 0.2
        (True, True)
        """
        facts = _facts(word_scores)
        weights = np.ones(len(facts)) if weights is None else np.asarray(weights, float)
        return cls(*platt_scaling(facts, np.asarray(is_right, bool), weights))


def platt_scaling(facts, is_right, weights):
    """Logistic regression, by Newton's method, of whether captions are right.

    Its targets are Platt's, a little less than 1 and a little more than 0. A small ridge on the
    weights of the standardised facts keeps them finite where right captions can be told from others
    without a mistake.

    Args:
        facts: float array (captions, facts).
        is_right: bool array (captions,).
        weights: float array (captions,). How much each caption counts; their mean is 1.

    Returns:
        list of float: the bias, then the weight of each fact.
    """
    right, wrong = weights[is_right].sum(), weights[~is_right].sum()
    targets = np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
    means = np.average(facts, axis=0, weights=weights)
    spreads = np.sqrt(np.average((facts - means) ** 2, axis=0, weights=weights))
    spreads = np.where(spreads > 1e-9, spreads, 1.0)  # a fact that is always the same
    bias, *found = _regression((facts - means) / spreads, targets, weights)
    found = np.array(found) / spreads
    return [float(bias - found @ means), *map(float, found)]


def _facts(word_scores):
    """The mean probability of the words of captions, and their number: (captions, 2)."""
    rows = [np.nan_to_num(np.asarray(each, float), nan=-np.inf) for each in word_scores]
    means = [np.exp(np.minimum(each, 0)).mean() if len(each) else 0.0 for each in rows]
    return np.stack([means, [float(len(each)) for each in rows]], axis=-1)


def _regression(facts, targets, weights):
    """The coefficients of a logistic regression, that of the constant first."""
    inputs = np.concatenate([np.ones((len(facts), 1)), facts], axis=1)
    ridge = np.diag([1e-6, *[RIDGE] * facts.shape[1]])  # hardly any on the constant
    found = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        probabilities = _logistic(inputs @ found)
        slope = inputs.T @ (weights * (targets - probabilities)) - ridge @ found
        curvature = weights * probabilities * (1 - probabilities)
        step = np.linalg.solve((inputs.T * curvature) @ inputs + ridge, slope)
        found += step
        if np.abs(step).max() < 1e-9:
            break
    return found


def _logistic(values, bias=0.0):
    return 1 / (1 + np.exp(-np.clip(values + bias, -LARGEST, LARGEST)))
