"""Several data sets weighed against each other: what comes in which epoch."""

from collections import Counter

import numpy as np
import pytest

from captioner.errors import CaptionerError
from captioner.training.balance import Balance
from captioner.training.batches import EncodedCaptions, batches_of
from captioner.vocabulary import Vocabulary

SMALL, LARGE = 10, 90
SETS = ["small"] * SMALL + ["large"] * LARGE
ONCE = np.ones(len(SETS), int)


def epochs(shares, count=12, captions=ONCE, seed=0, stage=0):
    balance = Balance(SETS, shares, seed)
    pictures = np.arange(len(captions))
    return [balance.items(pictures, captions, stage, epoch) for epoch in range(count)]


def test_every_set_has_its_share_in_every_epoch():
    for small in (0.5, 0.25, 0.013):
        for items in epochs({"small": small, "large": 1 - small}):
            assert len(items) == len(SETS)
            assert np.count_nonzero(items < SMALL) == round(100 * small)


def test_a_small_set_comes_again_and_a_large_one_in_parts():
    found = epochs({"small": 0.5, "large": 0.5})
    for items in found:
        assert set(Counter(items[items < SMALL].tolist()).values()) == {5}
    first, second = (set(items[items >= SMALL].tolist()) for items in found[:2])
    assert len(first) == 50
    assert len(first | second) == LARGE
    for passed in range(1, len(found)):
        seen = Counter(np.concatenate(found[:passed]).tolist())
        counts = [seen[n] for n in range(SMALL, len(SETS))]
        assert max(counts) - min(counts) <= 1


def test_without_weights_everything_comes_once():
    [items] = epochs({}, 1)
    np.testing.assert_array_equal(items, np.arange(len(SETS)))


def test_an_epoch_is_drawn_by_seed_stage_and_number():
    shares = {"small": 0.4, "large": 0.6}
    one, same = epochs(shares), epochs(shares)
    np.testing.assert_array_equal(one, same)
    for other in (epochs(shares, seed=1), epochs(shares, stage=1), one[1:]):
        assert not np.array_equal(one[0], other[0])


def test_a_share_is_of_captions_not_of_pictures():
    """With one caption a picture in one set and five in the other."""
    captions = np.array([1] * SMALL + [5] * LARGE)
    for items in epochs({"small": 0.5, "large": 0.5}, captions=captions):
        assert captions[items].sum() == captions.sum()
        assert captions[items][items < SMALL].sum() == 230


def test_pictures_without_a_weight():
    with pytest.raises(CaptionerError, match=r"--data-weights: weigh 'a', 'b', and .* of 'a'"):
        Balance(["a"], {"a": 0.5, "b": 0.5}, 0)


@pytest.mark.parametrize("captions_each", [1, 2])
def test_batches_hold_what_was_drawn(captions_each):
    texts = [["a " * (1 + n % 9), "a a"] for n in range(len(SETS))]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=12)
    balance = Balance(SETS, {"small": 0.5, "large": 0.5}, 0)
    items = balance.items(*encoded.items(captions_each), stage=0, epoch=0)
    batches = batches_of(encoded, 8, captions_each, np.random.default_rng(0), items)
    captions = np.concatenate([batch.captions for batch in batches])
    pictures = np.concatenate([batch.pictures for batch in batches])
    assert len(captions) == len(encoded)
    assert np.count_nonzero(encoded.pictures[captions] < SMALL) == len(encoded) // 2
    np.testing.assert_array_equal(np.repeat(pictures, captions_each), encoded.pictures[captions])
    drawn = captions if captions_each == 1 else pictures
    assert Counter(drawn.tolist()) == Counter(items.tolist())


def test_all_epochs_have_batches_of_the_same_shapes():
    """Though each takes another part of a large set, of which some captions are long."""
    texts = [["a " * (1 + n % 30)] for n in range(len(SETS))]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=40)
    balance = Balance(SETS, {"small": 0.8, "large": 0.2}, 0)
    lengths = [
        {batch.length for batch in batches_of(encoded, 2, 1, np.random.default_rng(0), items)}
        for items in (balance.items(*encoded.items(1), stage=0, epoch=n) for n in range(9))
    ]
    everything = {batch.length for batch in batches_of(encoded, 2, 1)}
    assert all(each <= everything for each in lengths)
