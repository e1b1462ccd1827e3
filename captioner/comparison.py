"""The three cells side by side, measured: size, speed, captions, memory, gradients.

The document's Table 1 says which cell is slow, which is exact and which forgets; here the same is
measured, on captions and on the long-memory task, with our loop and with Keras' layers.

Reference: the document, sections 4.4 and 4.5.
"""

import csv
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from statistics import mean, median, stdev

import numpy as np
from keras import ops

from captioner import long_memory, metrics
from captioner.batches import EncodedCaptions
from captioner.cells import CELLS
from captioner.config import TrainConfig
from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from captioner.features import cached_features
from captioner.gradients import gradient_norms
from captioner.run_folder import replace_file
from captioner.training import train

IMPLEMENTATIONS = ("custom", "keras")
TIMED_PICTURES = 64  # captions of that many are timed
FILES = "comparison.json", "comparison.md", "comparison.png"


@dataclass(frozen=True)
class Plan:
    """What is measured, and how thoroughly.

    Attributes:
        data, images: str. The data set, as train.py takes it.
        epochs: int. Passes over its captions, with a frozen CNN.
        units: int. Size of the captioners' hidden state.
        seeds: tuple of int. One run of each cell and implementation for each.
        distances: tuple of int, rising. Of the long-memory task.
        memory_steps: int. Steps of practice for each distance.
        gradient_distance: int. How many steps back the gradient is compared.
        settings: dict. Other settings of the captioners, as TrainConfig has them.
    """

    data: str
    images: str = ""
    epochs: int = 10
    units: int = 512
    seeds: tuple = (0, 1, 2)
    distances: tuple = (10, 20, 40, 80, 160)
    memory_steps: int = 600
    gradient_distance: int = 20
    settings: dict = field(default_factory=dict)

    def quick(self):
        """The same in two minutes for a small data set: one seed, smaller, less practised."""
        return replace(self, epochs=2, units=128, seeds=(0,), distances=(5, 10), memory_steps=150)


def compare(plan, folder, log=print, progress=True):
    """Measures every cell with both implementations, and writes the tables.

    What has been measured is kept in the folder; called again, it goes on with the rest.

    Args:
        plan: Plan.
        folder: str. Where the runs and the results go.
        log: callable. Takes each line of the report. Defaults to `print`.
        progress: bool. Whether training shows progress bars. Defaults to `True`.

    Returns:
        list of dict, one a cell and implementation, as `comparison.json` has them.

    Raises:
        CaptionerError: The folder holds another comparison, or the data cannot be used.
    """
    os.makedirs(folder, exist_ok=True)
    stored = _Stored(os.path.join(folder, FILES[0]), plan)
    for cell in CELLS:
        for implementation in IMPLEMENTATIONS:
            if not stored.has(cell, implementation):
                log(f"{cell}, {implementation}")
                row = _measure(plan, cell, implementation, folder, progress)
                stored.add({"cell": cell, "implementation": implementation, **row})
    replace_file(os.path.join(folder, FILES[1]), f"{as_markdown(stored.rows)}\n".encode())
    plot(stored.rows, os.path.join(folder, FILES[2]))
    return stored.rows


class _Stored:
    """The rows measured so far, in a file with the plan they belong to."""

    def __init__(self, path, plan):
        self._path = path
        self._plan = json.loads(json.dumps(asdict(plan)))
        self.rows = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if found["plan"] != self._plan:
                raise CaptionerError(f"{path}: another comparison; give another --out")
            self.rows = found["rows"]

    def has(self, cell, implementation):
        return any(
            (row["cell"], row["implementation"]) == (cell, implementation) for row in self.rows
        )

    def add(self, row):
        self.rows.append(row)
        content = json.dumps({"plan": self._plan, "rows": self.rows}, indent=2) + "\n"
        replace_file(self._path, content.encode())


