"""Figures of what a captioner does: curves, gates, attention, beam trees, pictures with captions.

Each function returns a `matplotlib.figure.Figure`. A notebook shows it, and `figure.savefig(path)`
writes it to a file. No window is opened, and matplotlib's global state is not touched.
"""

import itertools
import math
import textwrap

import numpy as np
from PIL import Image

from captioner.errors import CaptionerError, needs_extra, require

try:
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, FancyBboxPatch
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise CaptionerError(needs_extra("figures need Matplotlib", "train", error)) from error

SHOWN_UNITS = 40  # of a layer, in a figure of all its gates
TREE_STEP = 1.15  # inches from one word of a beam tree to the next


def learning_curves(history):
    """Loss and scores over the epochs of a run.

    Args:
        history: list of dict. The rows of a run's history.csv. Losses that are `""` are left out.

    Returns:
        Figure.
    """
    figure = Figure(figsize=(9, 3.5))
    loss, score = figure.subplots(1, 2)
    # Fixed margins: matplotlib's own layout draws a figure twice, and this one is drawn each epoch.
    figure.subplots_adjust(left=0.07, right=0.985, top=0.9, bottom=0.14, wspace=0.16)
    epochs = [int(row["epoch"]) for row in history]

    def values(name):
        # Training with rewards has no such loss.
        return [math.nan if row[name] == "" else float(row[name]) for row in history]

    loss.plot(epochs, values("train_loss"), "o-", markersize=3, label="training")
    loss.plot(epochs, values("val_loss"), "o-", markersize=3, label="validation")
    loss.set(xlabel="epoch", ylabel="loss per word", title="Teacher forcing")
    loss.legend()
    score.plot(epochs, values("CIDEr"), "o-", markersize=3, label="CIDEr")
    score.plot(epochs, values("BLEU-4"), "o-", markersize=3, label="BLEU-4")
    score.set(xlabel="epoch", title="Captions written, validation split")
    score.set_ylim(bottom=0)
    score.legend()
    for axes in (loss, score):
        axes.grid(alpha=0.3)
        _whole_numbers(axes.xaxis)
        for before, row in itertools.pairwise(history):
            if before["stage"] != row["stage"]:
                axes.axvline(int(row["epoch"]) - 0.5, color="gray", linestyle=":")
    return figure


def _whole_numbers(axis):
    """Puts the ticks of an axis that counts something at whole numbers."""
    axis.set_major_locator(MaxNLocator("auto", integer=True))


def comparison(rows):
    """The cells side by side, with a panel for each measurement and bars for each implementation.

    Args:
        rows: list of dict, from `captioner.study.comparison.compare`.

    Returns:
        Figure. The lines on the bars of CIDEr reach one standard deviation up and down.
    """
    panels = {
        "words/s in training": lambda row: row["words_per_second"],
        "ms a caption": lambda row: row["caption_ms"],
        "CIDEr": lambda row: np.mean(row["CIDEr"]),
        "longest distance remembered": lambda row: row["longest_distance"],
    }
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    implementations = list(dict.fromkeys(row["implementation"] for row in rows))
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    for axes, (title, value) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for place, implementation in enumerate(implementations):
            chosen = [row for row in rows if row["implementation"] == implementation]
            places = [cells.index(row["cell"]) + 0.4 * place - 0.2 for row in chosen]
            spread = None
            if title == "CIDEr" and all(len(row["CIDEr"]) > 1 for row in chosen):
                spread = [np.std(row["CIDEr"], ddof=1) for row in chosen]
            heights = [value(row) for row in chosen]
            axes.bar(places, heights, 0.38, yerr=spread, label=implementation)
        axes.set_xticks(range(len(cells)), cells)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y", alpha=0.3)
    _whole_numbers(axes.yaxis)  # of the last panel, which counts words
    axes.legend()
    return figure


