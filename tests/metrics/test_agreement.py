"""People against people."""

import pytest

from captioner import metrics
from captioner.errors import CaptionerError


def test_each_caption_is_left_out_in_turn_and_scored_against_the_others():
    references = {1: ["a dog runs", "a dog", "dogs run"], 2: ["a cat", "the cat sleeps", "cats"]}
    by_hand = [
        metrics.score(
            {name: texts[:n] + texts[n + 1 :] for name, texts in references.items()},
            {name: texts[n] for name, texts in references.items()},
        )
        for n in range(3)
    ]
    found = metrics.agreement(references)
    for name in ("BLEU-1", "ROUGE-L", "CIDEr"):
        assert found[name] == pytest.approx(sum(each[name] for each in by_hand) / 3)


def test_pictures_with_fewer_captions_take_part_as_long_as_they_can():
    references = {1: ["a dog", "a dog", "a dog"], 2: ["a cat", "a cat"], 3: ["alone"]}
    assert metrics.agreement(references, ["bleu"])["BLEU-1"] == pytest.approx(1.0)


def test_without_two_people_there_is_no_agreement():
    with pytest.raises(CaptionerError, match="no picture has two captions"):
        metrics.agreement({1: ["a dog"]})
