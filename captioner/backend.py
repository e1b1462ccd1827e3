"""Starts what computes, Keras' backend or LiteRT, without its greetings."""

import contextlib
import logging
import os
import shutil
import sys
import tempfile

from captioner.errors import CaptionerError, needs_extra


def start_backend(what, extra="train"):
    """Imports Keras and its backend.

    TensorFlow reports its CPU kernels, and a GPU that it does not find, on standard error; none of
    its settings silences these lines.

    Args:
        what: str. What needs Keras: a command, a Python name or a model.
        extra: str. The group of optional packages that it needs. Defaults to `"train"`.

    Raises:
        CaptionerError: Keras or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It also warns that functions are traced again, which for each caption length is what we want.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if sys.modules.get("keras"):
        return
    with only_failures_heard():
        try:
            import keras  # noqa: F401
        except ModuleNotFoundError as error:
            raise CaptionerError(_missing(what, extra, error)) from error


def _missing(what, extra, error):
    if error.name in ("jax", "torch"):  # KERAS_BACKEND, or Keras' own settings, chose it
        return f"{what} needs Keras' backend {error.name} ({error}); install it, or choose another"
    return needs_extra(f"{what} needs Keras and TensorFlow", extra, error)


@contextlib.contextmanager
def only_failures_heard():
    """Shows what libraries print on standard error only if the block fails.

    A user would take their greetings for errors. The lines come from C++, past sys.stderr.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as printed:
        kept = os.dup(2)
        os.dup2(printed.fileno(), 2)
        try:
            yield
        except CaptionerError:  # says itself what is wrong
            raise
        except BaseException:
            _show(printed, kept)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _show(printed, descriptor):
    printed.seek(0)
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        shutil.copyfileobj(printed, stream)
