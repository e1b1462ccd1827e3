"""A run that is stopped continues where it was, or says why it cannot."""

import json
import os
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from captioner import Captioner, Encoder, TrainConfig, load, train
from captioner.cli import main
from captioner.datasets import CaptionDataset
from captioner.errors import CaptionerError
from captioner.training.distribution import OneDevice
from captioner.training.in_memory import InMemory
from captioner.training.resuming import Record
from captioner.training.sources import fingerprints
from captioner.training.stages import STAGES, FeatureStage, RewardStage, TextStage
from captioner.vocabulary import Vocabulary
from tests.conftest import make_captioner
from tests.datasets import SMALL, make_colours, write_json
from tests.training.conftest import history, stop_in


def test_a_run_is_not_overwritten_but_goes_on(run):
    settings, _, _ = run
    with pytest.raises(CaptionerError, match="holds a run already"):
        train(TrainConfig(**settings), progress=False)
    for name, before, after in (
        ("units", 16, 17), ("text_weight", 0.5, 0.0), ("imagined_noise", 0.6, 1.0),
        ("word_targets", 1000, 10), ("word_weight", 0.1, 0.2), ("smallest_crop", 0.6, 0.8),
    ):  # fmt: skip
        with pytest.raises(CaptionerError, match=f"{name} was {before}, is {after}"):
            train(TrainConfig(**{**settings, name: after}), resume=True, progress=False)
    lines = []
    longer = TrainConfig(**{**settings, "fine_tune_epochs": 2})
    train(longer, resume=True, log=lines.append, progress=False)
    assert any("continuing after epoch 3" in line for line in lines)
    first = next(line for line in lines if line.startswith("epoch"))
    assert first.startswith("epoch 4 (pixels)")


