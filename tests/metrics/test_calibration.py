"""Calibration: what counts as right, and what is said of pictures that were not learned from."""

import numpy as np
import pytest

from captioner.generation import Caption
from captioner.metrics.calibration import (
    FEWEST,
    RIGHT,
    TooFewPicturesError,
    are_right,
    auc,
    calibrate,
    reliability,
)

COLOURS = ["red", "green", "blue", "black"]


def some(count, seed=0, sureness=1.0):
    """References and captions; the surer a caption is, the more often it is right."""
    rng = np.random.default_rng(seed)
    references, captions = {}, {}
    for n in range(count):
        colour, other = COLOURS[n % 4], COLOURS[(n + 1) % 4]
        references[n] = [f"a {colour} field under a wide sky"] * 2
        probability = rng.random()
        said = colour if rng.random() < probability else other
        scores = np.log(np.full(7, max(probability, 0.01))) * sureness
        text = f"a {said} field under a wide sky" if said == colour else f"some {said} thing"
        captions[n] = Caption(text, scores.mean(), (), tuple(scores))
    return references, captions


def test_right_is_a_level_of_cider():
    references, captions = some(40)
    found = are_right(references, captions)
    same = [captions[n].text == references[n][0] for n in references]
    assert found == same  # those score 10 or near it, the rest next to nothing
    assert 0.5 <= RIGHT <= 1


def test_the_confidence_is_how_often_captions_are_right():
    found = calibrate([some(600)])
    assert len(found.unseen) == len(found.is_right) == 600
    assert found.auc() > 0.75  # perfect knowledge of the probabilities has 5/6
    assert found.log_loss() < 0.58  # knowing nothing has log 2, .69
    for lowest, highest, count, share in found.reliability():
        assert count > 20
        assert lowest - 0.12 < share < highest + 0.12
    assert found.share_right() == pytest.approx(found.is_right.mean())


def test_each_set_counts_the_same():
    """One set is always right and the other never, at the same probabilities."""
    references, _ = some(400)
    sure = {n: Caption(texts[0], 0.0, (), (-0.5,) * 7) for n, texts in references.items()}
    wrong = {n: Caption("x", 0.0, (), (-0.5,) * 7) for n in range(40)}
    found = calibrate([(references, sure), ({n: references[n] for n in range(40)}, wrong)])
    assert found.share_right() == pytest.approx(0.5)
    assert found.confidence.of([-0.5] * 7) == pytest.approx(0.5, abs=0.01)
    assert found.weights.mean() == pytest.approx(1)


def test_no_picture_is_judged_by_what_it_has_taught():
    references, captions = some(100)
    before = calibrate([(references, captions)])
    captions[7] = captions[7]._replace(text="x" if before.is_right[7] else references[7][0])
    after = calibrate([(references, captions)])
    assert np.flatnonzero(after.is_right != before.is_right).tolist() == [7]
    assert after.confidence != before.confidence
    assert after.unseen[7] == before.unseen[7]
    assert after.unseen[8] != before.unseen[8]


@pytest.mark.parametrize(("count", "wrong"), [(FEWEST - 1, 20), (FEWEST, 5), (FEWEST, 45)])
def test_too_few_pictures_are_one_line(count, wrong):
    references, _ = some(count)
    captions = {
        n: Caption(texts[0] if n >= wrong else "x", 0.0, (), (-1.0,))
        for n, texts in references.items()
    }
    with pytest.raises(TooFewPicturesError, match=f"{count - wrong} of {count} captions are right"):
        calibrate([(references, captions)])


def test_auc_counts_pairs():
    assert auc([0.9, 0.2, 0.5, 0.5], [True, False, True, False]) == pytest.approx(3.5 / 4)
    assert auc([1, 2, 3], [True, False, False]) == 0


def test_reliability_has_a_row_for_each_fifth():
    rows = reliability([0.0, 0.19, 0.2, 1.0], [True, False, True, True], np.array([3.0, 1, 1, 1]))
    assert rows == [
        (0.0, 0.2, 2, 0.75), (0.2, 0.4, 1, 1.0), (0.4, 0.6, 0, None), (0.6, 0.8, 0, None),
        (0.8, 1.0, 1, 1.0),
    ]  # fmt: skip
