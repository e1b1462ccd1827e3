"""Our recurrent loop against Keras' layers, for each cell, eager and compiled.

    python -m benchmarks.implementations --data flickr8k

Measures words per second in the training steps of benchmarks.training_speed, on captions of 9 to 12
words, with `--implementation custom` and `keras`. They take turns for several rounds, and the
medians are printed. Compiling is not counted.
"""

import argparse
import time
from statistics import median

import numpy as np

from benchmarks.training_speed import BATCH, captions_of, features, our_model

LENGTH, STEPS = 12, 6


def contestants(vocabulary):
    """The models, by (cell, whether eager, implementation)."""
    from captioner.cells import CELLS
    from captioner.training.steps import CompiledSteps

    return {
        (cell, is_eager, implementation): CompiledSteps(
            our_model(vocabulary, is_eager, cell=cell, implementation=implementation)
        )
        for cell in CELLS
        for is_eager in (True, False)
        for implementation in ("custom", "keras")
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    encoded, vocabulary = captions_of(options.data)
    chosen = np.flatnonzero((encoded.lengths > LENGTH - 4) & (encoded.lengths <= LENGTH))
    batches = []
    for start in range(0, STEPS * BATCH, BATCH):
        captions = chosen[start : start + BATCH]
        image = features(attention=False)[encoded.pictures[captions]]
        batches.append((image, *encoded.matrix(captions, BATCH, LENGTH)))
    words = sum(np.count_nonzero(targets) for _, _, targets in batches)
    models = contestants(vocabulary)
    found = {key: [] for key in models}
    for _ in range(options.rounds + 1):  # the first compiles
        for key, model in models.items():
            start = time.perf_counter()
            for image, inputs, targets in batches:
                model.train({"words": inputs, "image": image}, targets)
            found[key].append(words / (time.perf_counter() - start))
    rates = {key: median(each[1:]) for key, each in found.items()}
    print("| cell | run | custom, words/s | keras, words/s | custom is faster by a factor of |")
    print("|---|---|---|---|---|")
    for cell, is_eager in dict.fromkeys(key[:2] for key in rates):
        custom, other = (rates[cell, is_eager, name] for name in ("custom", "keras"))
        run = "eager" if is_eager else "compiled"
        print(f"| {cell} | {run} | {custom:,.0f} | {other:,.0f} | {custom / other:.2f} |")


if __name__ == "__main__":
    main()
