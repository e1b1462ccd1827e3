"""The long-memory task, and that it tells apart who remembers and who does not."""

import numpy as np
import pytest

from captioner.study import long_memory


def test_the_label_is_the_word_after_the_mark():
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


@pytest.mark.long
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_remember_what_was_practised(cell):
    settings = {"cell": cell, "implementation": "keras"}
    assert long_memory.accuracy(long_memory.practise(3, steps=0, **settings), 3) < 0.6
    practised = long_memory.practise(3, steps=250, **settings)
    assert long_memory.accuracy(practised, 3) > long_memory.REMEMBERED
