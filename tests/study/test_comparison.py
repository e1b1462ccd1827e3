"""The cells side by side: what is measured, kept and drawn."""

import dataclasses
import json

import pytest
from PIL import Image

from captioner.errors import CaptionerError
from captioner.study import comparison
from tests.datasets import SMALL, make_colours


@pytest.fixture
def plan(tmp_path):
    """One cell, one implementation, eight pictures."""
    make_colours(tmp_path)
    return comparison.Plan(
        str(tmp_path), epochs=2, units=8, seeds=(0, 1),
        distances=(2,), memory_steps=3, gradient_distance=2,
        cells=("gru",), implementations=("keras",), settings={**SMALL, "batch_size": 8},
    )  # fmt: skip


@pytest.mark.long
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
    with pytest.raises(CaptionerError, match="a different comparison; give another --out"):
        comparison.compare(plan.quick(), str(out))


def test_the_first_distance_that_is_forgotten_ends_the_search(monkeypatch):
    known = {5: 1.0, 10: 0.96, 20: 0.6, 40: 1.0}
    practised = []

    def practise(distance, steps, **settings):
        practised.append((distance, steps))
        return distance

    monkeypatch.setattr(comparison.long_memory, "practise", practise)
    monkeypatch.setattr(comparison.long_memory, "accuracy", lambda model, distance: known[model])
    monkeypatch.setattr(comparison, "_gradient_ratio", lambda model, distance: 0.5)
    for gradient_distance, most in ((5, 20), (20, 20), (40, 40)):
        practised.clear()
        plan = comparison.Plan("", distances=tuple(known), gradient_distance=gradient_distance)
        found = comparison._remembering(plan, {"cell": "rnn"})
        assert found["longest_distance"] == 10
        assert list(found["accuracy"]) == [each for each in known if each <= most]
        assert found["gradient_ratio_fresh"] == 0.5
        assert practised.count((gradient_distance, 0)) == 1


def test_the_gradient_is_compared_at_one_of_the_distances(plan, tmp_path):
    wrong = dataclasses.replace(plan, gradient_distance=7)
    with pytest.raises(CaptionerError, match="gradient_distance"):
        comparison.compare(wrong, str(tmp_path / "out"))


def test_the_quick_plan_keeps_the_data_and_the_settings(plan):
    quick = plan.quick()
    assert (quick.data, quick.images, quick.settings) == (plan.data, plan.images, plan.settings)
    assert quick.settings["picture_size"] == 32  # as the plan has it
    assert quick.seeds == (0,)
