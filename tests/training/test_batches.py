"""Batches: every caption once, in few shapes."""

from collections import Counter

import numpy as np
import pytest

from captioner.training.batches import (
    EncodedCaptions,
    batches_of,
    bucket_length,
    caption_batches,
    filled,
    picture_batches,
    some_captions,
)
from captioner.vocabulary import END, START, Vocabulary


def test_batches_hold_every_caption_once():
    vocabulary = Vocabulary(["a", "b"])
    texts = [["a " * n, "b a"] for n in range(1, 12)]
    encoded = EncodedCaptions(texts, vocabulary, max_length=8)
    assert encoded.cut == 3
    assert all(length > 8 for length in encoded.cut_lengths)
    batches = caption_batches(encoded, 4, np.random.default_rng(0))
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(22))
    for numbers, length in batches:
        words, targets = encoded.matrix(numbers, 4, length)
        assert words.shape == targets.shape == (4, length)
        assert (words[: len(numbers), 0] == START).all()
        for row, number in enumerate(numbers):
            real = targets[row][targets[row] != 0]
            assert len(real) == encoded.lengths[number]
            is_cut = number % 2 == 0 and number // 2 + 1 > 8
            assert (real[-1] == END) != is_cut
            np.testing.assert_array_equal(words[row, 1 : len(real)], real[:-1])


def test_a_bucket_of_a_few_batches_joins_the_next_longer_one():
    counts = [2] * 40 + [6] * 6 + [10] * 30 + [14] * 2 + [22] + [26]
    texts = [["a " * length] for length in counts]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=30)
    batches = caption_batches(encoded, 4)  # a bucket is worth it from 8 batches of 4 on
    lengths = Counter(length for numbers, length in batches for _ in numbers)
    assert lengths == {4: 40, 12: 36, 24: 3, 28: 1}
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(len(texts)))
    batches = caption_batches(encoded, 4, most_lengths=2)
    lengths = Counter(length for numbers, length in batches for _ in numbers)
    assert lengths == {4: 40, 28: 40}
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(len(texts)))


def test_picture_batches_hold_every_picture_once_with_its_captions():
    texts = [["a"] * (1 + n % 3) for n in range(10)]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=8)
    batches = picture_batches(encoded, 4, 2, np.random.default_rng(0))
    assert sorted(n for pictures, _, _ in batches for n in pictures) == list(range(10))
    for pictures, captions, _ in batches:
        for picture, pair in zip(pictures, captions.reshape(-1, 2), strict=True):
            real = [n for n in pair if n >= 0]
            assert len(real) == min(2, len(texts[picture]))
            assert {encoded.pictures[n] for n in real} == {picture}


def test_a_batch_is_filled_with_rows_of_zeros_of_its_own_type():
    for kind in ("float16", "float32", "uint8", "int64"):
        found = filled(np.ones((2, 3), kind), 5)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, [[1] * 3] * 2 + [[0] * 3] * 3)
    full = np.arange(4)
    np.testing.assert_array_equal(filled(full, 4), full)
    assert filled(np.zeros((0, 2, 2), "uint8"), 3).shape == (3, 2, 2)


def test_batches_have_rows_for_a_full_one():
    encoded = EncodedCaptions([["a", "a a"], ["a"], ["a a a"]], Vocabulary(["a"]), max_length=8)
    [batch] = batches_of(encoded, pictures_a_step=4, captions_each=2)
    assert (batch.rows, batch.length, batch.count) == (8, 4, 4)
    np.testing.assert_array_equal(batch.pictures, [0, 1, 2])
    np.testing.assert_array_equal(batch.captions, [0, 1, 2, -1, 3, -1])
    singles = batches_of(encoded, pictures_a_step=3, captions_each=1)
    assert [(batch.rows, batch.count) for batch in singles] == [(3, 3), (3, 1)]


def test_some_captions_of_a_picture():
    captions = np.array([5, 6, 7])
    np.testing.assert_array_equal(some_captions(captions, 2), [5, 6])
    np.testing.assert_array_equal(some_captions(captions, 4), [5, 6, 7, -1])
    drawn = {tuple(some_captions(captions, 2, np.random.default_rng(seed))) for seed in range(30)}
    assert drawn == {(one, other) for one in captions for other in captions if one != other}


@pytest.mark.parametrize(("length", "wanted"), [(1, 4), (4, 4), (5, 8), (12, 12)])
def test_lengths_are_rounded_up(length, wanted):
    assert bucket_length(length) == wanted
