"""The documentation: its examples run, its links lead somewhere, its commands exist."""

import pathlib
import re
import subprocess
import sys

import pytest

from captioner.cli import COMMANDS

ROOT = pathlib.Path(__file__).parent.parent
BESIDE = [ROOT / folder / "README.md" for folder in ("benchmarks", "recipes", "data")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *BESIDE])


LONG = ("training",)  # pages whose examples take long


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.long if page.stem in LONG else ())
        for page in PAGES
        if blocks(page)
    ],
    ids=lambda page: page.stem,
)
def test_examples_run(page, tmp_path):
    program = "\n".join(blocks(page))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"`[^`\n]*`", "", page.read_text())):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_every_command_is_explained():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in COMMANDS:
        assert f"captioner {command}" in text or f"{command}.py" in text, command


def test_extensions_are_short():
    for block in blocks(ROOT / "docs/extending.md"):
        assert len(block.splitlines()) < 30
