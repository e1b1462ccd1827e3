"""Which epoch of a run is the best, and which epochs are progress.

CIDEr decides. It says nothing where it is equal, and it stays 0 for a while, or for ever: of a
single picture, or until a whole phrase is right. The validation loss decides there, which tells a
better epoch from the first one on.
"""

import math

DIGITS = 4  # of CIDEr, as the log shows it; scores equal in these are tied


def goodness(scores):
    """How good an epoch is, to be compared with that of other epochs; higher is better.

    Args:
        scores: dict with `CIDEr` and `val_loss`, such as a line of history.csv.

    Returns:
        (float, float): the CIDEr, rounded; the validation loss, negative.

    Example:
    >>> goodness({"CIDEr": 0.50001, "val_loss": 2.5}) > goodness({"CIDEr": 0.5, "val_loss": 3.0})
    True
    """
    loss = scores["val_loss"]
    return round(scores["CIDEr"], DIGITS), -loss if math.isfinite(loss) else -math.inf


def is_best(epoch, before):
    """Whether an epoch is better than all before it; both as `goodness` gives them."""
    return epoch > max(before, default=(-math.inf, -math.inf))


def is_progress(epoch, before):
    """Whether an epoch is better than all before it, or has a lower validation loss."""
    return is_best(epoch, before) or epoch[1] > max(loss for _, loss in before)


def waits(epochs):
    """How many epochs ago the last progress was, after each epoch.

    Args:
        epochs: list of (float, float), as `goodness` gives them.

    Returns:
        list of int.

    Example:
    >>> waits([(0.0, -3.0), (0.0, -2.5), (0.0, -2.6), (0.1, -2.7)])
    [0, 0, 1, 0]
    """
    found = []
    for number, epoch in enumerate(epochs):
        progressed = is_progress(epoch, epochs[:number])
        found.append(0 if progressed else found[-1] + 1)
    return found