def pictures(images, captions, columns=5):
    """Pictures, each with a text above it.

    Args:
        images: list of PIL images or arrays (height, width, 3).
        captions: list of str, one for each picture.
        columns: int. Pictures per row. Defaults to `5`.

    Returns:
        Figure.
    """
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    most_lines = max(len(_wrapped(caption).split("\n")) for caption in captions)
    height = 2.5 + 0.2 * most_lines
    figure = Figure(figsize=(2.4 * columns, height * rows), layout="constrained")
    for axes, image, caption in itertools.zip_longest(
        figure.subplots(rows, columns, squeeze=False).flat, images, captions
    ):
        axes.axis("off")
        if image is not None:
            axes.imshow(image)
            axes.set_title(_wrapped(caption), fontsize=9)
    return figure


def _wrapped(text, width=26):
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, width))


def over_time(values, words, title="", limits=(-1.0, 1.0)):
    """The value of each unit at each word, as colours.

    Args:
        values: array (time, units).
        words: list (time) of str.
        title: str. Defaults to `""`.
        limits: (float, float). The values at the two ends of the colour scale. Defaults to those
            of tanh, `(-1.0, 1.0)`.

    Returns:
        Figure.
    """
    values = np.asarray(values)
    figure = Figure(figsize=(0.7 * len(words) + 2.5, 3.2), layout="constrained")
    axes = figure.subplots()
    _colours(figure, axes, values, words, limits)
    axes.set(title=title, ylabel="unit")
    return figure


def gates(trace, words):
    """The gates of a recurrence while it reads or writes words, with a panel for each gate.

    Args:
        trace: dict of arrays (1, time, units), from `ImageRNN.trace` or for one layer from
            `Decoder.trace`. Gates are between 0 and 1; the candidate, a tanh, is left out.
        words: list (time) of str. The words read.

    Returns:
        Figure: at the top the mean of all units, with the range of their middle half; below, the
        units that change most, one by one, in order of change.
    """
    names = [name for name in trace if name.endswith("_gate")]
    require(names, "gates: a plain RNN has none")
    figure = Figure(figsize=(4.2 * len(names), 5.6), layout="constrained")
    panels = figure.subplots(2, len(names), squeeze=False, height_ratios=(1, 2))
    for (above, below), name in zip(panels.T, names, strict=True):
        values = np.asarray(trace[name])[0]  # (time, units)
        low, high = np.percentile(values, [25, 75], axis=1)
        places = np.arange(len(words))
        above.fill_between(places, low, high, alpha=0.25)
        above.plot(places, values.mean(axis=1), "o-", markersize=3)
        above.set(title=name.replace("_", " "), ylim=(0, 1), xlim=(-0.5, len(words) - 0.5))
        above.set_xticks([])
        above.grid(alpha=0.3)
        most = np.argsort(-values.std(axis=0))[:SHOWN_UNITS]
        _colours(figure, below, values[:, most], words, (0, 1))
    panels[0, 0].set_ylabel("mean, middle half")
    panels[1, 0].set_ylabel("units that change most")
    return figure


def _colours(figure, axes, values, words, limits):
    drawn = axes.imshow(
        values.T, aspect="auto", cmap="viridis" if limits[0] == 0 else "RdBu_r",
        vmin=limits[0], vmax=limits[1], interpolation="nearest",
    )  # fmt: skip
    is_tight = len(words) > 6 and max(map(len, words)) > 2
    axes.set_xticks(range(len(words)), words, rotation=90 if is_tight else 0)
    _whole_numbers(axes.yaxis)
    figure.colorbar(drawn, ax=axes, pad=0.01)


