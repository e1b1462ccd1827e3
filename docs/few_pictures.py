"""Makes a data set with few pictures and many captions from any data set.

    python -m docs.few_pictures --data data/shapes --pictures 200 --out runs/few

captions.csv gets the first pictures of the train split and all of the validation split. text.txt
gets only the captions of the remaining training pictures. The flags for train.py are printed.
"""

import argparse
import csv
import os

from captioner.datasets import load_dataset


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()

    training, validation = (load_dataset(options.data, split=split) for split in ("train", "val"))
    few = training.subset(range(options.pictures))
    folder = os.path.commonpath([os.path.dirname(path) for path in training.image_paths])
    os.makedirs(options.out, exist_ok=True)
    data, text = (os.path.join(options.out, name) for name in ("captions.csv", "text.txt"))
    with open(data, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption", "split"])
        for dataset, split in ((few, "train"), (validation, "val")):
            for path, captions in zip(dataset.image_paths, dataset.captions, strict=True):
                name = os.path.relpath(path, folder)
                rows.writerows([name, caption, split] for caption in captions)
    with open(text, "w", encoding="utf-8") as file:
        for captions in training.captions[options.pictures :]:
            file.writelines(f"{caption}\n" for caption in captions)
    print(f"--data {data} --images {folder} --text {text}")


if __name__ == "__main__":
    main()
