"""Training on JAX, with no more installed than it needs: the same numbers, and a file for all."""

import os

import pytest

from captioner import TrainConfig, load, train
from captioner.datasets import load_dataset
from captioner.training.starting_point import new_captioner
from tests.datasets import make_colours
from tests.training.test_distribution import SETTINGS, STAGES, history, start

NAMES = ("train_loss", "reward", "val_loss", "CIDEr", "learning_rate")


@pytest.fixture
def settings(tmp_path):
    """Of a run in all four stages, nothing random within a step, from weights that are given."""
    make_colours(tmp_path)
    (tmp_path / "text.txt").write_text("a red field\na blue field\nblue and red", encoding="utf-8")
    given = {**SETTINGS, "attention": "none", "data": str(tmp_path)}
    given["cache"] = str(tmp_path / "cache")
    first = new_captioner(TrainConfig(**given), load_dataset(str(tmp_path), None, "train", "auto"))
    first.save(tmp_path / "first.keras")
    del given["encoder_weights"]
    sizes = {"init_from": str(tmp_path / "first.keras"), "batch_size": 8, "fine_tune_batch_size": 4}
    return {**given, **STAGES, **sizes, "text": str(tmp_path / "text.txt")}


@pytest.mark.long
@pytest.mark.parametrize("epochs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_all_stages_learn_on_jax_as_on_tensorflow(settings, tmp_path, epochs):
    """With two epochs stopped within the second stage, and resumed."""
    settings["epochs"] = epochs
    environment = {
        "KERAS_BACKEND": "jax",
        "WITHOUT": "tensorflow tensorboard matplotlib ai_edge_litert",
    }
    out = str(tmp_path / "jax")
    begun = {**settings, "out": out, "epochs": 1, "fine_tune_epochs": 0, "self_critical": 0}
    runs = [begun] * (epochs > 1) + [{**settings, "out": out}]
    for number, given in enumerate(runs):
        process = start(environment, resume=number > 0, **given)
        told, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert "note: no TensorBoard events, for tensorboard is not installed" in told
    assert not {"curves.png", "tensorboard"} & set(os.listdir(out))
    there = history(out)

    here = str(tmp_path / "tensorflow")
    config = TrainConfig(**settings, augment=False, out=here)
    train(config, log=lambda line: None, progress=False)
    stages = ["text", *["features"] * epochs, "pixels", "rewards"]
    assert [row["stage"] for row in there] == stages
    for row, wanted in zip(there, history(here), strict=True):
        for name in NAMES:
            if wanted[name]:
                assert float(row[name]) == pytest.approx(float(wanted[name]), rel=1e-3, abs=1e-5)
    red, blue = (load(os.path.join(out, "best.keras")).generate(str(tmp_path / name))
                 for name in ("4.png", "5.png"))  # fmt: skip
    wanted = load(os.path.join(here, "best.keras"))
    assert [red, blue] == [wanted.generate(str(tmp_path / name)) for name in ("4.png", "5.png")]