def lstm_step(trace, time, unit=0, word=""):
    """A drawing of one step of one LSTM unit, with the numbers of a real forward pass.

    Args:
        trace: dict of arrays (1, time, units), from `ImageRNN.trace` of an LSTM.
        time: int. The step.
        unit: int. The unit. Defaults to `0`.
        word: str. The word that x_t is the vector of, for the drawing. Defaults to `""`.

    Returns:
        Figure: from left to right the memory, from c_{t-1} through the forget gate and the sum to
        c_t; below it the gates and their inputs; on the right h_t.

    Reference: the document, figure 1 and equations (6) to (10).
    """
    require("memory" in trace, "lstm_step: only an LSTM has a memory")

    def at(name, step):
        return 0.0 if step < 0 else float(np.asarray(trace[name])[0, step, unit])

    def signed(number):
        return f"{round(number, 2) + 0.0:+.2f}"  # + 0.0 turns -0.0 into 0.0

    value = {name: at(name, time) for name in trace if name != "image"}
    before = {name: at(name, time - 1) for name in ("hidden", "memory")}
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.3, 10.3), ylim=(-0.2, 5.4), aspect="equal")
    axes.axis("off")

    def arrow(start, end):
        axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.35"})

    def box(x, name, function, equation):
        shade = str(1 - 0.55 * abs(value[name]))
        axes.add_patch(
            FancyBboxPatch((x - 0.55, 1.45), 1.1, 0.6, "round,pad=0.08", fc=shade, ec="0.2")
        )
        axes.text(x, 1.75, f"{function}\n{value[name]:.2f}", ha="center", va="center", fontsize=10)
        axes.text(x, 1.18, f"{name.replace('_', ' ')} {equation}", ha="center", fontsize=8)
        arrow((x, 0.62), (x, 1.05))

    def knot(x, y, sign):
        axes.add_patch(Circle((x, y), 0.22, fc="white", ec="0.2", zorder=3))
        axes.text(x, y, sign, ha="center", va="center", fontsize=12, zorder=4)

    box(1.6, "forget_gate", "σ", "(6)")
    box(3.4, "input_gate", "σ", "(7)")
    box(5.2, "candidate", "tanh", "(8)")
    box(7.0, "output_gate", "σ", "(9)")
    axes.plot([0.6, 7.0], [0.55, 0.55], color="0.35", lw=1.2)  # the inputs of the gates
    seen = f"$h_{{t-1}}$ = {signed(before['hidden'])}, …\n$x_t$ = {word or '…'}\n$image_t$"
    axes.text(0.45, 0.5, seen, ha="right", va="center", fontsize=9)
    for x in (1.6, 3.4, 5.2, 7.0):
        axes.plot([x, x], [0.55, 0.65], color="0.35", lw=1.2)

    memory = 4.3  # height of the line for the memory
    axes.text(0.35, memory, f"$c_{{t-1}}$\n{signed(before['memory'])}", ha="right", va="center")
    arrow((0.45, memory), (1.38, memory))
    knot(1.6, memory, "×")
    arrow((1.6, 2.15), (1.6, memory - 0.22))
    arrow((1.82, memory), (4.08, memory))
    axes.text(2.9, memory + 0.15, f"{signed(value['forget_gate'] * before['memory'])}", ha="center")
    knot(4.3, memory, "+")
    knot(4.3, 3.1, "×")
    arrow((3.4, 2.15), (4.12, 2.95))
    arrow((5.2, 2.15), (4.48, 2.95))
    arrow((4.3, 3.32), (4.3, memory - 0.22))
    axes.text(4.4, 3.6, f"{signed(value['input_gate'] * value['candidate'])}", ha="left")
    arrow((4.52, memory), (9.3, memory))
    axes.text(9.4, memory, f"$c_t$\n{signed(value['memory'])}", va="center")
    arrow((7.9, memory), (7.9, 3.42))
    axes.text(8.0, 3.75, f"tanh {signed(np.tanh(value['memory']))}", ha="left")
    knot(7.9, 3.2, "×")
    arrow((7.0, 2.15), (7.72, 3.03))
    arrow((8.12, 3.2), (9.3, 3.2))
    axes.text(9.4, 3.2, f"$h_t$ (10)\n{signed(value['hidden'])}", va="center")
    axes.set_title(f"unit {unit}, step {time + 1}" + (f", reading “{word}”" if word else ""))
    return figure


