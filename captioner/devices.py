"""Which device Keras computes on, and with how many threads."""

import os
import re
import sys

from captioner.backend import only_failures_heard, start_backend
from captioner.errors import require


def start_keras(what, device="auto", threads=None, bars=True, extra="train"):
    """Starts Keras and its backend with the device and the threads that were chosen.

    Args:
        what: str. What needs Keras, for the error where it is missing.
        device: str. `"cpu"`; `"gpu"`, all that there are; `"gpu:1"`, one of them, counted from 0;
            or `"auto"`, which leaves the choice to the backend. Defaults to `"auto"`.
        threads: int or None. How many compute on the CPU. Defaults to `None`, as many as there are
            cores.
        bars: bool. Whether Keras may show progress bars of its own, where standard error is a
            terminal. Defaults to `True`.
        extra: str. The group of optional packages that it needs. Defaults to `"train"`.

    Raises:
        CaptionerError: Keras is not installed, there is no such device, or the backend is not one
            of those that can choose.

    Example:
    >>> start_keras("train", "cpu", threads=2)
    """
    require_device(device)
    if threads:
        use_threads(threads)
    start_backend(what, extra)
    import keras

    if not (bars and sys.stderr.isatty()):
        keras.config.disable_interactive_logging()
    backend = keras.backend.backend()
    require(
        not threads or backend == "tensorflow",
        f"--threads {threads}: is for LiteRT and TensorFlow; Keras runs on {backend}",
    )
    if device != "auto":
        require(backend in _CHOOSE, f"--device {device}: cannot be chosen for {backend}")
        with only_failures_heard():
            _CHOOSE[backend](device)


def use_threads(threads):
    """Tells TensorFlow, before it starts, how many threads compute."""
    for name in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{name}_THREADS"] = str(threads)


def require_device(device):
    """Raises CaptionerError for what is not the name of a device."""
    require(
        re.fullmatch(r"auto|cpu|gpu(:\d+)?", device),
        f"--device {device}: give auto, cpu, gpu, or one GPU such as gpu:0",
    )


def _of(device, gpus):
    """The GPUs of those found that the device names; none for the CPU."""
    kind, _, number = device.partition(":")
    chosen = [] if kind == "cpu" else gpus[int(number) :][:1] if number else gpus
    found = ", ".join(["cpu", *(f"gpu:{each}" for each in range(len(gpus)))])
    require(chosen or kind == "cpu", f"--device {device}: is not there; found: {found}")
    return chosen


def _choose_for_tensorflow(device):
    import tensorflow as tf

    chosen = _of(device, tf.config.list_physical_devices("GPU"))
    if chosen != tf.config.get_visible_devices("GPU"):
        tf.config.set_visible_devices(chosen, "GPU")


def _choose_for_jax(device):
    import jax

    try:
        gpus = jax.devices("gpu")
    except RuntimeError:  # there are none
        gpus = []
    chosen = _of(device, gpus) or jax.devices("cpu")
    jax.config.update("jax_default_device", chosen[0])


_CHOOSE = {"tensorflow": _choose_for_tensorflow, "jax": _choose_for_jax}
