"""Which epoch is the best, where CIDEr tells and where it does not."""

import math

import pytest

from captioner.training.choosing import goodness, is_best, is_progress, waits


def epochs_of(*rows):
    return [goodness({"CIDEr": cider, "val_loss": loss}) for cider, loss in rows]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((0.6, 3.0), (0.5, 2.0)),  # CIDEr first: it may rise with the loss, as with rewards
        ((0.0, 2.0), (0.0, 2.1)),
        ((0.5, 2.0), (0.5, 2.1)),
        ((0.50001, 2.0), (0.50004, 2.1)),  # 0.5000 both
        ((0.0, 2.0), (0.0, math.nan)),
        ((0.0, 2.0), (0.0, math.inf)),
        ((1e-9, 2.0), (3e-9, 2.1)),
    ],
)
def test_cider_decides_and_of_equal_ones_the_loss(better, worse):
    one, other = epochs_of(better, worse)
    assert one > other
    assert is_best(one, [other])
    assert not is_best(other, [one])


def test_of_equal_epochs_the_first_stays():
    [epoch] = epochs_of((0.5, 2.0))
    assert is_best(epoch, [])
    assert not is_best(epoch, [epoch])
    assert not is_progress(epoch, [epoch])


@pytest.mark.parametrize(("pictures", "decides"), [(1, False), (7, False), (8, True), (999, True)])
def test_of_few_pictures_cider_does_not_count(pictures, decides):
    one, other = (
        goodness({"CIDEr": cider, "val_loss": loss}, pictures)
        for cider, loss in ((0.6, 3.0), (0.5, 2.0))
    )
    assert (one > other) is decides


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([], []),
        ([(0, 3.0), (0, 2.9), (0, 2.8)], [0, 0, 0]),  # no caption is right yet
        ([(0, 3.0), (0, 3.1), (0, 2.95), (0, 2.95)], [0, 1, 0, 1]),
        ([(0.5, 3.0), (0.4, 2.9), (0.4, 2.9), (0.4, 3.1)], [0, 0, 1, 2]),
        ([(0.5, 2.0), (0.6, 2.5), (0.7, 3.0), (0.6, 3.1)], [0, 0, 0, 1]),  # with rewards
        ([(0, math.nan), (0, math.nan), (0, 3.0)], [0, 1, 0]),
    ],
)
def test_an_epoch_is_progress_by_its_score_or_by_its_loss(rows, wanted):
    assert waits(epochs_of(*rows)) == wanted
