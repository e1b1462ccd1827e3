"""Captioning a folder of photos, JPEG to caption, against the CNN alone and against tutorials.

    python -m benchmarks.captioning --photos flickr8k/images

Measures pictures per second with beam 3, for three ways: caption.py; its encoder alone, on batches
of pixels in memory; and one picture at a time, with a beam search over Python lists that runs the
decoder over the whole prefix again for every word, as tutorials do. The ways take turns for several
rounds, and the medians are printed.
"""

import argparse
import glob
import os
import time
from statistics import median

import numpy as np

from captioner.captioner import load_keras
from captioner.images import read_image
from captioner.lite_captioner import LiteCaptioner
from captioner.presets import DEFAULT_PRESET, exported_form
from captioner.vocabulary import END, START

BATCH = 32
TUTORIAL_PICTURES = 20  # few, because this is slow


def captioning(model, paths):
    return sum(1 for _ in model.generate_all(paths, BATCH, beam_size=3))


def encoder_alone(model, batches):
    for pixels in batches:
        model.encode(pixels, BATCH)
    return sum(len(pixels) for pixels in batches)


def as_tutorials_do(model, paths):
    """One picture at a time, one hypothesis at a time, the whole prefix at every word."""
    for path in paths:
        pixels = read_image(path, (model.picture_size,) * 2)[None]
        image = model.see(pixels)
        beams = [([START], 0.0)]
        for _ in range(model.generation["max_length"]):
            longer = []
            for words, score in beams:
                if words[-1] == END:
                    longer.append((words, score))
                    continue
                logits = np.asarray(model.decoder(np.array([words]), image))[0, -1]
                log_probs = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
                for word in np.argsort(log_probs)[-3:]:
                    longer.append(([*words, int(word)], score + float(log_probs[word])))
            beams = sorted(longer, key=lambda each: each[1] / len(each[0]))[-3:]
            if all(words[-1] == END for words, _ in beams):
                break
    return len(paths)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of at least 500 pictures")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[: options.pictures]
    lite, keras_model = LiteCaptioner(exported_form(DEFAULT_PRESET)), load_keras(DEFAULT_PRESET)
    size = (lite.picture_size,) * 2
    batches = [
        np.stack([read_image(path, size) for path in paths[start : start + BATCH]])
        for start in range(0, len(paths), BATCH)
    ]
    contestants = {
        "caption.py (LiteRT)": lambda: captioning(lite, paths),
        "caption.py --runtime keras": lambda: captioning(keras_model, paths),
        "the encoder alone (LiteRT)": lambda: encoder_alone(lite, batches),
        "the encoder alone (Keras)": lambda: encoder_alone(keras_model, batches),
        "one at a time, as tutorials do": lambda: as_tutorials_do(
            keras_model, paths[:TUTORIAL_PICTURES]
        ),
    }
    found = {name: [] for name in contestants}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, run in contestants.items():
            start = time.perf_counter()
            pictures = run()
            found[name].append(pictures / (time.perf_counter() - start))
    print("| what | pictures/s | caption.py is faster by a factor of |\n|---|---|---|")
    rates = {name: median(each[1:]) for name, each in found.items()}
    ours = rates["caption.py (LiteRT)"]
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} | {ours / rate:.2f} |")


if __name__ == "__main__":
    main()
