"""What a run changes where captions are few, and where it changes nothing."""

import os

import pytest

from captioner import TrainConfig, load, train
from captioner.errors import CaptionerError
from captioner.training.config import read_run_settings
from captioner.training.few import LEAST_KNOWN, adapted, note
from captioner.vocabulary import Vocabulary
from tests.datasets import SMALL, make_colours

FEW = ["a dog runs on grass", "a cat sleeps on a bed", "two birds in a tree"]


@pytest.mark.parametrize(
    ("captions", "min_count", "batch_size"),
    [
        (FEW, 1, 4),  # "a" is said four times, of sixteen words
        (FEW * 2, 2, 4),
        (FEW * 4, 4, 4),
        (FEW * 5, 5, 4),
        (FEW * 20, 5, 15),
        (FEW * 170, 5, 127),
        (FEW * 171, 5, 128),  # 513 captions are enough for four steps
        ([f"{n} birds" for n in range(10_000)], 5, 128),  # never few, whatever they say
        (["狗在跑"] * 40, 5, 10),
    ],
)
def test_the_defaults_are_lowered_as_far_as_it_takes(captions, min_count, batch_size):
    config = adapted(TrainConfig(), captions)
    assert (config.min_count, config.batch_size) == (min_count, batch_size)


def test_the_vocabulary_then_knows_what_is_said():
    captions = [f"{FEW[n % 3]} number {n}" for n in range(30)]
    config = adapted(TrainConfig(), captions)
    words = Vocabulary.build(captions, config.min_count)
    known = [word in words for caption in captions for word in words.tokens(caption)]
    assert sum(known) / len(known) >= LEAST_KNOWN
    assert config.min_count == 5  # the numbers, each said once, are 1 word in 7.3


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"min_count": 3}, (3, 4)),
        ({"batch_size": 64}, (1, 64)),
        ({"min_count": 7, "batch_size": 2}, (7, 2)),
        ({"adapt_to_few": False}, (5, 128)),
    ],
)
def test_settings_that_were_given_stay(settings, wanted):
    config = adapted(TrainConfig(**settings), FEW)
    assert (config.min_count, config.batch_size) == wanted


def test_what_is_changed_is_said():
    given = TrainConfig()
    line = note(given, adapted(given, FEW), FEW)
    assert line.startswith(
        "few captions (3): --min-count 1 in place of 5 and --batch-size 4 in place of 128 ("
    )
    assert "--init-from everyday" in line
    german = ["ein Hund rennt über die Wiese"]
    assert "--init-from" not in note(given, adapted(given, german), german)
    more = TrainConfig(init_from="everyday", min_count=2)
    assert note(more, adapted(more, FEW), FEW) == (
        "few captions (3): --batch-size 4 in place of 128 (--no-adapt-to-few keeps them)"
    )
    assert note(given, given, FEW) == ""


def test_a_run_keeps_the_settings_that_were_given(tmp_path):
    """So the same command continues it; its model says what it was trained with."""
    make_colours(tmp_path)
    settings = {**SMALL, "data": str(tmp_path), "out": str(tmp_path / "run"), "units": 8}
    settings["cache"] = str(tmp_path / "cache")
    del settings["min_count"]
    lines, epochs = [], []
    for epoch in (1, 2):
        config = TrainConfig(**settings, epochs=epoch)
        train(config, epoch == 2, lines.append, progress=False, after_epoch=epochs.append)
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert lines[0].startswith("note: few captions (8): --min-count ")
    stored = read_run_settings(os.path.join(settings["out"], "config.json"))
    assert (stored["min_count"], stored["batch_size"]) == (5, 128)
    about = load(os.path.join(settings["out"], "last.keras")).about
    assert about["trained_with"]["batch_size"] == 4
    with pytest.raises(CaptionerError, match="adapt_to_few was True, is False"):
        train(TrainConfig(**settings, min_count=1, adapt_to_few=False), True, progress=False)
