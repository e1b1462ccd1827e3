"""Starting the deep-learning backend without its greetings."""

import logging
import os
import shutil
import sys
import tempfile


def start_backend():
    """Imports Keras and its backend; what they print is shown only if that fails.

    TensorFlow tells of its CPU kernels and of a GPU it does not find on standard error, where a
    user would take it for errors; no setting of it silences these lines.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It also warns that functions are traced again, which for each caption length is what we want.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    with tempfile.TemporaryFile() as printed:
        kept = os.dup(2)
        os.dup2(printed.fileno(), 2)  # the lines come from C++, past sys.stderr
        try:
            import keras  # noqa: F401
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
