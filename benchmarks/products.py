"""How fast this machine multiplies, to compare the networks with."""

import time

import numpy as np

REPEATS = 10


def multiplications_per_second(rows, inner, columns):
    """How many multiplications a second NumPy makes in a product of matrices of 32-bit floats.

    The best of ten is returned.

    Args:
        rows, inner, columns: int. The matrices are (rows, inner) and (inner, columns).
    """
    one, other = np.ones((rows, inner), "float32"), np.ones((inner, columns), "float32")
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        one @ other
        times.append(time.perf_counter() - start)
    return rows * inner * columns / min(times)
