"""The notebooks: they run, and what is committed has been run."""

import pathlib
from concurrent.futures import ThreadPoolExecutor, wait

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def test_there_are_seven():
    assert [name[:2] for name in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]


def run(name):
    """Runs a notebook from its folder; raises what a cell raises."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()


@pytest.fixture(scope="module")
def runs():
    """All notebooks, two at a time: each spends most of its time with one core busy."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setenv("CAPTIONER_QUICK", "1")
        runs = {name: threads.submit(run, name) for name in NOTEBOOKS}
        wait(runs.values())
    return runs


@pytest.mark.long
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, runs):
    runs[name].result()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_committed_was_executed_in_order_with_pictures_inside(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    printed = [output.get("text", "") for output in outputs]
    assert not [text for text in printed if "WARNING" in text]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert "/home/" not in "".join(printed)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert (FOLDER / name).stat().st_size < 2_000_000
