"""What readers mind, and what they do not: captions of models, and of people."""

import pytest

from captioner.metrics import caption_faults, faults_of, seem_english


@pytest.mark.parametrize(
    ("fault", "caption"),
    [
        ("X and X", "A bathroom with a sink and a sink."),
        ("X and X", "a bathroom with a sink and sink"),
        ("X and X", "a young girl wearing sunglasses and sunglasses smiles"),
        ("X and X", "a white sink and a white sink in a room"),
        ("X and X", "a woman wearing a pink hat and a hat"),
        ("X and X", "a brown and brown dog is running through the grass"),
        ("each other", "a zebra standing next to each other"),
        ("each other", "A zebra stands next to one another in a field of trees."),
        ("each other", "a man in jeans stands beside each other"),
        ("said twice", "a wooden bench sitting on a bench"),
        ("said twice", "a man in a black motorcycle is riding a motorcycle"),
        ("said twice", "two children playing in a pit pit"),
        ("said twice", "a large building next to a building"),
        ("said twice", "a street sign next to a street sign"),
        ("said twice", "two people stand in front of a group of people"),
    ],
)
def test_faults(fault, caption):
    assert fault in faults_of(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "and",
        "a sink and",
        "each other",
        "a man in a red shirt and a blue shirt",
        "a red shirt and blue shirt hang on a line",
        "a black dog and a white dog",
        "a dog and another dog play",
        "a zebra and a baby zebra",
        "a toilet and toilet paper",
        "rows and rows of colored bowls",
        "two zebras standing next to each other",
        "a man and a woman look at each other",
        "a couple hugging each other",
        "3 sheep beside one another",
        "three men sit side by side",
        "two boys stand face to face",
        "one dog chases another dog",
        "one girl is playing a recorder and another girl is playing the guitar",
        "a man in a red shirt talks to a man in a blue shirt",
        "a girl holds a dog while the dog licks her face",
        "a tennis player on a tennis court",
        "a train on the train tracks",
        "a white cat on a white bed",
        "a group of basketball players playing basketball",
        "ein Hund und ein anderer Hund",
    ],
)
def test_what_people_write_is_not_a_fault(caption):
    assert faults_of(caption) == []


def test_shares():
    captions = ["a sink and a sink", "a cow next to each other", "a dog", "a red bus"]
    assert caption_faults(iter(captions)) == {
        "X and X": 0.25, "each other": 0.25, "said twice": 0.25
    }  # fmt: skip
    assert caption_faults([]) == {"X and X": 0, "each other": 0, "said twice": 0}


@pytest.mark.parametrize(
    ("caption", "is_english"),
    [
        ("a man in a red shirt is standing on the grass", True),
        ("red circle above blue square", True),
        ("", True),
        ("un hombre con una camisa roja camina por la playa", False),
        ("ein mann steht vor einem haus", False),
        ("一只狗在草地上跑", False),
    ],
)
def test_which_captions_are_judged(caption, is_english):
    assert seem_english([caption] * 3) == is_english
