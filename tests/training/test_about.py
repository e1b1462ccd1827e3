"""What a model file says of its training, and what it does not."""

import pytest

from captioner import TrainConfig
from captioner.training.about import about, base_names, without_folders


def test_nothing_is_said_of_folders():
    config = TrainConfig(
        data=["/home/me/flickr8k", "coco/"], text="/home/me/text.txt", out="/home/me/runs/mine",
        encoder_weights="/home/me/cnn.keras", units=7,
    )  # fmt: skip
    found = without_folders(config)
    assert found["data"] == ["flickr8k", "coco"]
    assert (found["text"], found["out"], found["units"]) == ("text.txt", "mine", 7)
    assert "/" not in "".join(map(str, found.values()))
    assert config.out == "/home/me/runs/mine"  # the settings stay


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [("", ""), ("a", "a"), ("a/b.json", "b.json"), ("/a/b/", "b"), (["a/b", "c"], ["b", "c"])],
)
def test_the_last_part_of_a_path(paths, wanted):
    assert base_names(paths) == wanted


def test_where_it_started_is_told_if_anywhere():
    config = TrainConfig()
    plain = about(config, 3, {"CIDEr": 0.5}, {})
    assert set(plain) == {"trained_with", "epoch", "validation"}
    assert (plain["epoch"], plain["validation"]) == (3, {"CIDEr": 0.5})
    assert about(config, 3, {"CIDEr": 0.5}, {"epoch": 9})["started_from"] == {"epoch": 9}
