"""Several workers, or several devices of one, learn as one device does from batches as large."""

import csv
import json
import os
import socket
import subprocess
import sys

import pytest
from PIL import Image

from captioner import TrainConfig, train
from captioner.errors import CaptionerError
from captioner.training.distribution import OneDevice, devices_for
from captioner.training.run_folder import RunFolder
from tests.conftest import until
from tests.datasets import coco_document, write_json

COLOURS = {"red": "warm", "blue": "cold", "green": "calm", "yellow": "loud", "black": "dark"}
# Nothing random within a step: dropout's masks depend on how a batch is shared out.
SETTINGS = {
    "encoder": "mobilenet_v2", "encoder_weights": "none", "picture_size": 64, "units": 8,
    "embedding": 8, "image_units": 8, "min_count": 1, "dropout": 0, "word_dropout": 0,
    "image_dropout": 0, "attention": "additive", "attention_units": 4, "l2": 0.001, "ema": 0.5,
    "clip_norm": 0.5, "learning_rate": 0.01, "schedule": "plateau",
}  # fmt: skip
STAGES = {
    "text_epochs": 1, "epochs": 1, "fine_tune_from": "block_16_project", "fine_tune_epochs": 1,
    "self_critical": 1, "teacher_weight": 0.1,
}  # fmt: skip
ONE_STAGE = {"epochs": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """23 pictures to learn from: the last batch has none left for the second worker."""
    folder = tmp_path_factory.mktemp("colours")
    for split, count, first in (("train", 23, 0), ("val", 6, 23)):
        captions = {}
        for n in range(first, first + count):
            colour, mood = list(COLOURS.items())[n % 5]
            Image.new("RGB", (32, 32), colour).save(folder / f"{n}.png")
            captions[f"{n}.png"] = [f"a {colour} field", f"{mood} {colour} everywhere",
                                    f"the {mood} colour {colour} is all there is"]  # fmt: skip
        write_json(folder / f"captions_{split}.json", coco_document(captions, first + 1))
    lines = [f"{mood} and {colour}" for colour in COLOURS for mood in COLOURS.values()]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def settings(data, batch_size, **others):
    pictures = batch_size // 3
    text = {"text": str(data / "text.txt")} if "text_epochs" in others else {}
    return {
        **SETTINGS, "data": str(data), "cache": f"{data}-cache", "batch_size": batch_size,
        "fine_tune_batch_size": pictures, **text, **others,
    }  # fmt: skip


def start(environment, resume=False, **given):
    command = [sys.executable, "-m", "tests.training.train_small", "0", "--no-augment"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return subprocess.Popen(
        command + ["--resume"] * resume,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(resume=False, second=(), **given):
    """Two workers; `second` are settings in which the second differs."""
    workers = []
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    for index in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        own = {**given, **(dict(second) if index else {})}
        workers.append(
            start({"TF_CONFIG": json.dumps(cluster)}, resume, **own, distribute="multiworker")
        )
    return workers


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def history(out):
    with open(os.path.join(out, "history.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_same(rows, wanted):
    assert [row["stage"] for row in rows] == [row["stage"] for row in wanted]
    for row, other in zip(rows, wanted, strict=True):
        for name in ("train_loss", "reward", "val_loss", "CIDEr", "learning_rate"):
            if other[name]:
                assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-4, abs=1e-6)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """What one process comes to with batches of twice the size, in all four stages."""
    out = str(tmp_path_factory.mktemp("runs") / "alone")
    config = TrainConfig(**settings(data, 12, **STAGES), augment=False, out=out)
    train(config, log=lambda line: None, progress=False)
    return history(out)


@pytest.mark.long
def test_two_workers_learn_as_one(data, tmp_path, alone):
    """Even when one of them is killed, which the other notices, and both continue with --resume."""
    out = str(tmp_path / "run")
    given = settings(data, 6, **STAGES, out=out)
    chief, other = start_two(**given)
    until(lambda: os.path.exists(os.path.join(out, "state.npz")), 120)
    other.kill()
    _, told = chief.communicate(timeout=120)
    assert chief.returncode == 2
    assert "another worker has stopped" in told
    assert "Traceback" not in told
    kept = len(RunFolder(out).load_state()[1]["history"])
    assert 1 <= kept < len(alone)

    workers = start_two(resume=True, **given)
    outputs = [each.communicate(timeout=300) for each in workers]
    assert [each.returncode for each in workers] == [0, 0], outputs
    assert f"continuing after epoch {kept}" in outputs[0][0]
    assert not outputs[1][0]  # one log is enough
    assert_same(history(out), alone)


@pytest.mark.long
def test_devices_of_one_process_learn_as_one(data, tmp_path, alone):
    out = str(tmp_path / "run")
    given = settings(data, 6, text_epochs=1, epochs=1, out=out)  # the first two stages
    process = start({"LOGICAL_CPUS": "2"}, **given, distribute="mirrored")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "2 replicas in 1 worker" in output
    assert_same(history(out), alone[:2])
    config = TrainConfig(**{**given, "epochs": 2}, augment=False, distribute="mirrored")
    with pytest.raises(CaptionerError, match="began with 2 replicas, and there are 1 now"):
        train(config, resume=True, log=lambda line: None, progress=False)


@pytest.mark.long  # the next one ends both in the same way
def test_workers_that_differ(data, tmp_path):
    given = settings(data, 6, **ONE_STAGE, out=str(tmp_path / "run"))
    workers = start_two(second={"learning_rate": 0.02}, **given)
    outputs = [each.communicate(timeout=120) for each in workers]
    assert [each.returncode for each in workers] == [2, 2], outputs
    assert "worker 1 has different settings from worker 0: ['--learning-rate']" in outputs[0][1]
    assert "worker 0 has different settings from worker 1" in outputs[1][1]


@pytest.mark.long
def test_what_one_worker_lacks_ends_both(data, tmp_path):
    given = settings(data, 6, **ONE_STAGE, out=str(tmp_path / "run"))
    workers = start_two(second={"data": str(tmp_path / "nowhere")}, **given)
    outputs = [each.communicate(timeout=120) for each in workers]
    assert [each.returncode for each in workers] == [2, 2], outputs
    assert "worker 1: " in outputs[0][1]
    assert "nowhere" in outputs[0][1]
    assert not os.path.exists(tmp_path / "run")


@pytest.mark.parametrize(
    ("theirs", "problem"),
    [
        ({"settings": {"--units": 7, "--seed": 0}, "epochs": 2}, r"settings .*: \['--units'\]"),
        ({"settings": {"--units": 8, "--seed": 0}, "epochs": 3}, "epochs from worker 0: 3"),
        ({"settings": {"--units": 8}, "epochs": 2}, r"settings .*: \['--seed'\]"),
        ({"settings": {"--units": 8, "--seed": 0}, "epochs": 2}, None),
    ],
)
def test_what_differs_between_workers_is_named(monkeypatch, theirs, problem):
    device = OneDevice()
    monkeypatch.setattr(OneDevice, "gather", lambda self, mine: [mine, theirs])
    mine = {"settings": {"--units": 8, "--seed": 0}, "epochs": 2}
    if problem:
        with pytest.raises(CaptionerError, match=f"worker 1 has different {problem}"):
            device.require_same(mine)
    else:
        device.require_same(mine)


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        (None, "set TF_CONFIG"),
        ("{", "is not understood"),
        ('{"cluster": {"worker": ["a:1"]}}', "is not understood"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "place among"),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "one or no chief",
        ),
    ],
)
def test_wrong_cluster(monkeypatch, stated, problem):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if stated:
        monkeypatch.setenv("TF_CONFIG", stated)
    with pytest.raises(CaptionerError, match=problem):
        devices_for("multiworker")


def test_other_backends(monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(CaptionerError, match="needs KERAS_BACKEND=tensorflow"):
        devices_for("mirrored")
