import pytest

from captioner.metrics import diversity


def test_by_hand():
    captions = ["A dog.", "a dog", "a red bus", "two men talk"]

    assert diversity(captions, ["A red bus!", "a red", "cats"]) == {
        "distinct": 3 / 4,
        "copied": 1 / 4,
        "words": 7,  # a dog red bus two men talk
        "length": 10 / 4,
    }


def test_no_captions():
    assert diversity([], ["a dog"]) == {"distinct": 0, "copied": 0, "words": 0, "length": 0}


def test_training_captions_may_be_a_generator():
    assert diversity(["a", "b"], (text for text in ["b"]))["copied"] == pytest.approx(0.5)
