"""The time to decode 64 pictures, greedily and with beams of several widths.

    python -m benchmarks.searches --photos flickr8k/images

The time to encode the pictures is not counted. A step has a row for each hypothesis, and its time
is proportional to its rows. "Rows" is the number that a search sends through the decoder for all 64
pictures, so it says what the search should cost. The searches take turns for several rounds, and
the medians are printed.
"""

import argparse
import glob
import os
import time
from statistics import median

import numpy as np

from captioner.images import read_image
from captioner.lite_captioner import LiteCaptioner
from captioner.presets import DEFAULT_PRESET, exported_form

PICTURES = 64
SEARCHES = {"greedy": {"method": "greedy"}} | {
    f"beam {width}": {"method": "beam", "beam_size": width} for width in (1, 3, 5, 10)
}


def rows_of(model, image, search):
    """The number of rows that go through the decoder."""
    rows, step = 0, model.step

    def counting(words, context, state):
        nonlocal rows
        rows += len(words)
        return step(words, context, state)

    model.step = counting
    model.decode(image, **search)
    del model.step
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of at least 64 pictures")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    model = LiteCaptioner(exported_form(DEFAULT_PRESET))
    size = (model.picture_size,) * 2
    paths = sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[:PICTURES]
    image = model.encode(np.stack([read_image(path, size) for path in paths]))
    found = {name: [] for name in SEARCHES}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, search in SEARCHES.items():
            start = time.perf_counter()
            model.decode(image, **search)
            found[name].append(time.perf_counter() - start)
    times = {name: median(each[1:]) for name, each in found.items()}
    rows = {name: rows_of(model, image, search) for name, search in SEARCHES.items()}
    print("| search | ms | times greedy | rows | times greedy |\n|---|---|---|---|---|")
    for name, seconds in times.items():
        ratios = seconds / times["greedy"], rows[name] / rows["greedy"]
        print(
            f"| {name} | {1e3 * seconds:.0f} | {ratios[0]:.1f} | {rows[name]} | {ratios[1]:.1f} |"
        )


if __name__ == "__main__":
    main()
