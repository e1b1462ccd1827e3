"""The wheel: all that belongs to the package, installed where nothing else is."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PHOTO = ROOT / "data/samples/horses.jpg"
CAPTION = "a group of horses grazing in a field"
MOST_BYTES = 200e6
MOST_PACKAGES = 20
INSTALLERS = {"pip", "setuptools"}  # come with a new environment
SIZE = """
import os, sysconfig
folder = sysconfig.get_paths()["purelib"]
installers = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
print(sum(
    os.path.getsize(os.path.join(place, name))
    for place, _, names in os.walk(folder)
    if not os.path.relpath(place, folder).startswith(installers)
    for name in names
    if not name.startswith(installers)
))
"""

pytestmark = pytest.mark.long


def run(*command, cwd=None):
    """What a command that succeeds prints: its standard output, and its standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the working tree, built from a copy, since building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    probe = [*pip, "download", "--no-deps", "--dest", folder / "probe", "setuptools>=77"]
    reached = subprocess.run(probe, capture_output=True, text=True)
    if reached.returncode:
        pytest.skip(f"no package index can be reached: {reached.stderr.strip()[-300:]}")
    source = folder / "source"
    shutil.copytree(
        ROOT / "captioner", source / "captioner", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, source)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    """The folder of the programs of a new environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "pip", "install", wheel)
    return folder / "bin"


def test_it_has_every_file_of_the_package(wheel):
    files = {path for path in (ROOT / "captioner").rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts
    }
    assert {"captioner/web/page.html", "captioner/presets/everyday.litert/manifest.json"} <= wanted
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted


def test_captions_are_written_from_any_folder(programs, tmp_path):
    printed = run(programs / "captioner", "caption", PHOTO, cwd=tmp_path)
    assert printed == (f"{PHOTO}\t{CAPTION}\n", "")
    program = f"import captioner; print(captioner.load('everyday').generate({str(PHOTO)!r}))"
    assert run(programs / "python", "-c", program, cwd=tmp_path) == (f"{CAPTION}\n", "")


def test_what_is_installed_is_small(programs):
    listed = json.loads(run(programs / "pip", "list", "--format", "json")[0])
    names = {each["name"].lower() for each in listed} - INSTALLERS
    assert "captioner" in names
    assert not names & {"keras", "tensorflow", "h5py", "matplotlib"}
    assert len(names) < MOST_PACKAGES
    assert int(run(programs / "python", "-c", SIZE)[0]) < MOST_BYTES
