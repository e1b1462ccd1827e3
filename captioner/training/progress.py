"""How an epoch is going: the mean of a number so far, beside the progress."""

from captioner.progress import ProgressBar


class Progress:
    """The weighted mean of a number over an epoch, and a `ProgressBar`.

    Args:
        title: str. What the epoch is called.
        captions: int. How many captions come in the epoch.
        label: str. The name of the number.
        shown: bool. Whether to show the progress.

    Example:
    >>> losses = Progress("epoch 1/1", 3, "loss", shown=False)
    >>> losses.add(2.0, weight=1, captions=1)
    >>> losses.add(5.0, weight=2, captions=2)
    >>> losses.close()
    4.0
    """

    def __init__(self, title, captions, label, shown):
        self._sum = self._weights = 0
        self._label = label
        self._bar = ProgressBar(captions, "caption", title, shown=shown)

    def add(self, value, weight, captions):
        self._sum += value * weight
        self._weights += weight
        self._bar.add(captions, f"{self._label} {self._sum / self._weights:.3f}")

    def close(self):
        """Ends the bar; returns the mean."""
        self._bar.close()
        return float(self._sum / self._weights)
