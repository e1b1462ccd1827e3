"""The folder of a run: who may use it, and what it keeps."""

import os

import numpy as np
import pytest

from captioner import TrainConfig
from captioner.errors import CaptionerError
from captioner.training.in_memory import InMemory
from captioner.training.run_folder import FollowedFolder, RunFolder, open_folder

ROW = {
    "epoch": 1, "stage": "features", "train_loss": 2.0, "reward": "", "val_loss": 2.0,
    "CIDEr": 0.5, "BLEU-4": 0.2, "learning_rate": 0.01, "train_seconds": 1.0, "seconds": 1.0,
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    return TrainConfig(data="data", out=str(tmp_path / "run"))


@pytest.fixture
def begun(config):
    """The folder of a run that has begun, open."""
    folder = open_folder(config, resume=False)
    folder.begin(config)
    folder.keep_settings(config)
    yield folder
    folder.end()


def test_which_folder_a_run_has(config):
    assert type(open_folder(config, resume=False)) is RunFolder
    assert type(open_folder(config, resume=False, is_chief=False)) is FollowedFolder
    assert type(open_folder(TrainConfig(data="data"), resume=False)) is InMemory
    with pytest.raises(CaptionerError, match="no run folder to resume"):
        open_folder(TrainConfig(data="data"), resume=True)
    assert not os.path.exists(config.out)  # to open it writes nothing


def test_only_an_empty_folder_becomes_a_run(config):
    os.mkdir(config.out)
    open_folder(config, resume=False)
    open(os.path.join(config.out, "photo.jpg"), "w").close()
    for resume in (False, True):
        with pytest.raises(CaptionerError, match="folder is not empty; give another --out"):
            open_folder(config, resume)


def test_a_file_is_no_run_folder(config):
    open(config.out, "w").close()
    with pytest.raises(CaptionerError, match="is a file"):
        open_folder(config, resume=False)


def test_a_run_is_resumed_on_request_only(begun, config):
    with pytest.raises(CaptionerError, match="holds a run already; continue with --resume"):
        open_folder(config, resume=False)
    assert open_folder(config, resume=True).path == config.out


def test_one_process_at_a_time(begun, config):
    with pytest.raises(CaptionerError, match="another process is training in it"):
        RunFolder(config.out).begin(config)
    begun.end()
    folder = RunFolder(config.out)
    folder.begin(config)
    folder.end()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"units": 7}, "units was 512, is 7"),
        ({"epochs": 7, "patience": 0, "precision": "bfloat16"}, None),
    ],
)
def test_settings_that_may_change(begun, config, changed, message):
    begun.end()
    folder, now = RunFolder(config.out), TrainConfig(data="data", out=config.out, **changed)
    if message:
        with pytest.raises(CaptionerError, match=f"cannot resume with other settings: {message}"):
            folder.begin(now)
        folder = RunFolder(config.out)  # the refusal let others in
        folder.begin(config)
    else:
        folder.begin(now)
    folder.end()


def test_the_state_comes_back_as_it_was(begun):
    assert begun.load_state() is None
    arrays = {"model_0": np.arange(6, dtype="float32").reshape(2, 3), "optimizer_0": np.array(5)}
    facts = {"stage": "features", "history": [ROW], "best_score": 0.5, "data": {"train": {"n": 1}}}
    begun.keep_state([ROW], arrays, facts)
    found, told = begun.load_state()
    assert told == facts
    assert set(found) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
    names = os.listdir(begun.path)
    assert {"config.json", "history.csv", "curves.png", "tensorboard", "state.npz"} <= set(names)


def test_what_follows_a_folder_writes_nothing(config, tiny_captioner):
    folder = FollowedFolder(config.out)
    folder.begin(config)
    folder.keep_settings(config)
    folder.keep(tiny_captioner, folder.best)
    folder.keep_state([ROW], {}, {})
    folder.end()
    assert not os.path.exists(config.out)


@pytest.mark.parametrize("kind", ["on disk", "in memory"])
def test_the_weights_that_were_kept_come_back(begun, tiny_captioner, kind):
    folder = begun if kind == "on disk" else InMemory()
    before = tiny_captioner.get_weights()
    tiny_captioner.about = {"epoch": 4}
    try:
        folder.keep(tiny_captioner, folder.best_of("features"), folder.best)
        tiny_captioner.about = {"epoch": 5}
        changed = [value + 1 for value in before]
        tiny_captioner.set_weights(changed)
        folder.keep(tiny_captioner)
        for name, epoch, wanted in (
            (folder.best, 4, before), (folder.last, 5, changed),
            (folder.best_of("features"), 4, before),
        ):  # fmt: skip
            assert folder.take_weights(tiny_captioner, name)["epoch"] == epoch
            for one, other in zip(tiny_captioner.get_weights(), wanted, strict=True):
                np.testing.assert_array_equal(one, other)
        best = folder.best_captioner(tiny_captioner)
        assert best.about["epoch"] == 4
        np.testing.assert_array_equal(best.get_weights()[0], before[0])
    finally:
        tiny_captioner.set_weights(before)
        tiny_captioner.about = {}
