"""Which epoch of a run is the best, and which epochs are progress.

CIDEr decides. Where it is equal the validation loss does, as at the start, while no caption has a
right phrase and CIDEr stays 0. The loss alone decides where there are few validation pictures:
CIDEr weighs words by how rare they are among them, and is 0 of one picture and chance of three.
"""

import math

DIGITS = 4  # of CIDEr, as the log shows it; scores equal in these are tied
FEWEST_PICTURES = 8  # of which CIDEr counts


def counts_cider(pictures):
    """Whether CIDEr decides with that many validation pictures."""
    return pictures >= FEWEST_PICTURES


def goodness(scores, pictures=FEWEST_PICTURES):
    """How good an epoch is, to be compared with that of other epochs; higher is better.

    Args:
        scores: dict with `CIDEr` and `val_loss`, such as a line of history.csv.
        pictures: int. Validation pictures. Defaults to as many as it takes for CIDEr to decide.

    Returns:
        (float, float): the CIDEr, rounded, or 0 where it does not decide; the validation loss,
        negative.

    Example:
    >>> goodness({"CIDEr": 0.50001, "val_loss": 2.5}) > goodness({"CIDEr": 0.5, "val_loss": 3.0})
    True
    """
    loss = scores["val_loss"]
    cider = round(scores["CIDEr"], DIGITS) if counts_cider(pictures) else 0.0
    return cider, -loss if math.isfinite(loss) else -math.inf


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
