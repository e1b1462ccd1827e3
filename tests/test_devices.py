"""Where Keras computes, and with how many threads."""

import os
import subprocess
import sys

import jax
import keras
import pytest
import tensorflow as tf

from captioner import devices
from captioner.devices import require_device, start_keras
from captioner.errors import CaptionerError

NAMES = ["auto", "cpu", "gpu", "gpu:0", "gpu:12"]


@pytest.mark.parametrize("name", [*NAMES, "GPU", "gpu:", "gpu:x", "tpu", ""])
def test_the_names_of_devices(name):
    if name in NAMES:
        require_device(name)
    else:
        with pytest.raises(CaptionerError, match="give auto, cpu, gpu, or one GPU such as gpu:0"):
            require_device(name)


@pytest.fixture
def chosen(monkeypatch):
    """What is chosen where TensorFlow finds two GPUs, which this machine need not have."""
    gpus = ["first GPU", "second GPU"]
    visible = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda found, kind: visible.extend(found))
    return visible


def test_one_of_two_gpus(chosen):
    start_keras("test", "gpu:1")
    assert chosen == ["second GPU"]


def test_all_gpus_are_what_tensorflow_takes_by_itself(chosen):
    start_keras("test", "gpu")
    assert chosen == []


def test_a_gpu_that_is_not_there(chosen):
    with pytest.raises(CaptionerError, match=r"gpu:2: is not there; found: cpu, gpu:0, gpu:1$"):
        start_keras("test", "gpu:2")


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(CaptionerError, match=r"--device gpu: is not there; found: cpu$"):
        start_keras("test", "gpu")


@pytest.mark.parametrize(("on_terminal", "wanted"), [(True, True), (True, False), (False, True)])
def test_keras_bars_are_for_terminals(monkeypatch, on_terminal, wanted):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
    keras.config.enable_interactive_logging()
    try:
        start_keras("test", bars=wanted)
        assert keras.config.is_interactive_logging_enabled() is (on_terminal and wanted)
    finally:
        keras.config.enable_interactive_logging()


def test_jax(monkeypatch):
    cpu = jax.devices("cpu")[0]
    monkeypatch.setattr(jax, "devices", {"cpu": [cpu], "gpu": ["first", "second"]}.get)
    set_to = {}
    monkeypatch.setattr(jax.config, "update", set_to.__setitem__)
    for name, device in (("cpu", cpu), ("gpu", "first"), ("gpu:1", "second")):
        devices._choose_for_jax(name)
        assert set_to == {"jax_default_device": device}


PROGRAM = """
import sys
from captioner.devices import start_keras
start_keras("test", "cpu", threads=1)
import tensorflow as tf
tf.linalg.matmul(tf.ones((900, 900)), tf.ones((900, 900)))
with open("/proc/self/status") as file:
    print([line for line in file if line.startswith("Threads:")][0].split()[1])
print(tf.config.get_visible_devices("GPU"), sys.stderr.isatty())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
@pytest.mark.long
def test_one_thread_is_fewer_than_all():
    counts = []
    for program in (PROGRAM, PROGRAM.replace("threads=1", "threads=16")):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        counts.append(int(done.stdout.split()[0]))
        assert done.stdout.splitlines()[1] == "[] False"
    assert counts[1] - counts[0] >= 10
