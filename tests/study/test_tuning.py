"""The search for settings: what it tries, keeps, cuts short and continues."""

import csv
import dataclasses

import optuna
import pytest

from captioner.errors import CaptionerError
from captioner.study import tuning
from captioner.study.tuning import _open_study, tune
from captioner.training.config import TrainConfig
from tests.datasets import SMALL, make_colours


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(
        tuning, "SEARCH_SPACE", {"units": ("choice", (4, 8)), "dropout": ("range", (0.0, 0.5))}
    )
    make_colours(tmp_path)
    return TrainConfig(data=str(tmp_path), epochs=1, batch_size=8, **SMALL)


def trials(folder):
    with open(folder / "trials.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_a_search_is_kept_and_continued(config, tmp_path):
    out, lines = tmp_path / "tune", []
    tune(config, str(out), trials=1, log=lines.append, progress=False)
    [first] = trials(out)
    best = tune(config, str(out), trials=2, log=lines.append, progress=False)
    assert sum(line.startswith("trial ") for line in lines) == 2
    rows = trials(out)
    assert len(rows) == 2
    assert first in rows
    top = max(rows, key=lambda row: float(row["CIDEr"]))
    assert rows[0] == top
    assert best == {"units": int(top["units"]), "dropout": float(top["dropout"])}
    written = TrainConfig.from_file(str(out / "best.json"))
    assert (written.units, written.dropout) == (best["units"], best["dropout"])
    assert (written.embedding, written.out) == (SMALL["embedding"], "")
    with pytest.raises(CaptionerError, match="a different embedding; give another --out"):
        tune(TrainConfig(**{**vars(config), "embedding": 9}), str(out), trials=2)


def test_the_sizes_of_a_captioner_to_start_from_are_not_varied(config, tmp_path, monkeypatch):
    runs = []

    def train(config, **rest):
        runs.append(config)

        class Model:
            about = {"validation": {"CIDEr": len(runs) / 10}}  # noqa: RUF012

        return Model

    monkeypatch.setattr(tuning, "train", train)
    config = dataclasses.replace(config, init_from="everyday", units=TrainConfig.units)
    best = tune(config, str(tmp_path / "tune"), trials=3, progress=False)
    assert [run.units for run in runs] == 3 * [TrainConfig.units]  # not given, so the captioner's
    assert len({run.dropout for run in runs}) == 3
    assert best == {"dropout": runs[-1].dropout}
    assert list(trials(tmp_path / "tune")[0]) == ["trial", "CIDEr", "state", "dropout"]


def test_each_fold_is_validated_on_its_own_pictures(config, tmp_path, monkeypatch):
    seen = []

    def train(config, data, **rest):
        seen.append([set(part.image_ids) for part in data])

        class Model:
            about = {"validation": {"CIDEr": len(seen) / 10}}  # noqa: RUF012

        return Model

    monkeypatch.setattr(tuning, "train", train)
    lines = []
    tune(config, str(tmp_path / "tune"), trials=1, folds=4, log=lines.append)
    assert len(seen) == 4
    for training, validation in seen:
        assert not training & validation
        assert (len(training), len(validation)) == (6, 2)
    assert set.union(*(validation for _, validation in seen)) == set.union(*seen[0])
    assert "  CIDEr 0.2500, best so far 0.2500" in lines  # the mean of 0.1 to 0.4


def test_a_bad_trial_is_cut_short_and_a_killed_one_continues_in_its_folder(
    config, tmp_path, monkeypatch
):
    scores = iter([0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.95])
    folders = []

    def train(config, after_epoch, **rest):
        folders.append(config.out)
        if len(folders) == 7:
            raise KeyboardInterrupt
        score = next(scores)
        after_epoch({"CIDEr": score, "epoch": 1})

        class Model:
            about = {"validation": {"CIDEr": score}}  # noqa: RUF012

        return Model

    monkeypatch.setattr(tuning, "train", train)
    out, lines = tmp_path / "tune", []
    with pytest.raises(KeyboardInterrupt):
        tune(config, str(out), trials=7, log=lines.append)
    assert [row["state"] for row in trials(out)].count("pruned") == 1
    assert lines.count("  cut short") == 1
    tune(config, str(out), trials=7, log=lines.append)
    assert folders[7] == folders[6]
    assert len(trials(out)) == 7
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def test_a_continued_search_draws_different_settings(config, tmp_path, monkeypatch):
    drawn = []

    def train(config, **rest):
        drawn.append(config.dropout)

        class Model:
            about = {"validation": {"CIDEr": 0.5}}  # noqa: RUF012

        return Model

    monkeypatch.setattr(tuning, "train", train)
    for count in (2, 4):
        tune(config, str(tmp_path / "tune"), trials=count, log=lambda line: None)
    assert len(set(drawn)) == len(drawn) == 4


@pytest.mark.parametrize(("pictures", "scores"), [(20, (0, 0, 0)), (3, (0.5, 0.1, 0.2))])
def test_where_scores_do_not_tell_the_lowest_loss_is_the_best(
    config, tmp_path, monkeypatch, pictures, scores
):
    """They are equal, or of few pictures."""
    losses, drawn = iter([3.0, 2.0, 2.5]), []

    def train(config, **rest):
        drawn.append(config.dropout)

        class Model:
            about = {  # noqa: RUF012
                "validation": {"CIDEr": scores[len(drawn) - 1]},
                "validation_loss": next(losses),
                "validation_pictures": pictures,
            }

        return Model

    monkeypatch.setattr(tuning, "train", train)
    out = tmp_path / "tune"
    best = tune(config, str(out), trials=3, log=lambda line: None)
    assert best["dropout"] == drawn[1]
    assert [float(row["dropout"]) for row in trials(out)] == [drawn[1], drawn[2], drawn[0]]


def test_an_older_search_continues_as_it_began(config, tmp_path):
    """It lacks newer settings: they are what was done before there were these."""
    before = dataclasses.replace(config, smallest_crop=0.8, text_weight=0.0, word_targets=0)
    study = _open_study(optuna, str(tmp_path), before, 0)
    newer = ("smallest_crop", "text_weight", "word_targets", "imagined_noise", "data_weights")
    fixed = study.user_attrs["fixed"]
    study.set_user_attr("fixed", {name: fixed[name] for name in fixed if name not in newer})
    with pytest.raises(
        CaptionerError, match="a different text_weight, word_targets, smallest_crop;"
    ):
        _open_study(optuna, str(tmp_path), config, 0)
    assert _open_study(optuna, str(tmp_path), before, 0).user_attrs["fixed"] == fixed
