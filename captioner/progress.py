"""How far long work is: a bar on a terminal, and a line a minute in a log file."""

import sys
import time

EVERY = 60  # seconds from line to line; shorter work has none


class ProgressBar:
    """Counts what is done on standard error.

    On a terminal that is a bar, which disappears at the end. In a log file, where bars would leave
    thousands of lines, it is a line a minute with the count, the rate and the time left.

    Args:
        total: int. How many there are.
        unit: str. What is counted, one of it.
        title: str. What the work is called. Defaults to `""`.
        done: int. How many were done before. Defaults to `0`.
        shown: bool. Whether to show anything. Defaults to `True`.
        clock: callable. The time in seconds. Defaults to `time.monotonic`.

    Example:
    >>> with ProgressBar(3, "picture") as bar:
    ...     for path in bar.each(["a.jpg", "b.jpg", "c.jpg"]):
    ...         print(path)
    a.jpg
    b.jpg
    c.jpg
    """

    def __init__(self, total, unit, title="", done=0, shown=True, clock=time.monotonic):
        on_terminal = sys.stderr.isatty()
        self._writes_lines = shown and not on_terminal
        self._total, self._unit, self._title = total, unit, title
        self._clock, self._start = clock, clock()
        self._written = self._start  # when the last line was
        self._before = self._done = done
        self._bar = self._make_bar() if shown and on_terminal else None

    def add(self, count, note=""):
        """Counts more, and shows a note beside the count."""
        self._done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        now = self._clock()
        if self._writes_lines and now - self._written >= EVERY and self._done < self._total:
            self._written = now
            print(self._line(now - self._start, note), file=sys.stderr, flush=True)

    def each(self, items):
        """The same items; each counts once it has been used."""
        for item in items:
            yield item
            self.add(1)

    def close(self):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _make_bar(self):
        from tqdm import tqdm  # slow to import, and one picture has no bar

        return tqdm(
            total=self._total, initial=self._done, unit=self._unit, desc=self._title or None,
            leave=False, file=sys.stderr,
        )  # fmt: skip

    def _line(self, seconds, note):
        from tqdm import tqdm

        rate = (self._done - self._before) / seconds
        left = tqdm.format_interval((self._total - self._done) / rate)
        title = f"{self._title}: " if self._title else ""
        note = f", {note}" if note else ""
        return (
            f"{title}{self._done} of {self._total} {self._unit}s, {rate:.3g} a second, {left} left"
            f"{note}"
        )
