"""The choice of the rules about repeats, the validation loss, what is captioned."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from captioner import Captioner, TrainConfig, Vocabulary, train
from captioner.datasets import CaptionDataset
from captioner.generation import Caption
from captioner.training.batches import EncodedCaptions
from captioner.training.distribution import OneDevice
from captioner.training.validation import Validation
from tests.datasets import SMALL, make_colours


@pytest.mark.parametrize("better", [0, 2])
def test_the_rule_about_repeats_that_suits_the_data_is_stored(tmp_path, monkeypatch, better):
    make_colours(tmp_path)

    def decode(self, image, no_repeat_ngram=0, **search):
        text = "a red field" if no_repeat_ngram == better else "nothing of the kind"
        return [[Caption(text, 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1)
    settings["cache"] = str(tmp_path / "cache")
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    assert model.generation["no_repeat_ngram"] == better
    assert model.generation["no_repeat_word"] is False  # no better
    assert model.about["validation"]["CIDEr"] > 0.5


@pytest.mark.parametrize("better", [False, True])
def test_the_rule_about_words_is_stored_where_it_helps(tmp_path, monkeypatch, better):
    """Whichever of the two is better by the rule about ngrams that is chosen first, 2."""
    make_colours(tmp_path)

    def decode(self, image, no_repeat_ngram=0, no_repeat_word=False, **search):
        text = "red" if no_repeat_ngram else "nothing of the kind"
        text = "a red field" if (no_repeat_ngram, no_repeat_word) == (2, better) else text
        return [[Caption(text, 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1)
    settings["cache"] = str(tmp_path / "cache")
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    rules = {name: model.generation[name] for name in ("no_repeat_ngram", "no_repeat_word")}
    assert rules == {"no_repeat_ngram": 2, "no_repeat_word": better}
    assert model.about["validation"]["CIDEr"] > 0.5
    assert model.vocabulary.repeatable is not None


class Scripted:
    """A stage whose features and loss are given."""

    def __init__(self, features, losses=(1.0,)):
        self.features, self.losses, self.tested = features, iter(losses), []
        self.steps = self

    def validation_features(self):
        return self.features

    def test(self, inputs, targets):
        self.tested.append((inputs, targets))
        return next(self.losses)


class Talker:
    """A captioner that says what the first number of a picture's features points to."""

    sayings = ("a red field", "blue everywhere", "")

    def __init__(self):
        self.generation = {"no_repeat_ngram": 0, "no_repeat_word": False, "max_length": 5}
        self.asked = []

    def search_settings(self, given):
        return {**self.generation, **given}

    def decode(self, image, **search):
        self.asked.append((image.shape, image.dtype, search))
        return [[Caption(self.sayings[int(each[0])], 0.0, (), ())] for each in image]


def validation_of(count, captioner=None, devices=None, captions_each=1):
    texts = [["a red field"] if n % 2 == 0 else ["blue everywhere"] for n in range(count)]
    dataset = CaptionDataset([*range(count)], [f"{n}.png" for n in range(count)], texts)
    encoded = EncodedCaptions(texts, Vocabulary(["a", "red", "field", "blue", "everywhere"]), 8)
    data = SimpleNamespace(validation=dataset, val_captions=encoded, longest=4,
                           pictures_a_step=4, captions_each=captions_each)  # fmt: skip
    return Validation(captioner or Talker(), data, devices or OneDevice())


def features_of(count):
    return (np.arange(count)[:, None] % 2 * np.ones((1, 3))).astype("float16")


def test_values_come_by_name_in_the_order_of_the_columns():
    found = list(validation_of(6).evaluate(Scripted(features_of(6), [2.0] * 9)))
    assert [name for name, _ in found] == ["val_loss", "CIDEr", "BLEU-4"]
    assert dict(found)["val_loss"] == pytest.approx(2.0)
    assert dict(found)["CIDEr"] == pytest.approx(6.25)
    # Every caption is its reference, which scores 10 for each of four lengths of phrases that it
    # has: three in "a red field", two in "blue everywhere".


