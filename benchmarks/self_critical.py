"""One self-critical step against one step of teacher forcing.

    python -m benchmarks.self_critical --data flickr8k

Runs train.py with its defaults on 1,000 pictures: three epochs of teacher forcing (128 captions per
step), then three of self-critical training (5 samples for each of 25 pictures). The seconds come
from history.csv, without validation. The fastest epoch of each kind counts, because the first one
compiles.
"""

import argparse
import csv
import os
import tempfile

from captioner import TrainConfig, load_dataset, train
from captioner.training.batches import EncodedCaptions, batches_of
from captioner.training.self_critical import SAMPLES

PICTURES, EPOCHS = 1000, 3


def write_data_set(source, path):
    """Writes the first pictures as a data set, and a few more for validation."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "caption", "split"])
        for number in range(PICTURES + 8):
            split = "train" if number < PICTURES else "val"
            for text in source.captions[number]:
                writer.writerow([os.path.basename(source.image_paths[number]), text, split])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    options = parser.parse_args()
    source = load_dataset(options.data, split="train")
    images = os.path.dirname(source.image_paths[0])
    with tempfile.TemporaryDirectory() as folder:
        captions, run = (os.path.join(folder, name) for name in ("captions.csv", "run"))
        write_data_set(source, captions)
        config = TrainConfig(
            data=captions, images=images, out=run, cache=folder, epochs=EPOCHS, self_critical=EPOCHS
        )
        vocabulary = train(config).vocabulary
        with open(os.path.join(run, "history.csv"), encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    encoded = EncodedCaptions(source.captions[:PICTURES], vocabulary, config.max_length)
    steps = {
        "features": len(batches_of(encoded, config.batch_size, captions_each=1)),
        "rewards": PICTURES // (config.batch_size // SAMPLES),
    }
    times = {
        stage: min(float(row["train_seconds"]) for row in rows if row["stage"] == stage) / count
        for stage, count in steps.items()
    }
    print("| one step | ms | |\n|---|---|---|")
    print(f"| teacher forcing, {config.batch_size} captions | {1e3 * times['features']:.0f} | |")
    ratio = times["rewards"] / times["features"]
    print(f"| self-critical, 25 x 5 samples | {1e3 * times['rewards']:.0f} | {ratio:.1f} times |")


if __name__ == "__main__":
    main()