def attention(image, caption, columns=5):
    """Where each word of a caption looked.

    Args:
        image: PIL image or array (height, width, 3).
        caption: Caption with `attention`, from `generate(return_details=True)`.
        columns: int. Words per row. Defaults to `5`.

    Returns:
        Figure: the picture once for each word, dark where the captioner did not look.

    Raises:
        CaptionerError: The caption has no attention.
    """
    require(caption.attention is not None, "attention: this captioner has none, or was not asked")
    image = np.asarray(image)
    height, width = image.shape[:2]
    columns = min(columns, len(caption.words) + 1)
    rows = math.ceil((len(caption.words) + 1) / columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    first, *others = figure.subplots(rows, columns, squeeze=False).flat
    for axes in (first, *others):
        axes.axis("off")
    first.imshow(image)
    for axes, word, weights in zip(others, caption.words, caption.attention, strict=False):
        axes.imshow(image)
        shade = Image.fromarray((weights / weights.max()).astype("float32"))
        shade = np.asarray(shade.resize((width, height), Image.Resampling.BILINEAR))
        axes.imshow(np.zeros_like(shade), cmap="gray", vmin=0, vmax=1, alpha=0.8 * (1 - shade))
        axes.set_title(word, fontsize=10)
    return figure


def beam_tree(nodes):
    """A beam search as a tree, from left to right. The best caption is drawn in bold.

    Args:
        nodes: list of Node, from `captioner.study.beam_tree.beam_tree`.

    Returns:
        Figure. Below each word is its probability, given the words before it. After an end is the
        place of its caption.
    """
    heights = _heights(nodes)
    best = _ancestors(nodes, next(n for n, node in enumerate(nodes) if node.rank == 0))
    depth = max(node.depth for node in nodes)
    left, right = -0.5, depth + 0.9
    low, high = min(heights) - 0.8, max(heights) + 0.4
    figure = Figure(figsize=(TREE_STEP * (right - left), 0.52 * (high - low)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for number, node in enumerate(nodes):
        strong = number in best
        height = heights[number]
        look = {"color": "black" if strong else "0.3", "weight": "bold" if strong else "normal"}
        axes.text(node.depth, height, node.word, ha="center", va="center", fontsize=11, **look)
        if node.rank >= 0:
            place = node.depth + _half_width(node.word)
            axes.text(place, height, f"no. {node.rank + 1}", va="center", fontsize=11, **look)
        if node.parent >= 0:
            before = nodes[node.parent]
            axes.plot(
                [before.depth + _half_width(before.word), node.depth - _half_width(node.word)],
                [heights[node.parent], height],
                color="C0" if strong else "0.7", lw=2 if strong else 0.8,
            )  # fmt: skip
            probability = _probability(math.exp(node.log_prob))
            axes.text(node.depth, height - 0.4, probability, ha="center", va="center", color="0.3")
    axes.set(xlim=(left, right), ylim=(low, high))
    return figure


def _half_width(word):
    """About half the width of a bold word of a beam tree, with a margin, in steps."""
    return min(0.045 * len(word) + 0.06, 0.46)


def _probability(value):
    return "<0.01" if value < 0.005 else f"{value:.2f}"


def _heights(nodes):
    """The height of each node: a line for each leaf, in tree order; parents amid their children."""
    children = [[] for _ in nodes]
    for number, node in enumerate(nodes[1:], 1):
        children[node.parent].append(number)
    heights, lines = [0.0] * len(nodes), itertools.count(0, -1)

    def place(number):
        for child in children[number]:
            place(child)
        below = [heights[child] for child in children[number]]
        heights[number] = sum(below) / len(below) if below else float(next(lines))

    place(0)
    return heights


def _ancestors(nodes, number):
    """The numbers of a node and of all its ancestors."""
    found = set()
    while number >= 0:
        found.add(number)
        number = nodes[number].parent
    return found
