"""The encoder in its forms: pictures per second, and what the forms change in the captions.

    python -m benchmarks.encoder --data flickr8k coco

Exports the shipped model in each storage. The forms take turns, for several rounds, on the same
pixels, and the medians are printed: of the time, and of the processor time, which other work on the
machine changes less. Then each form captions the dev photographs of every data set; CIDEr is the
mean over the sets. Last comes the arithmetic: how many multiplications a picture takes, how many a
second that is, and how many NumPy reaches in a large product of matrices of 32-bit floats.
"""

import argparse
import os
import tempfile
import time
from statistics import mean, median

import numpy as np

from benchmarks.products import multiplications_per_second
from captioner import load_dataset, metrics
from captioner.captioner import load_keras
from captioner.exporting.formats import export
from captioner.exporting.litert import STORAGES
from captioner.images import read_image
from captioner.lite_captioner import THREADS, LiteCaptioner
from captioner.presets import DEFAULT_PRESET

BATCH = 32
TIMED = 32  # pictures of one turn
MATRIX = 2048  # rows and columns


def multiplications(network):
    """How many multiplications the convolutions of a Keras network need for one picture."""
    kernels = [each for each in network.layers if hasattr(each, "kernel")]
    return sum(np.prod(each.kernel.shape) * np.prod(each.output.shape[1:-1]) for each in kernels)


def speeds(models, pixels, rounds):
    """(seconds, seconds of the processor) per picture of each model."""
    found = {name: [] for name in models}
    for _ in range(rounds + 1):  # the first warms up
        for name, model in models.items():
            start = time.perf_counter(), time.process_time()
            model.encode(pixels)
            end = time.perf_counter(), time.process_time()
            found[name].append([(b - a) / len(pixels) for a, b in zip(start, end, strict=True)])
    return {name: [median(each) for each in zip(*times[1:], strict=True)]
            for name, times in found.items()}  # fmt: skip


def captioned(models, datasets, limit):
    """By model: all captions, all features, and the mean CIDEr over the data sets."""
    found = {name: ([], [], []) for name in models}
    for dataset in datasets:
        dataset = dataset.subset(range(min(limit, len(dataset))))
        size = (next(iter(models.values())).picture_size,) * 2
        pixels = [read_image(path, size) for path in dataset.image_paths]
        for name, model in models.items():
            captions, features, ciders = found[name]
            image, texts = model.encode(pixels), []
            for start in range(0, len(image), BATCH):
                found_here = model.decode(image[start : start + BATCH], **model.search_settings({}))
                texts += [best.text for best, *_ in found_here]
            written = dict(zip(dataset.image_ids, texts, strict=True))
            score = metrics.score(dataset.references(), written, metrics=["cider"])
            captions += texts
            features.append(image)
            ciders.append(score["CIDEr"])
    return {
        name: (captions, np.concatenate(features), mean(ciders))
        for name, (captions, features, ciders) in found.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, nargs="+", help="folders of data sets")
    parser.add_argument("--pictures", type=int, default=10**6, help="of each set (default: all)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--storages", nargs="+", default=["float16", "int8"], choices=STORAGES)
    options = parser.parse_args()
    datasets = [load_dataset(path, split="val") for path in options.data]
    keras_model = load_keras(DEFAULT_PRESET)
    needed = multiplications(keras_model.encoder.network)
    with tempfile.TemporaryDirectory() as folder:
        models, sizes = {}, {}
        for storage in options.storages:
            path = os.path.join(folder, storage)
            export(keras_model, path, storage)
            sizes[storage] = os.path.getsize(os.path.join(path, "encode.tflite"))
            models[storage] = LiteCaptioner(path, options.threads)
    size = (keras_model.picture_size,) * 2
    timed = np.stack([read_image(path, size) for path in datasets[0].image_paths[:TIMED]])
    times = speeds(models, timed, options.rounds)
    peak = multiplications_per_second(MATRIX, MATRIX, MATRIX)
    found = captioned(models, datasets, options.pictures)

    first = options.storages[0]
    captions, features, _ = found[first]
    print(
        "| encoder | MB | pictures/s | ratio | by processor time | features' error | mean CIDEr ",
        end="",
    )
    print("| captions equal |\n" + "|---" * 8 + "|")
    for name, (texts, image, cider) in found.items():
        ratios = [a / b for a, b in zip(times[first], times[name], strict=True)]
        error = np.linalg.norm(image - features, axis=1) / np.linalg.norm(features, axis=1)
        equal = np.mean([a == b for a, b in zip(texts, captions, strict=True)])
        print(
            f"| {name} | {sizes[name] / 1e6:.1f} | {1 / times[name][0]:.1f} | {ratios[0]:.2f} "
            f"| {ratios[1]:.2f} | {error.mean():.2%} | {cider:.4f} | {equal:.1%} |"
        )
    reached = needed / times[first][0]
    print(f"\n{len(captions)} photographs; {needed / 1e6:.0f} million multiplications a picture;")
    print(f"{first} reaches {reached / 1e9:.0f} billion a second, NumPy {peak / 1e9:.0f} billion")


if __name__ == "__main__":
    main()
