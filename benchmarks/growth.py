"""Does time grow in proportion to the work, and memory not at all?

    python -m benchmarks.growth --data flickr8k

- Vocabulary, 2,000 to 20,000 words: a training step of 128 captions of 12 words, and a decoding
  step of 192 rows. They should grow like their multiplications: those of the logits grow with the
  vocabulary, those of the recurrence do not.
- Captions, 30,000 to 600,000: building the vocabulary, encoding, and one pass over all batches. The
  time should grow with their number.
- Pictures, 100 to 5,000: `python caption.py FOLDER`, each in a process of its own. The time should
  grow with their number, and peak memory should stay the same.

benchmarks.searches measures beams.
"""

import argparse
import os
import tempfile
import time
from statistics import median

import numpy as np

from benchmarks.start_up import measure
from benchmarks.training_speed import BATCH, CHANNELS, our_model

LENGTH, ROWS, ROUNDS = 12, 192, 9
VOCABULARIES = 2_000, 5_000, 10_000, 20_000
CAPTIONS = 30_000, 120_000, 600_000
PICTURES = 100, 1_000, 5_000


def seconds(run):
    """The median time of several runs, without the first two."""
    times = []
    for _ in range(ROUNDS + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times[2:])


def multiplications(words):
    """Multiplications for a word: w_xh and w_hh of the LSTM, and the logits."""
    return 4 * 512 * (256 + 512) + 512 * words


def with_vocabulary(size):
    """Milliseconds of a training step and of a decoding step, and millions of multiplications."""
    from captioner import Vocabulary
    from captioner.training.steps import CompiledSteps

    rng = np.random.default_rng(0)
    model = our_model(Vocabulary([f"word{n}" for n in range(size - 4)]))
    steps, image = CompiledSteps(model), rng.random((BATCH, CHANNELS), dtype="float32")
    words = rng.integers(4, size, (BATCH, LENGTH)).astype("int32")
    context, state = model.captioner.start(rng.random((ROWS, CHANNELS), dtype="float32"))
    last = words.ravel()[:ROWS]
    training = seconds(lambda: steps.train({"words": words, "image": image}, words))
    decoding = seconds(lambda: model.captioner.step(last, context, state))
    return 1e3 * training, 1e3 * decoding, multiplications(size) / 1e6


def grow_vocabulary():
    print("| words | training step, ms | decoding step, ms | million multiplications a word |")
    print("|---|---|---|---|")
    print_growth(VOCABULARIES, with_vocabulary)


def print_growth(counts, measure_one):
    """Prints a row for each count, with each number also as a multiple of the first row's."""
    first = None
    for count in counts:
        found = measure_one(count)
        first = first or found
        cells = " | ".join(
            f"{value:.3g} ({value / start:.1f}x)" for value, start in zip(found, first, strict=True)
        )
        print(f"| {count:,} | {cells} |", flush=True)


def with_captions(known, count):
    """Seconds to build the vocabulary, to encode the captions, and to make all batches."""
    from captioner import Vocabulary
    from captioner.training.batches import EncodedCaptions, caption_batches

    captions = [known[n % len(known)] for n in range(count // 5)]
    start = time.perf_counter()
    vocabulary = Vocabulary.build(text for texts in captions for text in texts)
    built = time.perf_counter()
    encoded = EncodedCaptions(captions, vocabulary, max_length=40)
    done = time.perf_counter()
    for chosen, length in caption_batches(encoded, BATCH, np.random.default_rng(0)):
        encoded.matrix(chosen, BATCH, length)
    return built - start, done - built, time.perf_counter() - done


def grow_captions(data):
    from captioner import load_dataset

    known = load_dataset(data, split="train").captions
    print("\n| captions | vocabulary, s | encoding, s | a pass of batches, s |\n|---|---|---|---|")
    print_growth(CAPTIONS, lambda count: with_captions(known, count))


def grow_folder(data):
    from captioner import load_dataset

    photos = load_dataset(data, split="train").image_paths
    print("\n| pictures | seconds | a picture, ms | peak memory, MB |\n|---|---|---|---|")
    for count in PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            for n in range(count):
                link = os.path.join(folder, f"{n:05}.jpg")
                os.symlink(os.path.abspath(photos[n % len(photos)]), link)
            taken, memory = measure(["caption.py", folder])
        print(f"| {count:,} | {taken:.1f} | {1e3 * taken / count:.1f} | {memory:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    options = parser.parse_args()
    grow_vocabulary()
    grow_captions(options.data)
    grow_folder(options.data)


if __name__ == "__main__":
    main()
