"""The three cells side by side, measured: size, speed, captions, memory, gradients.

The document's Table 1 says which cell is slow, which is exact and which forgets; here the same is
measured, on captions and on the long-memory task, with our loop and with Keras' layers.

Reference: the document, sections 4.4 and 4.5.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from statistics import mean, median, stdev

import numpy as np
from keras import ops

from captioner import metrics
from captioner.cells import CELLS
from captioner.datasets import load_dataset
from captioner.errors import require
from captioner.files import replacing
from captioner.output import reports
from captioner.study import long_memory
from captioner.study.gradients import gradient_norms
from captioner.text_files import read_json, replace_text
from captioner.training.batches import EncodedCaptions
from captioner.training.config import TrainConfig
from captioner.training.features import cached_features
from captioner.training.run import train
from captioner.training.starting_point import new_encoder

TIMED_PICTURES = 64  # captions of that many are timed
FILES = "comparison.json", "comparison.md", "comparison.png"


@dataclass(frozen=True)
class Plan:
    """What is measured, and how thoroughly.

    Attributes:
        data, images: str. The data set, as train.py takes it.
        epochs: int. Passes over its captions, with a frozen CNN.
        units: int. Size of the captioners' hidden state.
        seeds: tuple of int. One captioner of each cell and implementation for each; the long-memory
            task has one seed.
        distances: tuple of int, rising. Of the long-memory task.
        memory_steps: int. Steps of practice for each distance.
        gradient_distance: int, one of the distances. How many steps back the gradient is compared.
        cells, implementations: tuples of str. What is compared.
        pictures: int. Training pictures learned from, the first ones; 0 for all.
        settings: dict. Other settings of the captioners, as TrainConfig has them.
    """

    data: str
    images: str = ""
    epochs: int = 10
    units: int = 512
    seeds: tuple = (0, 1, 2)
    distances: tuple = (10, 20, 40, 80)
    memory_steps: int = 600
    gradient_distance: int = 20
    cells: tuple = tuple(CELLS)
    implementations: tuple = ("custom", "keras")
    pictures: int = 0
    settings: dict = field(default_factory=dict)

    def quick(self):
        """A plan of two minutes for the same small data set: one seed, fewer units and steps."""
        return replace(
            self, epochs=3, units=128, seeds=(0,), distances=(10,), memory_steps=100,
            gradient_distance=10, pictures=150, settings={"picture_size": 224, **self.settings},
        )  # fmt: skip


def compare(plan, folder, log=print, progress=True):
    """Measures every cell with both implementations, and writes the tables.

    What has been measured is kept in the folder; called again, it continues with the rest.

    Args:
        plan: Plan.
        folder: str. Where cached features and the results go.
        log: callable. Takes each line of the report. Defaults to `print`.
        progress: bool. Whether training shows progress bars. Defaults to `True`.

    Returns:
        list of dict, one a cell and implementation, as `comparison.json` has them.

    Raises:
        CaptionerError: The folder holds a different comparison, or the data cannot be used.

    Example:
    >>> rows = compare(Plan("data/shapes").quick(), "runs/comparison")
    """
    require(plan.gradient_distance in plan.distances, "gradient_distance: not among the distances")
    os.makedirs(folder, exist_ok=True)
    stored = _Stored(os.path.join(folder, FILES[0]), plan)
    encoder = None  # one CNN for all
    for cell in plan.cells:
        for implementation in plan.implementations:
            if not stored.has(cell, implementation):
                log(f"{cell}, {implementation}")
                encoder = encoder or new_encoder(TrainConfig(**plan.settings))
                row = _measure(plan, cell, implementation, encoder, folder, progress)
                stored.add({"cell": cell, "implementation": implementation, **row})
    replace_text(os.path.join(folder, FILES[1]), f"{as_markdown(stored.rows)}\n")
    with replacing(os.path.join(folder, FILES[2])) as unfinished:
        reports.comparison(stored.rows).savefig(unfinished, dpi=110, format="png")
    return stored.rows


class _Stored:
    """The rows measured so far, in a file with the plan they belong to."""

    def __init__(self, path, plan):
        self._path = path
        self._plan = json.loads(json.dumps(asdict(plan)))
        self.rows = []
        if os.path.exists(path):
            found = read_json(path)
            is_same = isinstance(found, dict) and found.get("plan") == self._plan
            require(is_same, f"{path}: holds a different comparison; give another --out")
            self.rows = found["rows"]

    def has(self, cell, implementation):
        return any(
            (row["cell"], row["implementation"]) == (cell, implementation) for row in self.rows
        )

    def add(self, row):
        self.rows.append(row)
        content = json.dumps({"plan": self._plan, "rows": self.rows}, indent=2) + "\n"
        replace_text(self._path, content)


def _measure(plan, cell, implementation, encoder, folder, progress):
    settings = {"cell": cell, "implementation": implementation}
    runs = [_captioning(plan, settings, seed, encoder, folder, progress) for seed in plan.seeds]
    return {
        "parameters": runs[0]["parameters"],
        "words_per_second": median(run["words_per_second"] for run in runs),
        "caption_ms": median(run["caption_ms"] for run in runs),
        "CIDEr": [run["CIDEr"] for run in runs],
        "BLEU-4": [run["BLEU-4"] for run in runs],
        **_remembering(plan, settings),
    }


def _captioning(plan, settings, seed, encoder, folder, progress):
    """Trains one captioner and measures it."""
    cache = os.path.join(folder, "features")
    config = TrainConfig(
        data=plan.data, images=plan.images, cache=cache, units=plan.units, epochs=plan.epochs,
        patience=0, seed=seed, **settings, **plan.settings,
    )  # fmt: skip
    training, validation = (
        load_dataset(plan.data, plan.images or None, split) for split in ("train", "val")
    )
    training = training.subset(range(min(plan.pictures or len(training), len(training))))
    history = []
    model = train(
        config,
        log=lambda line: None,
        progress=progress,
        after_epoch=history.append,
        data=(training, validation),
        encoder=encoder,
    )
    features, _ = cached_features(model, validation.image_paths, cache, progress=progress)
    features = np.asarray(features[:], "float32")
    search = model.search_settings({})
    texts = [found[0].text for found in model.decode(features, **search)]
    captions = dict(zip(validation.image_ids, texts, strict=True))
    scores = metrics.score(validation.references(), captions, ["bleu", "cider"])
    # Target words a second in the quickest epoch: the first one compiles.
    words = EncodedCaptions(training.captions, model.vocabulary, config.max_length).lengths.sum()
    return {
        "parameters": model.decoder.count_params(),
        "words_per_second": float(words) / min(row["train_seconds"] for row in history),
        "caption_ms": _milliseconds_a_caption(model, features[:TIMED_PICTURES], search),
        "CIDEr": scores["CIDEr"],
        "BLEU-4": scores["BLEU-4"],
    }


def _milliseconds_a_caption(model, features, search):
    """Time of the search alone: the CNN takes the same for all."""
    times = []
    for _ in range(4):  # the first one compiles
        start = time.perf_counter()
        model.decode(features, **search)
        times.append(time.perf_counter() - start)
    return 1e3 * median(times[1:]) / len(features)


def _remembering(plan, settings):
    """How far back it remembers, and what is left of the gradient before and after practice."""
    longest, accuracies, ratios, knows = 0, {}, {}, True
    for distance in plan.distances:
        model = long_memory.practise(distance, steps=plan.memory_steps, **settings)
        accuracies[distance] = long_memory.accuracy(model, distance)
        knows = knows and accuracies[distance] >= long_memory.REMEMBERED
        longest = distance if knows else longest
        if distance == plan.gradient_distance:
            fresh = long_memory.practise(distance, steps=0, **settings)
            ratios = {"gradient_ratio_fresh": _gradient_ratio(fresh, distance),
                      "gradient_ratio_practised": _gradient_ratio(model, distance)}  # fmt: skip
        if not knows and ratios:  # longer distances would not be remembered either
            break
    return {"longest_distance": longest, "accuracy": accuracies, **ratios}


def _gradient_ratio(model, distance):
    """The gradient that many steps back, as a share of that of the last step."""
    words, _ = long_memory.examples(distance, 64)
    norms = gradient_norms(model.recurrent, model.word_vectors(words), ops.zeros((len(words), 1)))
    return float(norms[-1 - distance] / norms[-1])


def as_markdown(rows):
    """The rows as a markdown table; mean and standard deviation where there are several seeds."""
    titles = (
        "cell", "run by", "weights", "words/s", "ms a caption", "CIDEr", "BLEU-4",
        "remembers", "gradient left, new", "practised",
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = (
            row["cell"],
            row["implementation"],
            f"{row['parameters']:,}",
            f"{row['words_per_second']:,.0f}",
            f"{row['caption_ms']:.2f}",
            _spread(row["CIDEr"]),
            _spread(row["BLEU-4"]),
            f"{row['longest_distance']} words",
            f"{row['gradient_ratio_fresh']:.1e}",
            f"{row['gradient_ratio_practised']:.1e}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(values):
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")
