"""Ray: started in this process, or a cluster that runs already."""

import contextlib
import logging
import os
import signal
import socket
import threading

from captioner.backend import only_failures_heard
from captioner.errors import CaptionerError, needs_extra, reason_of

ACTOR_CPUS = 1  # one core captions most per core; memory for a model each is what it costs
LOCAL_STORE = 2**28  # bytes of memory for Ray's objects on this machine: only models pass
ANSWER_SECONDS = 10  # for a cluster


def require_ray():
    """The package ray, with ray.data.

    Raises:
        CaptionerError: It is missing.
    """
    # Read when ray is imported: nothing is sent anywhere, C++'s warnings go to Ray's logs, and
    # started by `uv run` it does not pack up the current directory for the workers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CaptionerError(needs_extra("--engine ray needs ray", "ray", error)) from error
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":  # the other one writes Ray's logs
            handler.setLevel(logging.CRITICAL)
    return ray


@contextlib.contextmanager
def connected(actors=None):
    """Ray: the one that runs in this process; else the cluster of RAY_ADDRESS; else one of its own.

    Only what was started here is ended.

    Args:
        actors: int or None. How many processes are wanted. Defaults to `None`, one per core.

    Raises:
        CaptionerError: Ray cannot be started, or the cluster cannot be reached.

    Example:
    >>> with connected(actors=2):
    ...     room_for_actors()
    2
    """
    ray = require_ray()
    if ray.is_initialized():
        yield
        return
    local = {"address": "local", "include_dashboard": False, "object_store_memory": LOCAL_STORE}
    if actors:
        local["num_cpus"] = max(os.cpu_count() or 1, actors * ACTOR_CPUS)
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _require_answer(address)
        with _own_signals(), only_failures_heard():
            ray.init(**({} if address else local), log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # every cause has a class of its own
        message = f"Ray cannot be started ({reason_of(error)})"
        if address:
            message = (
                f"RAY_ADDRESS {address}: cannot be reached ({reason_of(error)}); see whether the "
                "cluster runs, and has the same RAY_AUTH_MODE and token"
            )
        raise CaptionerError(message) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address):
    """Raises OSError where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()


@contextlib.contextmanager
def _own_signals():
    """Keeps this process's handler of SIGTERM, which Ray would replace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def room_for_actors(gpus=0):
    """How many actors the cluster has room for now.

    Args:
        gpus: float. GPUs per actor. Defaults to `0`.

    Returns:
        int.
    """
    resources = require_ray().cluster_resources()
    room = resources.get("CPU", 0) // ACTOR_CPUS
    if gpus:
        room = min(room, resources.get("GPU", 0) // gpus)
    return int(room)
