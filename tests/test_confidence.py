"""Confidence: a probability whatever comes in, and what it learns is what the captions were."""

import json
import math

import numpy as np
import pytest

from captioner import CaptionerError
from captioner.confidence import Confidence

CONFIDENCE = Confidence(bias=-2.0, probability=5.0, length=-0.1)


def test_by_hand():
    scores = [math.log(0.5), math.log(0.9), math.log(1.0)]
    argument = -2.0 + 5.0 * (0.5 + 0.9 + 1.0) / 3 - 0.1 * 3
    assert CONFIDENCE.of(scores) == pytest.approx(1 / (1 + math.exp(-argument)))


@pytest.mark.parametrize(
    "scores",
    [[], [0.0], [-1e9], [-2.5e8] * 40, [float("-inf")], [float("nan"), -1.0], [5.0], [-0.1] * 9999],
)
@pytest.mark.parametrize("size", [0.0, 1.0, -1.0, 1e6, -1e6])
def test_it_is_a_probability_whatever_comes_in(scores, size):
    value = Confidence(size, size, -size).of(np.array(scores, "float32"))
    assert isinstance(value, float)
    assert 0 <= value <= 1


def test_the_surer_the_words_the_more_confidence():
    values = [CONFIDENCE.of([score] * 8) for score in np.linspace(-6, 0, 30)]
    assert values == sorted(values)
    assert len(set(values)) == 30


def test_it_survives_json():
    config = json.loads(json.dumps(CONFIDENCE.to_config()))
    assert Confidence.from_config(config) == CONFIDENCE
    assert Confidence.from_config(None) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([1, 2, 3], "must be the numbers bias, probability, length"),
        ({"bias": 0.0}, "must be the numbers"),
        ({"bias": 0.0, "probability": 1.0, "length": 1.0, "sex": 1.0}, "must be the numbers"),
        ({"bias": "0", "probability": 1.0, "length": 1.0}, "bias '0': must be a number"),
        ({"bias": 0.0, "probability": True, "length": 1.0}, "probability True: must be"),
        ({"bias": 0.0, "probability": 1.0, "length": math.nan}, "length nan: must be"),
        ({"bias": 10**400, "probability": 1.0, "length": 1.0}, "must be a number from"),
    ],
)
def test_what_is_not_a_confidence_is_one_line(config, message):
    with pytest.raises(CaptionerError, match=message):
        Confidence.from_config(config)


def drawn(count, bias, probability, length, seed=0):
    """Captions of which each is right with the probability that the weights say."""
    rng = np.random.default_rng(seed)
    scores = [np.log(rng.uniform(0.05, 1, rng.integers(4, 20))) for _ in range(count)]
    truth = Confidence(bias, probability, length)
    return scores, rng.random(count) < [truth.of(each) for each in scores]


def test_the_weights_that_made_the_captions_are_found_again():
    found = Confidence.fit(*drawn(20000, -2.0, 6.0, -0.15))
    assert found.bias == pytest.approx(-2.0, abs=0.35)
    assert found.probability == pytest.approx(6.0, abs=0.6)
    assert found.length == pytest.approx(-0.15, abs=0.02)


def test_the_mean_confidence_is_the_share_that_is_right():
    """So it is in every logistic regression with a constant; Platt's targets move it a little."""
    scores, is_right = drawn(400, -3.0, 4.0, 0.02)
    weights = np.where(np.arange(400) < 100, 3.0, 1 / 3)
    for given in (None, weights):
        found = Confidence.fit(scores, is_right, given)
        values = [found.of(each) for each in scores]
        share = np.average(is_right, weights=given)
        assert np.average(values, weights=given) == pytest.approx(share, abs=0.01)


def test_a_weight_of_two_is_the_same_caption_twice():
    scores, is_right = drawn(60, -2.0, 5.0, 0.0)
    twice = Confidence.fit(scores * 2, np.tile(is_right, 2))
    weighed = Confidence.fit(scores, is_right, np.full(60, 2.0))
    assert twice.to_config() == pytest.approx(weighed.to_config(), rel=1e-6)


def test_captions_that_can_be_told_apart_without_mistake():
    found = Confidence.fit([[-0.1] * 5] * 30 + [[-3.0] * 5] * 30, [True] * 30 + [False] * 30)
    assert 0.9 < found.of([-0.1] * 5) < 1
    assert 0 < found.of([-3.0] * 5) < 0.1
    assert abs(found.length) < 1e-6  # which was always the same


@pytest.mark.parametrize("share", [0, 1])
def test_captions_of_one_kind_only(share):
    found = Confidence.fit([[-0.1, -0.2]] * 10, [bool(share)] * 10)
    assert found.of([-0.1, -0.2]) == pytest.approx([1 / 12, 11 / 12][share], abs=0.01)  # Platt's
