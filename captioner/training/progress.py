"""How an epoch is going: the mean of a number so far, on a progress bar."""

from tqdm import tqdm


class Progress:
    """The weighted mean of a number over an epoch, and its progress bar.

    Args:
        title: str. What the bar is called.
        captions: int. How many captions come in the epoch.
        label: str. The name of the number.
        shown: bool. Whether the bar is.

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
        self._bar = tqdm(total=captions, unit="caption", desc=title, disable=not shown, leave=False)

    def add(self, value, weight, captions):
        self._sum += value * weight
        self._weights += weight
        self._bar.update(captions)
        mean = f"{self._sum / self._weights:.3f}"
        self._bar.set_postfix({self._label: mean}, refresh=False)

    def close(self):
        """Ends the bar; returns the mean."""
        self._bar.close()
        return float(self._sum / self._weights)
