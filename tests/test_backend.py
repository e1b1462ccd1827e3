"""Starting the backend: without its greetings, but with its failures."""

import os
import subprocess
import sys

import pytest


@pytest.mark.long
def test_the_backend_starts_without_a_word(real_captioner, photos, tmp_path):
    model = str(tmp_path / "real.keras")
    real_captioner.save(model)
    command = [sys.executable, "caption.py", str(photos / "a.png"), "--model", model]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_backend_that_fails_is_heard(tmp_path):
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'no room')\nraise ImportError('x')")
    program = "from captioner.backend import start_backend\nstart_backend('train')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr.startswith("no room")
    assert done.stderr.rstrip().endswith("ImportError: x")