def _measure(plan, cell, implementation, folder, progress):
    runs = [_captioning(plan, cell, implementation, seed, folder, progress) for seed in plan.seeds]
    longest, accuracies = long_memory.longest_distance(
        plan.distances, cell=cell, implementation=implementation, steps=plan.memory_steps
    )
    fresh, practised = _gradient_ratios(plan, cell, implementation)
    return {
        "parameters": runs[0]["parameters"],
        "words_per_second": median(run["words_per_second"] for run in runs),
        "caption_ms": median(run["caption_ms"] for run in runs),
        "CIDEr": [run["CIDEr"] for run in runs],
        "BLEU-4": [run["BLEU-4"] for run in runs],
        "longest_distance": longest,
        "accuracy": accuracies,
        "gradient_ratio_fresh": fresh,
        "gradient_ratio_practised": practised,
    }


def _captioning(plan, cell, implementation, seed, folder, progress):
    """Trains one captioner and measures it."""
    run = os.path.join(folder, f"{cell}-{implementation}-{seed}")
    cache = os.path.join(folder, "features")
    config = TrainConfig(
        data=plan.data,
        images=plan.images,
        out=run,
        cache=cache,
        cell=cell,
        implementation=implementation,
        units=plan.units,
        epochs=plan.epochs,
        patience=0,
        seed=seed,
        **plan.settings,
    )
    is_begun = os.path.exists(os.path.join(run, "config.json"))
    model = train(config, resume=is_begun, log=lambda line: None, progress=progress)
    dataset = load_dataset(plan.data, plan.images or None, "val")
    features, _ = cached_features(model, dataset.image_paths, cache, progress=progress)
    features = np.asarray(features[:], "float32")
    search = model.search_settings({})
    texts = [found[0].text for found in model.decode(features, **search)]
    captions = dict(zip(dataset.image_ids, texts, strict=True))
    scores = metrics.score(dataset.references(), captions, ["bleu", "cider"])
    return {
        "parameters": model.decoder.count_params(),
        "words_per_second": _words_per_second(run, plan, model.vocabulary, config.max_length),
        "caption_ms": _milliseconds_a_caption(model, features[:TIMED_PICTURES], search),
        "CIDEr": scores["CIDEr"],
        "BLEU-4": scores["BLEU-4"],
    }


def _words_per_second(run, plan, vocabulary, max_length):
    """Target words a second in the quickest epoch: the first one compiles."""
    training = load_dataset(plan.data, plan.images or None, "train")
    words = EncodedCaptions(training.captions, vocabulary, max_length).lengths.sum()
    with open(os.path.join(run, "history.csv"), encoding="utf-8") as file:
        return float(words) / min(float(row["train_seconds"]) for row in csv.DictReader(file))


def _milliseconds_a_caption(model, features, search):
    """Time of the search alone: the CNN takes the same for all."""
    times = []
    for _ in range(4):  # the first one compiles
        start = time.perf_counter()
        model.decode(features, **search)
        times.append(time.perf_counter() - start)
    return 1e3 * median(times[1:]) / len(features)


def _gradient_ratios(plan, cell, implementation):
    """What is left of the gradient some steps back, before and after practice at remembering."""
    distance = plan.gradient_distance
    words, _ = long_memory.examples(distance, 64)
    ratios = []
    for steps in (1, plan.memory_steps):
        model = long_memory.practise(distance, cell, implementation, steps=steps)
        vectors = model.word_vectors(words)
        no_image = ops.zeros((len(words), 1))
        norms = gradient_norms(model.recurrent, vectors, no_image)
        ratios.append(float(norms[-1 - distance] / norms[-1]))
    return ratios


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


def plot(rows, path):
    """Draws the rows as bars, a panel for each thing measured, and writes a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = {
        "words/s in training": lambda row: row["words_per_second"],
        "ms a caption": lambda row: row["caption_ms"],
        "CIDEr": lambda row: mean(row["CIDEr"]),
        "longest distance remembered": lambda row: row["longest_distance"],
    }
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, value) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for place, implementation in enumerate(IMPLEMENTATIONS):
            chosen = {r["cell"]: value(r) for r in rows if r["implementation"] == implementation}
            places = [list(CELLS).index(cell) + 0.4 * place - 0.2 for cell in chosen]
            axes.bar(places, chosen.values(), 0.38, label=implementation)
        axes.set_xticks(range(len(CELLS)), list(CELLS))
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
