"""The mean that a progress bar shows."""

import pytest

from captioner.training.progress import Progress


def test_the_mean_is_weighted():
    mean = Progress("epoch 1/1", 3, "loss", shown=False)
    mean.add(2.0, weight=1, captions=1)
    mean.add(5.0, weight=2, captions=2)
    assert mean.close() == pytest.approx(4.0)


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_is_shown_where_it_is_wanted(capsys, shown):
    mean = Progress("epoch 3/7", 10, "reward", shown)
    mean.add(0.5, weight=10, captions=10)
    mean.close()
    assert ("epoch 3/7" in capsys.readouterr().err) is shown