@pytest.mark.long  # test_killed_runs.py and test_distribution.py have the like of it
def test_a_stopped_run_ends_as_if_it_had_not_been_stopped(whole, tmp_path):
    settings = {**whole[0], "out": str(tmp_path / "run")}
    for resume, epoch in enumerate((2, 5)):  # after the text, amid the rewards
        with pytest.raises(KeyboardInterrupt):
            train(TrainConfig(**settings), bool(resume), log=stop_in(epoch), progress=False)
    train(TrainConfig(**settings), resume=True, progress=False)
    wanted, found = (history(folder) for folder in (whole[0]["out"], settings["out"]))
    assert len(found) == len(wanted)
    for one, other in zip(wanted, found, strict=True):
        for name in ("train_loss", "reward", "val_loss", "CIDEr", "learning_rate"):
            assert (one[name] == "") == (other[name] == "")
            assert float(other[name] or 0) == pytest.approx(float(one[name] or 0), rel=1e-5)
    wanted, found = (
        load(os.path.join(folder, "last.keras")) for folder in (whole[0]["out"], settings["out"])
    )
    for one, other in zip(wanted.weights, found.weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


@pytest.mark.long
def test_a_run_goes_on_with_the_cnn_it_began_with(tmp_path):
    """Whatever has become of the file that it came from: another version of a shipped model."""
    make_colours(tmp_path)
    ends = []
    for name in ("whole", "stopped"):
        cnn = str(tmp_path / f"{name}.keras")
        settings = {**SMALL, "encoder_weights": cnn, "picture_size": 0, "data": str(tmp_path)}
        settings |= {"out": str(tmp_path / name), "cache": str(tmp_path / "cache"), "units": 8}
        make_captioner().save(cnn)
        config = TrainConfig(**settings, epochs=2)
        if name == "stopped":
            with pytest.raises(KeyboardInterrupt):
                train(config, log=stop_in(2), progress=False)
            keras.utils.set_random_seed(5)
            model = make_captioner()
            Captioner(Encoder("mobilenet_v2", 64), model.decoder, model.vocabulary).save(cnn)
        train(config, resume=name == "stopped", progress=False)
        ends.append(load(os.path.join(settings["out"], "last.keras")))
    assert ends[1].picture_size == 32
    for one, other in zip(ends[0].weights, ends[1].weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


def test_a_run_whose_start_has_other_words_now_does_not_go_on(tmp_path):
    make_colours(tmp_path)
    start = str(tmp_path / "start.keras")
    make_captioner().save(start)
    settings = {"data": str(tmp_path), "out": str(tmp_path / "run"), "init_from": start}
    settings |= {"min_count": 1, "cache": str(tmp_path / "cache")}
    train(TrainConfig(**settings, epochs=1), progress=False)
    model = make_captioner()
    words = [*model.vocabulary.words[:-1], "snow"]
    Captioner(model.encoder, model.decoder, Vocabulary(words)).save(start)
    with pytest.raises(CaptionerError, match=r"start\.keras: has different words or sizes than"):
        train(TrainConfig(**settings, epochs=2), resume=True, progress=False)


@pytest.mark.long
def test_a_stage_that_has_begun_cannot_be_left_out(whole):
    with pytest.raises(CaptionerError, match="is in its stage of rewards, which these settings"):
        train(TrainConfig(**whole[0] | {"self_critical": 0}), resume=True, progress=False)


@pytest.mark.long
def test_a_run_of_before_goes_on_as_it_began(run, tmp_path, capsys):
    """Its config.json lacks newer settings: they are what was done before there were these."""
    out = str(tmp_path / "run")
    before = {"smallest_crop": 0.8, "text_weight": 0.0, "word_targets": 0}
    settings = {**run[0], **before, "out": out, "epochs": 1, "fine_tune_from": "none", "views": 1}
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    path = os.path.join(out, "config.json")
    with open(path, encoding="utf-8") as file:
        stored = json.load(file)
    newer = [*before, "imagined_noise", "word_weight"]
    write_json(tmp_path / "run" / "config.json",
               {name: value for name, value in stored.items() if name not in newer})  # fmt: skip
    assert main(["train", "--out", out, "--epochs", "2", "--resume"]) == 0
    assert "epoch 2 (features)" in capsys.readouterr().out
    with open(path, encoding="utf-8") as file:
        assert json.load(file) == {**stored, "epochs": 2}
    with pytest.raises(CaptionerError, match="word_targets was 0, is 1000"):
        train(TrainConfig(**{**settings, "word_targets": 1000}), resume=True, progress=False)


class Folder(InMemory):
    """A folder in memory that holds a state."""

    path = "runs/mine"

    def __init__(self, state=None):
        super().__init__()
        self.state = state

    def load_state(self):
        return self.state


ONE = CaptionDataset([1], ["1.png"], [["a dog"]])


TEN = CaptionDataset([*range(10)], [f"{n}.png" for n in range(10)], [["a dog"]] * 10)


def record_of(folder=None, config=None, replicas=1, training=ONE, validation=TEN):
    config = config or TrainConfig(data="dogs")
    stages = [stage for stage in STAGES if stage.epochs_in(config)]
    devices = OneDevice()
    devices.replicas = replicas
    record = Record(config, folder or Folder(), devices, stages, training, validation)
    if not folder:
        record.start_from(SimpleNamespace(about={}), devices)
    return record


def row_of(epoch, stage, cider, loss=2.0):
    return {"epoch": epoch, "stage": stage.name, "val_loss": loss, "CIDEr": cider, "BLEU-4": 0.0}


def kept_as(record, captioner, rows):
    """Under which names the captioner is kept after each epoch."""
    names = []
    record._folder.keep = lambda captioner, *best: names.append(best)
    for row, kind in rows:
        record.add(row, SimpleNamespace(name=kind.name, captioner=captioner))
    return names


def test_the_best_of_a_stage_and_of_the_run_are_kept():
    captioner = SimpleNamespace(about={})
    rows = [
        (row_of(1, TextStage, 0.0, loss=3.0), TextStage),
        (row_of(2, TextStage, 0.0, loss=2.5), TextStage),
        (row_of(3, TextStage, 0.0, loss=2.7), TextStage),
        (row_of(4, FeatureStage, 0.0), FeatureStage),  # no better, but it has seen pictures
        (row_of(5, FeatureStage, 0.6), FeatureStage),
        (row_of(6, FeatureStage, 0.6), FeatureStage),  # as good is not better
        (row_of(7, RewardStage, 0.5), RewardStage),
        (row_of(8, RewardStage, 0.7, loss=4.0), RewardStage),  # the score goes before the loss
    ]
    record = record_of()
    assert kept_as(record, captioner, rows) == [
        ("best-text", "best"), ("best-text", "best"), (),
        ("best-features", "best"), ("best-features", "best"), (),
        ("best-rewards",), ("best-rewards", "best"),
    ]  # fmt: skip
    assert record.best == rows[-1][0]
    assert record.best_line() == "best CIDEr 0.7000, of epoch 8 with validation loss 4.000"
    assert record.scores(TextStage) == [(0.0, -3.0), (0.0, -2.5), (0.0, -2.7)]
    assert record.scores(RewardStage) == [(0.5, -2.0), (0.7, -4.0)]
    assert (captioner.about["epoch"], captioner.about["validation_loss"]) == (8, 4.0)
    assert captioner.about["tokenization"] == "ptb"
    assert captioner.about["validation"] == {"CIDEr": 0.7, "BLEU-4": 0.0}


def test_where_no_caption_scores_the_loss_chooses_the_best():
    """As with captions in a script that the metric cannot cut, or with a single picture."""
    captioner = SimpleNamespace(about={})
    rows = [
        (row_of(1, FeatureStage, 0.0, loss=3.0), FeatureStage),
        (row_of(2, FeatureStage, 0.0, loss=2.9), FeatureStage),
        (row_of(3, FeatureStage, 0.00001, loss=2.95), FeatureStage),
        (row_of(4, RewardStage, 0.0, loss=2.95), RewardStage),
        (row_of(5, RewardStage, 0.0, loss=2.8), RewardStage),
    ]
    record = record_of()
    assert kept_as(record, captioner, rows) == [
        ("best-features", "best"), ("best-features", "best"), (),
        ("best-rewards",), ("best-rewards", "best"),
    ]  # fmt: skip
    assert record.best["epoch"] == 5


def test_of_few_pictures_the_loss_chooses_whatever_they_score():
    """The CIDEr of three pictures is chance."""
    captioner = SimpleNamespace(about={})
    rows = [
        (row_of(1, FeatureStage, 0.4, loss=3.08), FeatureStage),
        (row_of(2, FeatureStage, 0.5, loss=3.13), FeatureStage),
        (row_of(3, FeatureStage, 0.1, loss=3.04), FeatureStage),
        (row_of(4, RewardStage, 0.7, loss=3.2), RewardStage),
    ]
    record = record_of(validation=TEN.subset(range(3)))
    assert kept_as(record, captioner, rows) == [
        ("best-features", "best"), (), ("best-features", "best"), ("best-rewards",),
    ]  # fmt: skip
    assert record.best_line() == (
        "best validation loss 3.040, of epoch 3 with CIDEr 0.1000 (too few pictures to choose by "
        "CIDEr: 3)"
    )
    assert captioner.about["validation_pictures"] == 3


def facts_of(stage="features", training=ONE, **changed):
    config = TrainConfig(data="dogs")
    rows = [row_of(1, FeatureStage, 0.4)]
    facts = {"stage": stage, "history": rows, "best_epoch": 1, "replicas": 1,
             "data": fingerprints(config, training, TEN)}  # fmt: skip
    return {**facts, **changed}


def test_a_record_is_taken_up():
    config = TrainConfig(data="dogs", self_critical=2)
    record = record_of(Folder(({}, facts_of())), config)
    assert (record.best["CIDEr"], len(record.history)) == (0.4, 1)
    assert record.stages_to_come() == [FeatureStage, RewardStage]
    later = record_of(Folder(({}, facts_of("rewards"))), config)
    assert later.stages_to_come() == [RewardStage]


def test_a_record_of_before_there_were_replicas_and_fingerprints():
    facts = facts_of()
    del facts["replicas"], facts["data"]
    assert record_of(Folder(({}, facts))).history == facts["history"]


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([(TextStage, 0.0, 3.0), (TextStage, 0.0, 2.5), (TextStage, 0.0, 2.7)], 2),
        ([(TextStage, 0.0, 2.5), (FeatureStage, 0.0, 4.0), (FeatureStage, 0.0, 3.0)], 2),
        ([(FeatureStage, 0.2, 2.0), (FeatureStage, 0.3, 3.0), (FeatureStage, 0.3, 2.0)], 2),
    ],
)
def test_the_best_epoch_of_a_run_of_before_is_what_its_rule_kept(rows, best):
    """Its best.keras is the first epoch with the highest CIDEr; the next that is better is kept."""
    facts = facts_of(history=[row_of(n, *row) for n, row in enumerate(rows, 1)])
    del facts["best_epoch"]
    record = record_of(Folder(({}, {**facts, "best_score": 0.3})))
    assert record.best["epoch"] == best


OTHER = CaptionDataset([1], ["1.png"], [["a cat"]])
MORE = CaptionDataset([1, 2], ["1.png", "2.png"], [["a dog"], ["a cat"]])


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (facts_of(replicas=2), "began with 2 replicas, and there are 1 now; start as many"),
        (facts_of("pixels"), "is in its stage of pixels, which these settings leave out"),
        (facts_of(training=OTHER), r"dogs: has changed .* 1 caption \(different ones\)"),
        (facts_of(training=MORE), "train had 2 pictures with 2 captions, has 1 picture with 1"),
    ],
)
def test_what_has_to_be_as_it_was(facts, message):
    with pytest.raises(CaptionerError, match=message):
        record_of(Folder(({}, facts)))


def test_what_workers_have_in_common_names_no_folder():
    shared = record_of(config=TrainConfig(data="/mnt/a/dogs", units=7)).shared_by_workers()
    assert shared["settings"]["--units"] == 7
    assert shared["settings"]["--data"] == "dogs"
    assert shared["data"]["train"]["captions"] == 1
    assert 0 in shared.values()  # no epoch is finished
