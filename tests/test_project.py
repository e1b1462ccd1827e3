"""The project's own files: what is installed, and the core on another backend."""

import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_those_of_the_package_and_of_its_tests():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = [line for line in lines if line and not line.startswith("#")]
    assert required == PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]


def test_a_package_has_the_same_bounds_wherever_it_is_named():
    found = {}
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        for requirement in group:
            name = re.match(r"[\w.-]+", requirement)[0].lower()
            assert found.setdefault(name, requirement) == requirement


ROAD = ("recurrent", "attention", "decoder", "encoder", "compiled")
TRAINING = ("teacher_forcing", "optimizers", "stages", "word_layer")
CORE = [f"tests/test_{name}.py" for name in ROAD]
CORE += [f"tests/training/test_{name}.py" for name in TRAINING] + ["tests/study/test_labeller.py"]


@pytest.mark.parametrize(
    "files", [["tests/test_cells.py"], pytest.param(CORE, marks=pytest.mark.long)]
)
def test_the_core_runs_on_jax(files):
    chosen = (
        "both_implementations or step_by_step or long_sequence or loss or later or slow or "
        "test_compiled or as_a_layer"
    )
    command = [sys.executable, "-m", "pytest", *files, "-k", chosen, "-m", "long or not long"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
