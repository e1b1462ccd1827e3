"""Training that is killed, told to end, or has no room ends as if nothing had been."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from captioner import TrainConfig, load, train
from captioner.cli import main
from captioner.errors import CaptionerError
from captioner.training.features import cached_features
from captioner.training.run_folder import RunFolder
from tests.conftest import SmallDisk
from tests.datasets import make_colours

SETTINGS = {
    "encoder": "mobilenet_v2", "encoder_weights": "none", "units": 8, "embedding": 8,
    "image_units": 8, "picture_size": 32, "epochs": 2, "batch_size": 4, "min_count": 1,
    "fine_tune_from": "block_16_project", "fine_tune_epochs": 2, "fine_tune_batch_size": 2,
    "self_critical": 1, "teacher_weight": 0.5, "text_epochs": 0,
}  # fmt: skip
EPOCHS = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    make_colours(folder)
    (folder / "text.txt").write_text("red everywhere\na blue field\nblue and red\n" * 3)
    return folder


def flags(data, out):
    settings = {**SETTINGS, "data": data, "cache": f"{data}-cache", "out": out,
                "text": data / "text.txt"}  # fmt: skip
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def start(data, out, resume=True, die_before=0):
    """A process that trains, and perhaps kills itself."""
    command = [
        sys.executable,
        "-m",
        "tests.training.train_small",
        str(die_before),
        *flags(data, out),
    ]
    command += ["--resume"] * resume
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have had it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def contents(out):
    """What the run came to: weights, history.csv and the best epoch."""
    digest = {}
    for name in ("last", "best", "best-features", "best-pixels", "best-rewards"):
        model = load(os.path.join(out, f"{name}.keras"))
        weights = b"".join(np.asarray(each).tobytes() for each in model.weights)
        about = {**model.about, "trained_with": None}
        digest[name] = hashlib.sha256(weights).hexdigest(), about, model.generation
    with open(os.path.join(out, "history.csv"), encoding="utf-8") as file:
        digest["history"] = file.read()
    _, facts = RunFolder(out).load_state()
    return digest | {"best_epoch": facts["best_epoch"]}


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """What a run comes to that no one disturbs, and the seconds it takes."""
    out = str(tmp_path_factory.mktemp("run") / "whole")
    began = time.time()
    process = start(data, out, resume=False)
    assert process.wait() == 0, process.stderr.read()
    return contents(out), time.time() - began


@pytest.mark.long
def test_killed_while_it_wrote(data, tmp_path, uninterrupted):
    """Before the settings, amid the files of the first epoch, and later.

    At last in the second epoch of pixels, when the word layer has learned already.
    """
    out = str(tmp_path / "run")
    for number, files in enumerate((1, 9, 15)):
        process = start(data, out, resume=number > 0, die_before=files)
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
    stages = [row["stage"] for row in RunFolder(out).load_state()[1]["history"]]
    assert stages == ["features", "features", "pixels"]
    process = start(data, out)
    assert process.wait() == 0, process.stderr.read()
    assert contents(out) == uninterrupted[0]
    assert not [name for name in os.listdir(out) if name.endswith(".new") or name[0] == "."]


@pytest.mark.long
def test_killed_at_random_moments(data, tmp_path, uninterrupted):
    wanted, seconds = uninterrupted
    rng = np.random.default_rng(0)
    kills = finished = 0
    while kills < 6:
        out = str(tmp_path / f"run{finished}")
        while True:
            process = start(data, out, resume=os.path.exists(os.path.join(out, "config.json")))
            try:
                process.wait(rng.uniform(0.3, 1.0) * seconds)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        assert process.returncode == 0, process.stderr.read()
        assert contents(out) == wanted
        finished += 1


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)],
)
def test_told_to_end(data, tmp_path, number, status):
    out = str(tmp_path / "run")
    process = start(data, out, resume=False)
    for line in process.stdout:
        if line.startswith("epoch 2 "):  # so the first is saved
            break
    process.send_signal(number)
    asked = time.time()
    assert process.wait() == status
    assert time.time() - asked < 20  # a step, a compilation, the end of the process
    assert "continue with --resume" in process.stderr.read().splitlines()[-1]
    assert 1 <= len(RunFolder(out).load_state()[1]["history"]) < EPOCHS


@pytest.fixture
def begun(data, tmp_path):
    """A run of one epoch, and its settings."""
    settings = {**SETTINGS, "data": str(data), "cache": f"{data}-cache", "fine_tune_from": "none",
                "self_critical": 0, "epochs": 1, "out": str(tmp_path / "run")}  # fmt: skip
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    return settings


def files_of(folder):
    names = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    found = {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def test_no_room_for_a_checkpoint(begun):
    before = files_of(begun["out"])
    config = TrainConfig(**{**begun, "epochs": 2})
    with SmallDisk(100_000), pytest.raises(CaptionerError) as caught:
        train(config, resume=True, log=lambda line: None, progress=False)
    assert re.search(r"last\.keras: cannot be written \(File too large\)", str(caught.value))
    assert "continue with --resume" in str(caught.value)
    after = files_of(begun["out"])
    assert before.pop("config.json") != after.pop("config.json")  # it may have more epochs
    assert before == after
    train(config, resume=True, log=lambda line: None, progress=False)
    assert RunFolder(begun["out"]).load_state()[1]["history"][-1]["epoch"] == 2


def test_no_room_for_features(data, tmp_path, tiny_captioner):
    paths = sorted(str(path) for path in data.glob("*.png"))
    cache = str(tmp_path / "cache")
    with SmallDisk(1000), pytest.raises(CaptionerError, match="name another folder by --cache"):
        cached_features(tiny_captioner, paths, cache, progress=False)
    features, _ = cached_features(tiny_captioner, paths, cache, progress=False)
    assert features.shape == (8, tiny_captioner.encoder.channels)


def test_damaged_features_are_computed_anew(data, tmp_path, tiny_captioner):
    paths = sorted(str(path) for path in data.glob("*.png"))
    cache = tmp_path / "cache"
    wanted = np.array(cached_features(tiny_captioner, paths, str(cache), progress=False)[0])
    [stored] = cache.glob("*.npy")
    stored.write_bytes(stored.read_bytes()[:-100])
    found, _ = cached_features(tiny_captioner, paths, str(cache), progress=False)
    np.testing.assert_array_equal(found, wanted)


def test_two_processes_in_one_folder(begun):
    folder = RunFolder(begun["out"])
    folder.begin(TrainConfig(**begun))
    try:
        with pytest.raises(CaptionerError, match="another process is training in it"):
            train(TrainConfig(**begun), resume=True, progress=False)
    finally:
        folder.end()


def test_data_that_changed(begun, data, tmp_path):
    def resumed(change):
        path = data / "captions_train.json"
        text = path.read_text()
        path.write_text(change(text))
        try:
            train(TrainConfig(**begun), resume=True, log=lambda line: None, progress=False)
        finally:
            path.write_text(text)

    changed = r"has changed since .* train had 4 pictures with 8 captions, has 4 pictures with 8"
    with pytest.raises(CaptionerError, match=changed):
        resumed(lambda text: text.replace("a red field", "a red meadow", 1))
    before = files_of(begun["out"])
    with pytest.raises(CaptionerError, match="which these settings leave out"):
        train(
            TrainConfig(**{**begun, "epochs": 0, "self_critical": 1}), resume=True, progress=False
        )
    assert files_of(begun["out"]) == before
    resumed(lambda text: text)


def test_a_loss_that_is_no_number_keeps_the_last_epoch(begun, monkeypatch):
    from captioner.training.steps import CompiledSteps

    before = files_of(begun["out"])
    monkeypatch.setattr(CompiledSteps, "train", lambda *arguments: float("nan"))
    with pytest.raises(CaptionerError, match=r"step \d+: the loss is nan; the last epoch is kept"):
        train(TrainConfig(**{**begun, "epochs": 2}), resume=True, log=print, progress=False)
    after = files_of(begun["out"])
    assert {**before, "config.json": ""} == {**after, "config.json": ""}


@pytest.mark.parametrize("name", ["state.npz", "last.keras", "config.json"])
def test_a_damaged_run_is_told_in_one_line(begun, capsys, name):
    path = os.path.join(begun["out"], name)
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
    assert main(["train", "--out", begun["out"], "--epochs", "2", "--resume"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"captioner: error: {path}")
    assert len(error.splitlines()) == 1


def test_the_leavings_of_a_killed_process_are_swept_up(begun):
    out = begun["out"]
    os.mkdir(os.path.join(out, ".saving-x"))
    for name in ("state.npz.new", ".saving-x/model.keras", ".writing-x"):
        open(os.path.join(out, name), "w").close()
    train(TrainConfig(**begun), resume=True, log=lambda line: None, progress=False)
    assert not [name for name in os.listdir(out) if name.endswith(".new") or name[0] == "."]
