"""Whole runs that several test modules look at."""

import csv
import os

import numpy as np
import pytest

from captioner import TrainConfig, train
from tests.datasets import coco_document, write_json


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of both stages on eight pictures of two colours."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        captions = {}
        for n in range(8):
            colour = ("red", "blue")[n % 2]
            name = f"{split}{n}.png"
            Image.new("RGB", (224, 224), colour).save(folder / name)
            captions[name] = [f"a {colour} field", f"{colour} everywhere"]
        first_id = 1 if split == "train" else 101
        write_json(folder / f"captions_{split}.json", coco_document(captions, first_id))
    settings = {
        "data": str(folder), "out": str(folder / "run"), "cache": str(folder / "cache"),
        "encoder": "mobilenet_v2", "encoder_weights": "none", "units": 16, "embedding": 8,
        "image_units": 8, "epochs": 2, "batch_size": 8, "min_count": 1, "views": 2,
        "fine_tune_from": "block_16_project", "fine_tune_epochs": 1, "fine_tune_batch_size": 4,
    }  # fmt: skip
    lines = []
    model = train(TrainConfig(**settings), log=lines.append, progress=False)
    return settings, lines, model


@pytest.fixture(scope="module")
def whole(run):
    """Settings of a run of all four stages, and what it came to."""
    text = run[0]["out"] + ".txt"
    with open(text, "w", encoding="utf-8") as file:
        file.write("a red field\nblue everywhere\n" * 8)
    settings = run[0] | {
        "out": run[0]["out"] + "-whole", "text": text, "text_epochs": 1, "epochs": 1,
        "attention": "additive", "attention_units": 8, "self_critical": 2, "teacher_weight": 0.5,
        "ema": 0.9, "schedule": "plateau", "scheduled_sampling": 0.5, "recurrent_dropout": 0.2,
    }  # fmt: skip
    lines = []
    model = train(TrainConfig(**settings), log=lines.append, progress=False)
    return settings, lines, model


def history(folder):
    with open(os.path.join(folder, "history.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stop_in(epoch):
    """A log that stops the run after this epoch, before it is saved."""

    def log(line):
        if line.startswith(f"epoch {epoch} "):
            raise KeyboardInterrupt

    return log


def an_example(captioner, pictures=4, time=5):
    """Inputs and targets of teacher forcing, drawn at random."""
    rng = np.random.default_rng(0)
    words = rng.integers(4, len(captioner.vocabulary), size=(pictures, time)).astype("int32")
    image = rng.normal(size=(pictures, *captioner.image_shape)).astype("float32")
    return {"words": words, "image": image}, np.roll(words, -1, axis=1)
