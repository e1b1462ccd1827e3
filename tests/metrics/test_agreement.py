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


def test_every_round_has_all_pictures_with_two_captions_at_least():
    references = {1: ["a dog", "a dog", "a dog", "a"], 2: ["a cat", "a cat"], 3: ["alone"]}
    rounds = [
        metrics.score({1: texts, 2: ["a cat"]}, {1: "a dog", 2: "a cat"}, ["cider"])["CIDEr"]
        for texts in (references[1][1:], references[1][:1] + references[1][2:])
    ]
    found = metrics.agreement(references, ["cider"])["CIDEr"]
    assert found == pytest.approx(sum(rounds) / 2)
    assert found > 1


def test_without_two_people_there_is_no_agreement():
    with pytest.raises(CaptionerError, match="no picture has two captions"):
        metrics.agreement({1: ["a dog"]})
