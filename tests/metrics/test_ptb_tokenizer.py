"""The golden tokens are pycocoevalcap's, see make_golden.py."""

import json
import random

import pytest

from captioner.metrics import tokenize_ptb
from captioner.metrics.ptb_tokenizer import tokenize_lines
from tests.metrics.make_golden import GOLDEN, coco_tokens, load_captions, missing

TOKENS = json.loads((GOLDEN / "coco_caption.json").read_text(encoding="utf-8"))["tokens"]
REFERENCES, CAPTIONS, LINES = load_captions()
GIVEN = {
    "references": [text for texts in REFERENCES.values() for text in texts],
    "captions": list(CAPTIONS.values()),
    "lines": LINES,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_tokens_are_those_of_coco_caption(kind):
    found = [" ".join(tokens) for tokens in tokenize_lines(GIVEN[kind])]

    assert dict(zip(GIVEN[kind], found, strict=True)) == dict(
        zip(GIVEN[kind], TOKENS[kind], strict=True)
    )


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A dog runs.", "a dog runs"),
        ("the dogs' bowl, the dog's bowl", "the dogs bowl the dog 's bowl"),
        ("It isn't; they'll see", "it is n't they 'll see"),
        ('"A" (big) T-shirt!', "a -lrb- big -rrb- t-shirt"),
        ("I cannot see Mr. Smith.", "i can not see mr. smith"),
        ("£5, €5, 5¢", "# 5 $ 5 5 cents"),
        ("out.The end", "out.the end"),
        ("🐶🐶", ""),
        ("", ""),
        (" . , ! ", ""),
    ],
)
def test_one_caption(text, tokens):
    assert tokenize_ptb(text) == tokens.split()


def test_a_fraction_is_one_token_with_a_no_break_space():
    assert tokenize_ptb("1 1/2 cups") == ["1\u00a01/2", "cups"]


def test_a_line_break_is_a_blank():
    assert tokenize_ptb("a dog\nruns\n") == ["a", "dog", "runs"]


def test_the_next_caption_decides_on_a_final_letter():
    assert tokenize_ptb("This is plan B.") == ["this", "is", "plan", "b."]
    assert tokenize_ptb("This is plan B.", "Two men") == ["this", "is", "plan", "b."]
    assert tokenize_ptb("This is plan B.", "The men") == ["this", "is", "plan", "b"]
    assert tokenize_lines(["House no.", "5 dogs"]) == [["house", "no."], ["5", "dogs"]]


def test_the_cache_does_not_give_out_its_own_lists():
    tokenize_ptb("dog's").append("spoilt")

    assert tokenize_ptb("dog's") == ["dog", "'s"]


@pytest.mark.skipif(missing() is not None, reason=f"compares with pycocoevalcap: {missing()}")
def test_spoilt_captions_agree_with_java():
    """Typing errors: one to three characters put in, taken out or changed."""
    chance = random.Random(0)
    texts = []
    for _ in range(3000):
        text = list(chance.choice(GIVEN["references"] + LINES))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(text) + 1)
            text[place : place + chance.randint(0, 1)] = chance.choice(" .,;:!?'\"-/()&5As’")
        texts += ["".join(text), "a full stop"]  # a line between, as a neighbour can matter

    assert [" ".join(tokens) for tokens in tokenize_lines(texts)] == coco_tokens(texts)
