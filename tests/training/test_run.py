"""Whole runs on a few drawn scenes: what they learn, log and leave behind."""

import itertools
import os

import numpy as np
import pytest

from captioner import Captioner, TrainConfig, load, train
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.training.sources import read_lines
from tests.datasets import SMALL, make_colours
from tests.training.conftest import history


@pytest.mark.parametrize(
    "wrong",
    [{"encoder": "bogus"}, {"fine_tune_from": "bogus"}, {"text": "bogus"}, {"epochs": 0}],
)
def test_a_wrong_setting_leaves_no_run_behind(run, tmp_path, wrong):
    settings = run[0] | {"out": str(tmp_path / "run"), "fine_tune_from": "none"} | wrong
    with pytest.raises(CaptionerError, match=r"bogus|0 epochs"):
        train(TrainConfig(**settings), progress=False)
    assert not os.path.exists(settings["out"])


def test_a_run_leaves_what_it_should(run):
    settings, lines, model = run
    names = os.listdir(settings["out"])
    for name in ("config.json", "history.csv", "curves.png", "tensorboard", "last.keras"):
        assert name in names
    assert {"best-features.keras", "best-pixels.keras"} < set(names)
    caches = [name for name in os.listdir(settings["cache"]) if name.endswith(".npy")]
    assert len(caches) == 3  # training pictures in two views, validation pictures in one
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["features", "features", "pixels"]
    assert all(np.isfinite(float(row["val_loss"])) for row in rows)
    assert any("epoch 3 (pixels)" in line for line in lines)
    best = max(float(row["CIDEr"]) for row in rows)
    assert model.about["validation"]["CIDEr"] == pytest.approx(best)


def test_a_run_of_all_stages(whole):
    settings, lines, model = whole
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["text", "features", "pixels", "rewards", "rewards"]
    assert [row["reward"] == "" for row in rows] == [True, True, True, False, False]
    assert [row["train_loss"] == "" for row in rows] == [False, False, False, True, True]
    assert "features: from the weights of epoch 1" in lines
    assert any("samples for" in line for line in lines)
    assert "features" not in os.listdir(settings["out"])
    picture = os.path.join(settings["data"], "train0.png")
    caption = model.generate(picture, return_details=True)
    assert caption.attention.shape == (len(caption.words), 7, 7)


def test_the_best_model_is_a_captioner(run):
    settings, _, _ = run
    model = load(os.path.join(settings["out"], "best.keras"))
    image = os.path.join(settings["data"], "train0.png")
    assert set(model.generate(image).split()) <= {"a", "red", "blue", "field", "everywhere"}


def test_a_run_tells_what_it_started_from(run, tmp_path):
    first = os.path.join(run[0]["out"], "best.keras")
    kept = ("data", "cache", "batch_size", "min_count")
    settings = {name: run[0][name] for name in kept} | {"epochs": 1, "init_from": first}
    settings |= {"out": str(tmp_path / "run"), "encoder": "mobilenet_v2"}
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    about = load(tmp_path / "run" / "last.keras").about
    assert about["trained_with"]["init_from"] == "best.keras"
    assert about["epoch"] == 1
    assert about["started_from"] == load(first).about


def test_another_data_set_is_learned_from_too(run):
    both = run[0] | {"out": run[0]["out"] + "-both", "more_data": run[0]["data"]}
    both |= {"epochs": 1, "fine_tune_from": "none", "views": 1}
    lines = []
    train(TrainConfig(**both), log=lines.append, progress=False)
    assert lines[0].startswith("16 pictures with 32 captions to learn from, 8 pictures to choose")
    missing = TrainConfig(**both | {"out": both["out"] + "2", "more_data": "nowhere"})
    with pytest.raises(CaptionerError, match="nowhere: no such file or folder"):
        train(missing, progress=False)


def test_a_stage_ends_early_where_scores_do_not_rise(run, tmp_path):
    settings = run[0] | {"out": str(tmp_path / "run"), "fine_tune_from": "none", "views": 1}
    settings |= {"learning_rate": 0.0, "epochs": 9, "patience": 1}
    lines = []
    train(TrainConfig(**settings), log=lines.append, progress=False)
    assert len(history(settings["out"])) == 2
    assert any("no better score and no lower validation loss for 1 e" in line for line in lines)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_run_whose_captions_score_nothing_goes_by_its_loss(tmp_path, monkeypatch, schedule):
    make_colours(tmp_path)
    nothing = Caption("nothing of the kind", 0.0, (), ())
    monkeypatch.setattr(Captioner, "decode", lambda self, image, **search: [[nothing]] * len(image))
    settings = dict(SMALL, data=str(tmp_path), out=str(tmp_path / "run"), units=8, epochs=6)
    settings |= {"patience": 1, "schedule": schedule, "batch_size": 64}
    settings["cache"] = str(tmp_path / "cache")
    lines = []
    best = train(TrainConfig(**settings), log=lines.append, progress=False)
    rows = history(settings["out"])
    losses = [float(row["val_loss"]) for row in rows]
    assert all(float(row["CIDEr"]) == 0 for row in rows)
    assert losses == sorted(losses, reverse=True)  # so it had no reason to end
    assert len(rows) == best.about["epoch"] == 6
    assert best.about["validation_loss"] == losses[-1]
    assert len({row["learning_rate"] for row in rows[1:]}) == (5 if schedule == "cosine" else 1)
    assert lines[-1].startswith("best validation loss ")
    assert "of epoch 6 with CIDEr 0.0000 (too few pictures to choose by CIDEr: 4): " in lines[-1]


