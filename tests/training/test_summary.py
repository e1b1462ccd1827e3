"""What a run reports before its first epoch."""

import pytest

from captioner import TrainConfig
from captioner.datasets import CaptionDataset
from captioner.training.batches import EncodedCaptions
from captioner.training.distribution import OneDevice
from captioner.training.stages import STAGES, FeatureStage
from captioner.training.summary import summary


class Data:
    """As much of `TrainingData` as is reported."""

    def __init__(self, config, vocabulary, training, text=(), most=40):
        self.config, self.training = config, training
        self.validation = training.subset([0])
        self.captions = EncodedCaptions(training.captions, vocabulary, most)
        self.text = EncodedCaptions([[line] for line in text], vocabulary, most)


def dataset(captions):
    numbers = range(len(captions))
    return CaptionDataset([*numbers], [f"{n}.png" for n in numbers], captions)


ONE = dataset([["a dog runs", "a dog"], ["a cat on grass"]])


def lines_of(captioner, training=ONE, stages=(FeatureStage,), texts=(), most=40, **settings):
    config = TrainConfig(**settings)
    data = Data(config, captioner.vocabulary, training, texts, most)
    return list(summary(config, captioner, data, stages, OneDevice()))


def test_the_sizes_of_what_is_learned_from_and_of_what_learns(tiny_captioner):
    first, last = lines_of(tiny_captioner, encoder="mobilenet_v2", min_count=3)
    size = len(tiny_captioner.vocabulary)
    assert first == (
        "2 pictures with 3 captions to learn from, 1 picture to choose by; vocabulary "
        f"{size} (words seen at least 3 times)"
    )
    decoder = sum(weight.size for weight in tiny_captioner.decoder.get_weights())
    assert last.endswith(f"decoder (lstm, custom) {decoder:,}")


def test_captions_that_were_cut_are_noted(tiny_captioner):
    """With the length that would do: 3 words here, and for all but 1 in 100 of many."""
    lines = lines_of(tiny_captioner, most=2, max_length=2)
    cut = "captions are longer than --max-length 2 words and are cut"
    assert f"note: 2 of 3 {cut}; with --max-length 4 at most 1 in 100 is" in lines
    many = dataset([["a dog"]] * 197 + [["a dog runs"], ["a cat on grass"], ["a dog on a cat"]])
    lines = lines_of(tiny_captioner, many, most=2, max_length=2)
    assert f"note: 3 of 200 {cut}; with --max-length 3 at most 1 in 100 is" in lines
    few = dataset([["a dog"]] * 199 + [["a dog runs"]])
    assert f"note: 1 of 200 {cut}" in lines_of(tiny_captioner, few, most=2, max_length=2)


def test_a_script_without_spaces_is_noted(tiny_captioner):
    def notes(training):
        return [line for line in lines_of(tiny_captioner, training) if "script" in line]

    assert len(notes(dataset([["一只狗在跑"]]))) == 1
    assert not notes(ONE)


def test_what_each_of_several_sets_brings(tiny_captioner):
    training = ONE.named("pets").joined(dataset([["a dog"]]).named("more"))
    _, pets, more, _ = lines_of(tiny_captioner, training)
    assert pets == (
        "pets: 2 pictures with 3 captions, 75.0 % of what is learned from; 1 picture to choose by"
    )
    assert more.startswith("more: 1 picture with 1 caption, 25.0 %")
    assert more.endswith("0 pictures to choose by")


def test_validation_pictures_for_all_sets_are_of_none(tiny_captioner, monkeypatch):
    training = ONE.named("pets").joined(dataset([["a dog"]]).named("more"))
    monkeypatch.setattr(training, "subset", lambda rows: ONE)
    first, pets, more, _ = lines_of(tiny_captioner, training)
    assert "2 pictures to choose by" in first
    assert pets.endswith("75.0 % of what is learned from")
    assert more.endswith("25.0 % of what is learned from")


@pytest.mark.parametrize(("weight", "unused"), [(0.5, False), (0.0, True)])
def test_text_is_counted_and_must_be_of_use(tiny_captioner, weight, unused):
    settings = {"text": "a.txt", "text_epochs": 0, "text_weight": weight}
    kinds = [stage for stage in STAGES if stage.epochs_in(TrainConfig(**settings))]
    lines = lines_of(tiny_captioner, stages=kinds, texts=["a dog", "a zebra"], **settings)
    assert "2 captions without pictures; 25.0 % of their words are not in the vocabulary" in lines
    note = "note: no stage learns from --text; give --text-epochs, or --text-weight"
    assert (note in lines) is unused
