"""Starting the backend: without its greetings, but with its failures."""

import os
import re
import shutil
import subprocess
import sys

import pytest

PHOTO = "data/samples/horses.jpg"
# The tests' own environment keeps TensorFlow quiet; a user's does not.
ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


def errors_of(*command):
    """What a command that succeeds prints on standard error."""
    command = [sys.executable, *command]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ["caption", PHOTO, "--model", "{}/real.keras"],
        ["export", "--model", "{}/real.keras", "--out", "{}/exported", "--quiet"],
        ["evaluate", "--model", "{}/real.keras", "--data", "{}/captions.csv", "--quiet"],
        ["train", "--data", "{}/captions.csv", "--init-from", "{}/real.keras", "--epochs", "1",
         "--min-count", "1", "--fine-tune-from", "all", "--fine-tune-epochs", "1",
         "--out", "{}/run", "--cache", "{}/cache"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_command_starts_the_backend_without_a_word(real_captioner, tmp_path, command):
    real_captioner.save(tmp_path / "real.keras")
    rows = [f"{split}.jpg,a dog runs,{split}" for split in ("train", "val", "test")]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption,split", *rows]))
    for split in ("train", "val", "test"):
        shutil.copy(PHOTO, tmp_path / f"{split}.jpg")
    printed = errors_of("-m", "captioner", *(each.format(tmp_path) for each in command))
    bars = re.compile(r"[^\r\n]*\d+%\|[^\r\n]*[\r\n]*")  # of progress
    assert bars.sub("", printed).strip() == ""


@pytest.mark.long
@pytest.mark.parametrize(
    "program",
    [
        f"captioner.load('everyday').generate('{PHOTO}')",
        f"captioner.load('everyday', runtime='keras').generate('{PHOTO}')",
        f"captioner.Captioner.from_preset('everyday').generate('{PHOTO}')",
        "captioner.train(captioner.TrainConfig('data/shapes', epochs=1, units=4, picture_size=32, "
        "encoder='mobilenet_v2', encoder_weights='none', cache='{}'), progress=False)",
    ],
)
def test_a_python_call_starts_the_backend_without_a_word(program, tmp_path):
    assert errors_of("-c", f"import captioner; {program.format(tmp_path)}") == ""


def test_a_backend_that_fails_is_heard(tmp_path):
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'no room')\nraise ImportError('x')")
    program = "from captioner.backend import start_backend\nstart_backend('train')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr.startswith("no room")
    assert done.stderr.rstrip().endswith("ImportError: x")
