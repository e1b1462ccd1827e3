"""The time to decode 64 pictures, greedily and with beams of several widths.

    python -m benchmarks.searches --photos flickr8k/images

The time to encode the pictures is not counted. A step has a row for each hypothesis, and its time
is proportional to its rows. "Rows" is the number that a search sends through the decoder for all 64
pictures, so it says what the search should cost. "In the network" is the part of the time that the
decoder itself takes, and "a row" is that part for each row. The searches take turns for several
rounds, and the medians are printed. The last lines say what a beam of 5 costs, and how fast this
machine multiplies a matrix of the size of the decoder's logits in NumPy.
"""

import argparse
import glob
import os
import time
from statistics import median

import numpy as np

from benchmarks.products import multiplications_per_second
from captioner.images import read_image
from captioner.lite_captioner import LiteCaptioner
from captioner.presets import DEFAULT_PRESET, exported_form

PICTURES = 64
LOGITS = 512, 4037  # units and words of the shipped model
SEARCHES = {"greedy": {"method": "greedy"}} | {
    f"beam {width}": {"method": "beam", "beam_size": width} for width in (1, 3, 5, 10)
}


class CountingStep:
    """The decoder's step, which counts its rows and its seconds."""

    def __init__(self, step):
        self._step, self.rows, self.seconds = step, 0, 0.0

    def __call__(self, words, context, state):
        start = time.perf_counter()
        found = self._step(words, context, state)
        self.seconds += time.perf_counter() - start
        self.rows += len(words)
        return found


def measured(model, image, search):
    """(seconds, seconds in the network, rows) of one search."""
    model.step = counting = CountingStep(model.step)
    start = time.perf_counter()
    model.decode(image, **search)
    seconds = time.perf_counter() - start
    del model.step  # the class has the original
    return seconds, counting.seconds, counting.rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of at least 64 pictures")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", default=exported_form(DEFAULT_PRESET), help="exported captioner")
    options = parser.parse_args()
    model = LiteCaptioner(options.model)
    size = (model.picture_size,) * 2
    paths = sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[:PICTURES]
    image = model.encode(np.stack([read_image(path, size) for path in paths]))
    found = {name: [] for name in SEARCHES}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, search in SEARCHES.items():
            found[name].append(measured(model, image, search))
    medians = {
        name: [median(part) for part in zip(*each[1:], strict=True)] for name, each in found.items()
    }
    greedy_seconds, _, greedy_rows = medians["greedy"]
    print("| search | ms | times greedy | in the network, ms | rows | times greedy | a row, µs |")
    print("|---|---|---|---|---|---|---|")
    for name, (seconds, inside, rows) in medians.items():
        print(
            f"| {name} | {1e3 * seconds:.0f} | {seconds / greedy_seconds:.1f} | "
            f"{1e3 * inside:.0f} | {rows:.0f} | {rows / greedy_rows:.1f} | "
            f"{1e6 * inside / rows:.0f} |"
        )
    ratio = medians["beam 5"][0] / greedy_seconds
    print(f"\nA beam of 5 costs {ratio:.2f} times greedy search.")
    peak = multiplications_per_second(5 * PICTURES, *LOGITS)
    print(f"NumPy: {peak / 1e9:.0f} billion multiplications a second.")


if __name__ == "__main__":
    main()