def test_the_loss_is_the_mean_over_words():
    """Of 5 captions of 4 words and 5 of 3, in batches of 4 captions."""
    stage = Scripted(features_of(10), [1.0, 2.0, 4.0])
    loss = dict(validation_of(10).evaluate(stage))["val_loss"]
    words = [int(np.count_nonzero(targets)) for _, targets in stage.tested]
    assert sum(words) == 5 * 4 + 5 * 3
    assert loss == pytest.approx(np.dot(words, [1.0, 2.0, 4.0]) / 35)
    for inputs, targets in stage.tested:
        assert inputs["words"].shape == targets.shape
        assert inputs["image"].shape == (4, 3)  # filled up
        assert inputs["image"].dtype == np.float32


def test_without_pictures_there_is_a_loss_only():
    captioner = Talker()
    stage = Scripted(None, [3.0] * 9)
    found = dict(validation_of(6, captioner).evaluate(stage))
    assert found == {"val_loss": pytest.approx(3.0), "CIDEr": 0.0, "BLEU-4": 0.0}
    assert all(set(inputs) == {"words"} for inputs, _ in stage.tested)
    assert not captioner.asked


def test_captions_are_as_long_as_those_of_training():
    captioner = Talker()
    validation = validation_of(70, captioner)
    assert captioner.generation["max_length"] == 5  # never shorter than it was
    dict(validation.evaluate(Scripted(features_of(70), itertools.repeat(1.0))))
    rules = [
        (search["no_repeat_ngram"], search["no_repeat_word"]) for _, _, search in captioner.asked
    ]
    assert rules == [(0, False)] * 2 + [(2, False)] * 2 + [(0, True)] * 2  # in two parts each
    for shape, dtype, search in captioner.asked:
        assert shape == (64, 3)
        assert dtype == np.float32
        assert search["max_length"] == 4


class OneOfTwo(OneDevice):
    """One of two workers; notes what it gives, and hears what lets it go on."""

    workers = 2

    def __init__(self, index, count):
        self.index, self.gave = index, []
        red = Caption("a red field", 0.0, (), ())
        self.all_captions = [(number, red) for number in range(count)]

    def gather(self, value):
        self.gave.append(json.loads(json.dumps(value)))  # as it comes to the other worker
        return [value] if len(self.gave) == 1 else [json.loads(json.dumps(self.all_captions))]


@pytest.mark.parametrize("count", [70, 200])
def test_workers_share_batches_and_pictures(count):
    words, numbers = 0, []
    for index in range(2):
        worker = OneOfTwo(index, count)
        validation = validation_of(count, devices=worker)
        dict(validation.evaluate(Scripted(features_of(count), itertools.repeat(1.0))))
        (_, counted), captions, *_ = worker.gave
        words += counted
        numbers += [number for number, _ in captions]
        texts = {number: Caption(*fields).text for number, fields in captions}
        assert all(text == Talker.sayings[number % 2] for number, text in texts.items())
    assert sorted(numbers) == list(range(count))
    assert words == count / 2 * (4 + 3)


class Doubter(Talker):
    """A captioner that is sure of red, and right then, and says nothing sensible otherwise."""

    def decode(self, image, **search):
        self.asked.append(search)
        return [
            [Caption("a red field" if sure else "no", 0.0, (), [-0.1 if sure else -3.0] * 4)]
            for sure in image[:, 0] == 0
        ]


def test_the_captioner_learns_how_far_to_trust_its_captions():
    captioner, count = Doubter(), 90
    captioner.confidence = None
    validation = validation_of(count, captioner)
    features = np.repeat((np.arange(count) % 2)[:, None], 3, axis=1).astype("float16")
    stage = Scripted(features, itertools.repeat(1.0))
    dict(validation.evaluate(stage))
    assert captioner.confidence.of([-0.1] * 4) > 0.8  # red pictures are called red
    assert captioner.confidence.of([-3.0] * 4) < 0.2
    stage.features = None  # a stage that sees no pictures: what was learned is of other weights
    dict(validation.evaluate(stage))
    assert captioner.confidence is None


def test_of_few_pictures_no_confidence_is_learned():
    captioner = Talker()
    dict(validation_of(6, captioner).evaluate(Scripted(features_of(6), itertools.repeat(1.0))))
    assert captioner.confidence is None
