"""The long-memory task, and that it tells apart who remembers and who does not."""

import numpy as np
import pytest

from captioner import long_memory


def test_the_word_behind_the_mark_is_asked_for():
    words, labels = long_memory.examples(distance=5, count=300, seed=1, up_to=True)
    assert words.shape == (300, 7)
    assert (words[:, 0] == long_memory.MARK).all()
    assert (words[:, 1] - 1 == labels).all()
    assert set(labels) == set(range(long_memory.WORDS))
    distances = np.count_nonzero(words, axis=1) - 2
    assert set(distances) == set(range(1, 6))
    for row, distance in zip(words, distances, strict=True):
        assert not row[2 + distance :].any()  # padding is behind
    whole, _ = long_memory.examples(distance=5, count=300)
    assert whole.min() == 1


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_remember_what_was_practised(cell):
    settings = {"cell": cell, "implementation": "keras"}
    assert long_memory.accuracy(long_memory.practise(3, steps=1, **settings), 3) < 0.6
    longest, found = long_memory.longest_distance([3], steps=250, **settings)
    assert longest == 3
    assert found[3] > long_memory.REMEMBERED


def test_the_first_distance_that_is_forgotten_ends_the_search(monkeypatch):
    known = {5: 1.0, 10: 0.96, 20: 0.6, 40: 1.0}
    monkeypatch.setattr(long_memory, "practise", lambda distance, cell: known[distance])
    monkeypatch.setattr(long_memory, "accuracy", lambda model, distance: model)
    longest, found = long_memory.longest_distance([5, 10, 20, 40], cell="rnn")
    assert longest == 10
    assert found == {5: 1.0, 10: 0.96, 20: 0.6}
