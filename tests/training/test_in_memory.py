"""A run without a folder."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioner import Captioner, TrainConfig, train
from captioner.confidence import Confidence
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.training import choosing
from tests.datasets import SMALL, make_colours


@pytest.mark.parametrize("out", ["", "run"])
def test_the_rule_and_the_confidence_of_the_best_epoch_are_kept(tmp_path, monkeypatch, out):
    """The first epoch is best, by one rule; in the second, worse one the other rule wins."""
    make_colours(tmp_path)
    monkeypatch.setattr(
        choosing, "FEWEST_PICTURES", 4
    )  # those that make_colours gives to choose by
    calls = []

    def decode(self, image, no_repeat_ngram=0, no_repeat_word=False, **search):
        calls.append((no_repeat_ngram, no_repeat_word))
        texts = {1: "a red field", 2: "nothing", 3: "red", 4: "nothing", 5: "red", 6: "red field"}
        return [[Caption(texts[len(calls)], 0.0, (), ())] for _ in image]

    def calibrate(sets):
        [(_, captions)] = sets
        said.append(captions[0].text)
        return SimpleNamespace(confidence=Confidence(len(calls), 1.0, 0.0))

    said = []
    monkeypatch.setattr(Captioner, "decode", decode)
    monkeypatch.setattr("captioner.training.validation.calibrate", calibrate)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=2, cache=str(tmp_path / "cache"))
    settings["out"] = out and str(tmp_path / out)
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    tried = [(0, False), (2, False)]
    assert calls == [*tried, (0, True), *tried, (2, True)]
    assert model.about["epoch"] == 1
    assert model.generation["no_repeat_ngram"] == 0
    assert model.generation["no_repeat_word"] is False
    assert said == ["a red field", "red field"]  # by the rules chosen
    assert model.confidence == Confidence(3, 1.0, 0.0)


def test_without_a_folder_the_best_captioner_is_kept_in_memory(tmp_path):
    make_colours(tmp_path)
    settings = dict(SMALL, data=str(tmp_path), units=16, epochs=5, learning_rate=0.02,
                    cache=str(tmp_path / "cache"))  # fmt: skip
    in_memory, on_disk = [], []
    quiet = {"log": lambda line: None, "progress": False}
    model = train(TrainConfig(**settings), after_epoch=in_memory.append, **quiet)
    out = str(tmp_path / "run")
    stored = train(TrainConfig(**settings, out=out), after_epoch=on_disk.append, **quiet)

    assert [row["CIDEr"] for row in in_memory] == [row["CIDEr"] for row in on_disk]
    assert model.about["epoch"] == stored.about["epoch"]
    for mine, theirs in zip(model.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert model.generation == stored.generation
    with pytest.raises(CaptionerError, match="no run folder to resume"):
        train(TrainConfig(**settings), resume=True, **quiet)

    # One CNN for several runs; it stays as it is.
    before = stored.encoder.get_weights()
    again = train(TrainConfig(**settings), encoder=stored.encoder, **quiet)
    assert again.encoder is stored.encoder
    for old, new in zip(before, again.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
