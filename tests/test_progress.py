"""A bar on a terminal; in a log file a line a minute, and none for short work."""

import sys

import pytest

from captioner.progress import ProgressBar


class Clock:
    """A clock that someone sets."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def work(clock, counts, seconds, **settings):
    """Counts, so many seconds after each other."""
    with ProgressBar(200, "picture", clock=clock, **settings) as bar:
        for count in counts:
            clock.now += seconds
            bar.add(count)


def test_a_log_file_has_a_line_a_minute(clock, capsys):
    work(clock, [10] * 20, seconds=20)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6  # after 60, 120 ... 360 seconds; at 400 all is done
    assert lines[0] == "30 of 200 pictures, 0.5 a second, 05:40 left"
    assert lines[-1] == "180 of 200 pictures, 0.5 a second, 00:40 left"


@pytest.mark.parametrize(("counts", "seconds"), [([100, 50], 29), ([200], 3600)])
def test_short_work_and_work_that_is_done_have_no_line(clock, capsys, counts, seconds):
    work(clock, counts, seconds)
    assert capsys.readouterr().err == ""


def test_what_was_done_before_is_not_in_the_rate(clock, capsys):
    work(clock, [50], seconds=100, title="epoch 1/2", done=100)
    assert capsys.readouterr().err == ("epoch 1/2: 150 of 200 pictures, 0.5 a second, 01:40 left\n")


def test_a_note_is_beside_the_count(clock, capsys):
    with ProgressBar(10, "caption", clock=clock) as bar:
        clock.now += 60
        bar.add(6, "loss 3.210")
    assert capsys.readouterr().err == ("6 of 10 captions, 0.1 a second, 00:40 left, loss 3.210\n")


def test_a_terminal_sees_a_bar_that_disappears(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(clock, [10] * 20, seconds=20, title="encoding")
    printed = capsys.readouterr().err
    assert "encoding:   0%" in printed
    assert "/200" in printed
    assert printed.endswith("\r")
    assert "\n" not in printed


@pytest.mark.parametrize("on_terminal", [True, False])
def test_nothing_where_it_is_not_wanted(clock, capsys, monkeypatch, on_terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
    work(clock, [10] * 20, seconds=20, shown=False)
    assert capsys.readouterr().err == ""


def test_items_count_once_they_have_been_used(clock, capsys):
    with ProgressBar(3, "picture", clock=clock) as bar:
        seen = []
        for item in bar.each("abc"):
            seen.append((item, capsys.readouterr().err))
            clock.now += 60
    assert seen == [
        ("a", ""),
        ("b", "1 of 3 pictures, 0.0167 a second, 02:00 left\n"),
        ("c", "2 of 3 pictures, 0.0167 a second, 01:00 left\n"),
    ]
