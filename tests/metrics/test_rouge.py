import itertools
import random

import pytest

from captioner.metrics.rouge import rouge_l

words = str.split


def test_by_hand():
    # Lin 2004, section 3.1: "police the gunman" is common to both, 3 of 4 words on both sides
    score = rouge_l([words("police killed the gunman")], words("police kill the gunman"))

    assert score == pytest.approx(0.75)


def test_precision_and_recall_are_the_best_of_all_references():
    # precision 3/4 from the second reference, recall 1 from the first
    references = [["a", "dog"], words("a dog runs on the beach")]

    expected = 2.44 * 0.75 / (1 + 1.44 * 0.75)
    assert rouge_l(references, words("a dog now runs")) == pytest.approx(expected)


def test_nothing_in_common_and_empty_texts():
    assert rouge_l([["a"]], ["b"]) == 0.0
    assert rouge_l([["a"]], []) == 0.0
    assert rouge_l([[]], ["a"]) == 0.0
    assert rouge_l([[]], []) == 1.0  # coco-caption compares two empty words


def test_the_common_subsequence_is_the_longest():
    chance = random.Random(0)
    for _ in range(200):
        caption = chance.choices("abc", k=chance.randint(1, 7))
        reference = chance.choices("abc", k=len(caption))
        # same length on both sides, so the F-score is the share of words in common
        expected = _longest(caption, reference) / len(caption)
        assert rouge_l([reference], caption) == pytest.approx(expected)


def _longest(one, other):
    """By trying every subsequence of `one`, the longest first."""
    for length in range(len(one), 0, -1):
        for part in itertools.combinations(one, length):
            rest = iter(other)
            if all(word in rest for word in part):
                return length
    return 0
