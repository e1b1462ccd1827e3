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


EXTRAS = PROJECT["optional-dependencies"]
OWN = re.compile(r"captioner\[([\w,]+)\]")  # an extra that includes other extras


def packages(extra):
    """What an extra lists itself, without the extras that it includes."""
    return [each for each in EXTRAS[extra] if not OWN.match(each)]


def included(extra):
    """The other extras that an extra includes."""
    return {name for each in EXTRAS[extra] if (found := OWN.match(each))
            for name in found[1].split(",")}  # fmt: skip


def test_requirements_are_those_of_the_package_and_of_its_tests():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = [line for line in lines if line and not line.startswith("#")]
    assert required == PROJECT["dependencies"] + packages("train") + packages("test")


def test_a_package_has_the_same_bounds_wherever_it_is_named():
    found = {}
    for requirement in [
        *PROJECT["dependencies"],
        *(each for name in EXTRAS for each in EXTRAS[name]),
    ]:
        if OWN.match(requirement):
            continue
        name = re.match(r"[\w.-]+", requirement)[0].lower()
        assert found.setdefault(name, requirement) == requirement


@pytest.mark.parametrize("extra", ["tune", "export", "notebooks", "test"])
def test_an_extra_that_needs_keras_brings_it(extra):
    assert included(extra) == {"train"}
    assert {"keras", "tensorflow"} <= {re.match(r"\w+", each)[0] for each in packages("train")}


def test_all_is_every_extra_of_a_user():
    assert included("all") == set(EXTRAS) - {"all", "test"}
    assert packages("all") == []


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