@pytest.mark.long
def test_captions_without_pictures_are_learned_first(run, tmp_path, real_mobilenet):
    text = tmp_path / "captions.txt"
    text.write_text("a red field\n\nblue everywhere\n" * 20, encoding="utf-8")
    settings = {
        **run[0], "out": str(tmp_path / "run"), "text": str(text), "text_epochs": 3, "epochs": 1,
        "fine_tune_from": "none", "learning_rate": 0.02,
    }  # fmt: skip
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    model = load(os.path.join(settings["out"], "last.keras"))
    assert np.ptp(model.decoder.image_norm.beta.numpy()) > 0  # learned once there were pictures
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["text", "text", "text", "features"]
    losses = [float(row["val_loss"]) for row in rows]
    assert all(
        one > other for one, other in itertools.pairwise(losses)
    )  # words learned without pictures are kept
    epochs = [
        load(os.path.join(settings["out"], name)).about["epoch"]
        for name in ("best-text.keras", "best.keras")
    ]
    assert epochs == [3, 4]  # the least loss; and any caption of a picture before none
    assert [float(row["CIDEr"]) for row in rows[:3]] == [0, 0, 0]


def test_text_in_another_language_leaves_no_run_behind(tmp_path):
    make_colours(tmp_path)
    for name, line in (("known", "a red field"), ("strange", "un campo rojo")):
        (tmp_path / f"{name}.txt").write_text(f"{line}\n")
    paths = [str(tmp_path / f"{name}.txt") for name in ("known", "strange")]
    config = TrainConfig(**SMALL, data=str(tmp_path), out=str(tmp_path / "run"), text=paths)
    with pytest.raises(CaptionerError, match=r"strange\.txt: none of its words are in the vocab"):
        train(config, progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_text_files_are_learned_from_together(tmp_path):
    """In training with their first pass left out, or without imagined pictures."""
    make_colours(tmp_path)
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    files[0].write_text("a red field\n\n a green field \n", encoding="utf-8")
    files[1].write_text("blue everywhere\n", encoding="utf-8")
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1, cache=str(tmp_path / "cache"),
                    text=[str(file) for file in files])  # fmt: skip
    assert read_lines(settings["text"]) == ["a red field", "a green field", "blue everywhere"]
    losses = {}
    for text_epochs, text_weight in ((1, 0.0), (0, 0.5), (0, 0.0)):
        lines, out = [], str(tmp_path / f"{text_epochs}-{text_weight}")
        given = {**settings, "text_epochs": text_epochs, "text_weight": text_weight, "out": out}
        train(TrainConfig(**given), log=lines.append, progress=False)
        rows = history(out)
        assert [row["stage"] for row in rows] == ["text"] * text_epochs + ["features"]
        losses[text_epochs, text_weight] = float(rows[-1]["train_loss"])
        told = "3 captions without pictures; 12.5 % of their words are not in the vocabulary"
        assert told in lines  # green is not
        unused = "note: no stage learns from --text; give --text-epochs, or --text-weight"
        assert (unused in lines) == (text_epochs == text_weight == 0)
    assert losses[0, 0.5] > 1.3 * losses[0, 0.0]  # half of the loss of the text is in it

    files[1].write_text("blue nowhere\n", encoding="utf-8")
    changed = r"one\.txt, .*two\.txt: has changed .* text had 3 captions, has 3 .*\(different"
    with pytest.raises(CaptionerError, match=changed):
        train(TrainConfig(**given), resume=True, progress=False)
    with pytest.raises(CaptionerError, match="text was"):
        train(TrainConfig(**{**given, "text": str(files[0])}), resume=True, progress=False)


def test_nothing_to_train(run):
    settings = {**run[0], "epochs": 0, "fine_tune_from": "none", "out": run[0]["out"] + "2"}
    with pytest.raises(CaptionerError, match="nothing to train"):
        train(TrainConfig(**settings), log=lambda line: None, progress=False)
