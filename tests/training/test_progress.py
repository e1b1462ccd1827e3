"""The mean that a progress bar shows."""

import sys

import pytest

from captioner.progress import ProgressBar
from captioner.training.progress import Progress


def test_the_mean_is_weighted():
    mean = Progress("epoch 1/1", 3, "loss", shown=False)
    mean.add(2.0, weight=1, captions=1)
    mean.add(5.0, weight=2, captions=2)
    assert mean.close() == pytest.approx(4.0)


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_is_shown_where_it_is_wanted(capsys, monkeypatch, shown):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    mean = Progress("epoch 3/7", 10, "reward", shown)
    mean.add(0.5, weight=10, captions=10)
    mean.close()
    assert ("epoch 3/7" in capsys.readouterr().err) is shown


def test_a_log_file_has_the_mean_in_its_lines(capsys, monkeypatch):
    seconds = iter([0, 70, 140])
    monkeypatch.setattr(ProgressBar.__init__, "__defaults__", ("", 0, True, lambda: next(seconds)))
    losses = Progress("epoch 3/7", 100, "loss", shown=True)
    losses.add(3.0, weight=1, captions=7)
    losses.add(1.0, weight=1, captions=7)
    assert losses.close() == 2.0
    assert capsys.readouterr().err.splitlines() == [
        "epoch 3/7: 7 of 100 captions, 0.1 a second, 15:30 left, loss 3.000",
        "epoch 3/7: 14 of 100 captions, 0.1 a second, 14:20 left, loss 2.000",
    ]
