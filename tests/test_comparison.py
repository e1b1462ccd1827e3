"""The cells side by side: what is measured, kept and drawn."""

import json

import pytest
from PIL import Image

from captioner import comparison
from captioner.cells import CELLS
from captioner.errors import CaptionerError
from tests.datasets import SMALL, make_colours


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """One cell, one implementation, eight pictures."""
    monkeypatch.setattr(comparison, "CELLS", {"gru": CELLS["gru"]})
    monkeypatch.setattr(comparison, "IMPLEMENTATIONS", ("keras",))
    make_colours(tmp_path)
    return comparison.Plan(
        str(tmp_path), epochs=2, units=8, seeds=(0, 1),
        distances=(2,), memory_steps=3, gradient_distance=4, settings={**SMALL, "batch_size": 8},
    )  # fmt: skip


def test_a_comparison_is_measured_once_written_and_drawn(plan, tmp_path, monkeypatch):
    out = tmp_path / "out"
    [row] = comparison.compare(plan, str(out), log=lambda line: None, progress=False)
    # 3 gates of 8 units that see 8 + 8 inputs, with two biases; 8 words and 4 marks of 8 numbers;
    # logits; 1280 features normalised and made 8.
    gru = 3 * 8 * (8 + 8 + 8 + 2)
    words = len(["a", "red", "blue", "field", "everywhere"]) + 4
    assert row["parameters"] == gru + words * (8 + 8 + 1) + 2 * 1280 + 1281 * 8
    assert len(row["CIDEr"]) == len(row["BLEU-4"]) == 2
    assert row["words_per_second"] > 0
    assert row["caption_ms"] > 0
    assert row["longest_distance"] == 0  # three steps teach nothing
    assert list(row["accuracy"]) == [2]
    assert row["gradient_ratio_fresh"] > 0
    kept = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert kept["rows"][0]["CIDEr"] == row["CIDEr"]
    table = (out / "comparison.md").read_text(encoding="utf-8").splitlines()
    assert len(table) == 3
    assert table[2].startswith("| gru | keras | ")
    assert "±" in table[2]
    with Image.open(out / "comparison.png") as picture:
        assert picture.size[0] > picture.size[1] > 300

    monkeypatch.setattr(comparison, "_measure", None)  # would fail if it were called again
    again = comparison.compare(plan, str(out), log=lambda line: None)
    assert again[0]["CIDEr"] == row["CIDEr"]
    with pytest.raises(CaptionerError, match="another comparison; give another --out"):
        comparison.compare(plan.quick(), str(out))


def test_the_quick_plan_keeps_the_data_and_the_settings(plan):
    quick = plan.quick()
    assert (quick.data, quick.images, quick.settings) == (plan.data, plan.images, plan.settings)
    assert quick.seeds == (0,)
