"""What works without the extras, and what says which one it needs."""

import json
import os
import re
import subprocess
import sys

import pytest

from captioner.presets import DEFAULT_PRESET, find_model
from tests.light import run_without
from tests.test_project import EXTRAS, packages

PHOTO = "data/samples/horses.jpg"
CAPTION = "a group of horses grazing in a field"
KERAS_FILE = find_model(DEFAULT_PRESET)
KERAS = ["keras", "tensorflow", "h5py", "matplotlib", "tensorboard", "jax"]
# The packages of the extras, as they are imported.
MODULES = {re.match(r"[\w.-]+", each)[0] for extra in EXTRAS for each in packages(extra)}

WORKS = {
    "caption": ["caption", PHOTO],
    "caption --format csv": ["caption", PHOTO, "--format", "csv"],
    "caption --output": ["caption", PHOTO, "--format", "html", "--output", "{}/page.html"],
    "alt": ["alt", "{}/alt.html", "--dry-run"],
    "evaluate --results": ["evaluate", "--results", "{}/results.json", "--data", "{}/captions.csv",
                           "--images", "data/samples", "--report", "{}/report", "--quiet"],
    "evaluate --model": ["evaluate", "--model", DEFAULT_PRESET, "--data", "{}/captions.csv",
                         "--images", "data/samples", "--quiet"],
    "load": f"print(captioner.load('{DEFAULT_PRESET}').generate('{PHOTO}'))",
    "Ensemble": f"model = captioner.load('everyday')\nprint(captioner.Ensemble([model] * 2)"
                f".generate('{PHOTO}'))",
    "names": "captioner.TrainConfig, captioner.Vocabulary, captioner.Reranked, captioner.metrics, "
             "captioner.bulk, captioner.load_dataset, captioner.LiteCaptioner",
}  # fmt: skip

# What says in one line that it needs an extra, and which.
NEEDS = {
    "train": (["train", "--data", "data/shapes", "--out", "{}/run"], "train", "train"),
    "compare": (["compare", "--data", "data/shapes"], "compare", "train"),
    "tune": (["tune", "--data", "data/shapes", "--out", "{}/tune"], "tune", "tune"),
    "export": (["export", "--out", "{}/out"], "export", "train"),
    "onnx": (["export", "--out", "{}/out", "--format", "onnx"], "export", "export"),
    "serve": (["serve"], "serve", "web"),
    "ray": (["caption", PHOTO, "--engine", "ray", "--output", "{}/o"], "--engine ray", "ray"),
    "metadata": (["caption", PHOTO, "--write-metadata"], "--write-metadata", "metadata"),
    "runtime": (["caption", PHOTO, "--runtime", "keras"], "everyday with runtime keras", "train"),
    "rerank": (["caption", PHOTO, "--rerank", KERAS_FILE], KERAS_FILE, "train"),
    ".keras": (["evaluate", "--model", KERAS_FILE, "--data", "data/shapes"], KERAS_FILE, "train"),
    "captioner.Captioner": ("captioner.Captioner", "captioner.Captioner", "train"),
    "captioner.ImageRNN": ("captioner.ImageRNN", "captioner.ImageRNN", "train"),
    "captioner.train": ("captioner.train", "captioner.train", "train"),
    "captioner.export": ("captioner.export", "captioner.export", "train"),
    "captioner.gradients": ("captioner.gradients", "captioner.gradients", "train"),
    "captioner.reports": ("captioner.reports", "figures", "train"),
    "calibrate": (["calibrate", "--model", KERAS_FILE, "--data", "data/shapes"], KERAS_FILE,
                  "train"),
    "load .keras": (f"captioner.load({KERAS_FILE!r})", KERAS_FILE, "train"),
    "load runtime": ("captioner.load('everyday', runtime='keras')", "everyday with", "train"),
    "load implementation": ("captioner.load('everyday', 'custom')", "everyday with", "train"),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What everything above leads to without any extra: a dict from name to (status, out, err)."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "alt.html").write_text(f'<img src="{os.path.abspath(PHOTO)}">')
    (folder / "captions.csv").write_text(f"image,caption,split\nhorses.jpg,{CAPTION},test\n")
    (folder / "results.json").write_text(
        json.dumps([{"image_id": "horses.jpg", "caption": CAPTION}])
    )

    def placed(each):
        return each if isinstance(each, str) else [word.format(folder) for word in each]

    todo = WORKS | {name: given for name, (given, _, _) in NEEDS.items()}
    found = run_without(MODULES | set(KERAS), [placed(each) for each in todo.values()])
    return dict(zip(todo, found, strict=True))


@pytest.mark.parametrize("name", WORKS)
def test_captioning_needs_no_extra(results, name):
    status, _, errors = results[name]
    assert (status, errors) == (0, "")


def test_the_captions_are_those_of_the_model(results):
    assert results["caption"][1] == f"{PHOTO}\t{CAPTION}\n"
    assert results["load"][1] == results["Ensemble"][1] == f"{CAPTION}\n"
    assert "BLEU-4   1.0000" in results["evaluate --results"][1]
    assert "BLEU-4   1.0000" in results["evaluate --model"][1]


@pytest.mark.parametrize("name", NEEDS)
def test_what_needs_an_extra_says_which(results, name):
    given, who, extra = NEEDS[name]
    status, printed, errors = results[name]
    assert (status, printed) == (1 if isinstance(given, str) else 2, "")
    [line] = errors.splitlines()
    assert line.removeprefix("captioner: error: ").startswith(who)
    assert "sys.modules" in line or "No module named" in line  # the cause
    assert line.endswith(f"pip install 'captioner[{extra}]', or here: pip install '.[{extra}]'")


def test_serving_needs_no_keras():
    program = f"""
import warnings
warnings.simplefilter("ignore")  # Starlette's, of what its tests need
from fastapi.testclient import TestClient
from captioner.web.server import make_app

app = make_app(captioner.load("everyday"))
with TestClient(app, "http://localhost") as client, open({PHOTO!r}, "rb") as photo:
    print(client.post("/caption", content=photo.read()).json()["caption"])
"""
    assert run_without(KERAS, [program]) == [(0, f"{CAPTION}\n", "")]


def test_importing_captioner_imports_no_other_package():
    program = (
        "import sys\nbefore = set(sys.modules)\nimport captioner\n"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - "
        "set(sys.stdlib_module_names))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "{'captioner'}\n"
