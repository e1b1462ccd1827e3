"""The golden scores are pycocoevalcap's, see make_golden.py."""

import json

import pytest

from captioner.errors import CaptionerError
from captioner.metrics import score, score_each
from tests.metrics.make_golden import (
    GOLDEN,
    SETS,
    coco_scores,
    load_captions,
    missing,
    part,
)

EXPECTED = json.loads((GOLDEN / "coco_caption.json").read_text(encoding="utf-8"))
REFERENCES, CAPTIONS, _ = load_captions()
FOUR_DECIMALS = 5e-5
with_coco = pytest.mark.skipif(
    missing() is not None, reason=f"compares with pycocoevalcap: {missing()}"
)


@pytest.mark.parametrize("name", SETS)
def test_scores_are_those_of_coco_caption(name):
    scores = score(part(REFERENCES, name), part(CAPTIONS, name))

    assert scores == pytest.approx(EXPECTED["scores"][name], abs=FOUR_DECIMALS)


def test_the_scores_of_each_caption_are_those_of_coco_caption():
    each = score_each(REFERENCES, CAPTIONS)

    assert list(each) == list(REFERENCES)
    for found, expected in zip(each.values(), EXPECTED["each"], strict=True):
        assert found == pytest.approx(expected, abs=FOUR_DECIMALS)


@with_coco
@pytest.mark.parametrize("name", SETS)
def test_scores_agree_with_coco_caption_here(name):
    references, captions = part(REFERENCES, name), part(CAPTIONS, name)
    expected, expected_each = coco_scores(references, captions)

    assert score(references, captions) == pytest.approx(expected, abs=FOUR_DECIMALS)
    for image, found in score_each(references, captions).items():
        assert found == pytest.approx(expected_each[image], abs=FOUR_DECIMALS)


def test_the_order_of_ids_does_not_matter():
    backwards = dict(reversed(CAPTIONS.items()))

    assert score(REFERENCES, backwards) == score(REFERENCES, CAPTIONS)


def test_only_the_chosen_metrics():
    scores = score({1: ["a dog"]}, {1: "a dog"}, ["cider", "rouge"])

    assert list(scores) == ["ROUGE-L", "CIDEr"]
    assert scores["ROUGE-L"] == 1.0


def test_what_cannot_run_says_why_and_the_rest_is_scored(monkeypatch):
    monkeypatch.setenv("PATH", "")

    scores = score({1: ["a dog"]}, {1: "a dog"}, ["meteor", "spice", "rouge"])

    assert scores == {"ROUGE-L": 1.0, "METEOR": "n/a (needs Java)", "SPICE": "n/a (needs Java)"}


def test_empty_captions_are_scored():
    references = {1: ["a dog runs"], 2: ["a cat"]}

    whole = score(references, {1: "a dog runs", 2: "a cat"})
    half = score(references, {1: "a dog runs", 2: ""})

    assert half["ROUGE-L"] == whole["ROUGE-L"] / 2
    assert half["CIDEr"] == score_each(references, {1: "a dog runs", 2: ""})[1]["CIDEr"] / 2


@pytest.mark.parametrize(
    ("references", "captions", "message"),
    [
        ({}, {}, "no captions to score"),
        ({1: ["a"], 2: ["b"], 3: ["c"]}, {1: "a"}, r"2 of 3 images .* no caption, the first 2"),
        ({1: ["a"]}, {1: "a", "x.jpg": "b"}, r"1 of 2 captions .* the first 'x\.jpg'"),
        ({1: []}, {1: "a"}, r"image 1 needs a list of one reference or more, not \[\]"),
        ({1: "a dog"}, {1: "a"}, r"image 1 needs a list .* not 'a dog'"),
    ],
)
def test_ids_must_match(references, captions, message):
    for function in (score, score_each):
        with pytest.raises(CaptionerError, match=message):
            function(references, captions)


def test_an_unknown_metric_is_named_with_the_known_ones():
    with pytest.raises(
        CaptionerError,
        match="metric 'blue': did you mean bleu\\? choose one of bleu, rouge, cider, meteor, spice",
    ):
        score({1: ["a"]}, {1: "a"}, ["bleu", "blue"])
