"""Scores of every data set by itself, and their mean."""

import pytest

from captioner.datasets import CaptionDataset
from captioner.training.set_scores import (
    score_names,
    scores_line,
    set_scores,
    several_sets,
    tokenization_of,
)


def dataset_of(*captions):
    numbers = range(len(captions))
    return CaptionDataset([*numbers], [f"{n}.png" for n in numbers], [[each] for each in captions])


ONE = dataset_of("a red dog runs", "two cats sleep here")
TWO = ONE.named("pets").joined(dataset_of("a blue bus stops", "one train is late").named("road"))


def test_the_columns_of_one_set_and_of_several():
    assert several_sets(ONE) == []
    assert score_names(ONE) == ["CIDEr", "BLEU-4"]
    assert several_sets(TWO) == ["pets", "road"]
    assert score_names(TWO) == [
        "CIDEr", "BLEU-4", "CIDEr pets", "CIDEr road", "BLEU-4 pets", "BLEU-4 road",
    ]  # fmt: skip


def test_each_set_is_scored_as_if_it_were_alone():
    said = {n: texts[0] for n, texts in enumerate(TWO.captions)} | {3: "nothing of it"}
    found = set_scores(TWO, said)
    assert list(found) == score_names(TWO)
    alone = [
        set_scores(ONE, {n: said[n] for n in (0, 1)}),
        set_scores(TWO.subset([2, 3]), {n: said[n + 2] for n in (0, 1)}),
    ]
    for score in ("CIDEr", "BLEU-4"):
        assert found[f"{score} pets"] == alone[0][score]
        assert found[f"{score} road"] == alone[1][score]
        assert found[score] == pytest.approx((alone[0][score] + alone[1][score]) / 2)
    assert found["CIDEr pets"] == pytest.approx(10)  # every caption is the reference
    assert found["CIDEr road"] == pytest.approx(5)


def test_captions_without_spaces_are_scored_by_characters():
    """Spaces between them change nothing; without them a caption would be one word, a wrong one."""
    chinese = dataset_of("红狗跑步", "两猫睡觉")
    captions = {0: "红狗很大", 1: "两猫很小"}
    found = set_scores(chinese, captions)
    assert found == set_scores(dataset_of("红 狗 跑 步", "两 猫 睡 觉"), captions)
    assert found["CIDEr"] > 1
    assert tokenization_of(chinese) == "characters"
    assert tokenization_of(TWO) == "ptb"


def test_of_several_sets_all_are_cut_alike():
    """Even where one of them alone would be cut otherwise."""
    chinese = dataset_of("红狗跑步红狗跑步", "两猫睡觉两猫睡觉").named("chinese")
    both = chinese.joined(dataset_of("red dog", "two cats").named("english"))
    assert tokenization_of(both) == "characters"
    found = set_scores(both, {0: "红狗", 1: "两猫", 2: "red dog", 3: "two cats"})
    assert found["CIDEr chinese"] > 0


def test_a_line_for_people():
    assert scores_line(ONE, {"CIDEr": 0.5, "BLEU-4": 0.25}) == "CIDEr 0.5000, BLEU-4 0.2500"
    scores = dict.fromkeys(score_names(TWO), 0.5)
    assert scores_line(TWO, scores) == (
        "CIDEr 0.5000 (pets 0.5000, road 0.5000), BLEU-4 0.5000 (pets 0.5000, road 0.5000)"
    )
