"""Several data sets weighed against each other: which captions or pictures come in an epoch.

An epoch has as many captions as all sets together, and each set supplies its share of them. What a
set supplies is the next stretch of an endless row: the set shuffled, then again, and so on.
So a small set comes several times an epoch, and of a large one every epoch takes another part until
all of it has come. Where an epoch's stretch begins follows from the epoch's number, so a resumed
run learns from the same captions.
"""

import numpy as np

from captioner.errors import require


class Balance:
    """Draws what comes in each epoch, so that every data set has its share.

    Args:
        sets: list of str (pictures). The name of the set that each picture is from.
        shares: dict from name to float, summing to about 1. Empty: everything comes once.
        seed: int.

    Example:
    >>> balance = Balance(["a", "b", "b", "b"], {"a": 0.5, "b": 0.5}, seed=0)
    >>> pictures = np.arange(4)
    >>> balance.items(pictures, np.ones(4, int), stage=0, epoch=0)
    array([0, 0, 2, 3])
    >>> balance.items(pictures, np.ones(4, int), stage=0, epoch=1)
    array([0, 0, 1, 2])
    """

    def __init__(self, sets, shares, seed):
        missing = sorted(set(shares).symmetric_difference(sets)) if shares else []
        require(
            not missing,
            f"--data-weights: weigh {', '.join(map(repr, shares))}, and the pictures to learn from "
            f"are of {', '.join(map(repr, sorted(set(sets))))}",
        )
        names = list(shares)
        self._sets = np.array([names.index(name) for name in sets]) if shares else None
        self._shares = np.array(list(shares.values()), float)
        self._seed = seed

    def items(self, pictures, captions, stage, epoch):
        """What comes in an epoch.

        Args:
            pictures: int array (items,). The picture of each caption, or the pictures themselves.
            captions: int array (items,). How many captions come with each.
            stage: int. Stages draw differently.
            epoch: int. Counted from 0 in each stage.

        Returns:
            int array. Positions in `pictures`, set by set; some perhaps more than once.
        """
        if self._sets is None:
            return np.arange(len(pictures))
        sets = self._sets[pictures]
        bounds = np.cumsum(self._shares) / self._shares.sum() * captions.sum()
        wanted = np.diff(np.round(bounds), prepend=0)  # captions of each set; their sum is exact
        drawn = []
        for number, count in enumerate(wanted):
            members = np.flatnonzero(sets == number)
            count = round(count / captions[members].mean())
            drawn.append(members[_stretch(len(members), count, epoch, [self._seed, stage, number])])
        return np.concatenate(drawn)


def _stretch(size, count, epoch, seed):
    """That many of the numbers below `size`, in the endless row after those of earlier epochs."""
    start = epoch * count
    passes = range(start // size, (start + count) // size + 1)
    # With a last 1, as NumPy takes seeds that differ in zeros at their end for the same.
    row = [np.random.default_rng([*seed, number, 1]).permutation(size) for number in passes]
    return np.concatenate(row)[start - passes.start * size :][:count]
