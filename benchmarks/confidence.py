"""How far the confidence of the shipped model can be trusted, and why it is made as it is.

    python -m benchmarks.confidence --flickr8k flickr8k --coco coco

It captions the dev photographs of both sets and those of Flickr8k that are in no split, about 1,430
in all, with LiteRT. judgements.json says of 204 of them how someone who looked at the photograph
judged the caption: right, partly right or wrong. Nothing is stored. Captions that the model no
longer writes are left out.
"""

import argparse
import json
import os

import numpy as np

from captioner import load_dataset, metrics
from captioner.confidence import platt_scaling
from captioner.metrics.calibration import BINS, FOLDS, RIGHT, auc, calibrate, reliability
from captioner.models import load_models
from captioner.output.evaluation import captions_of_model
from captioner.presets import DEFAULT_PRESET

JUDGEMENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "judgements.json")
VERDICTS = ("right", "partly", "wrong")
LEVELS = np.arange(0.3, 1.25, 0.1)  # of CIDEr


def facts_of(caption):
    """What could be weighed, by name."""
    scores = np.array(caption.word_scores)
    return {
        "score": caption.score,
        "mean log-probability": scores.mean(),
        "lowest log-probability": scores.min(),
        "mean probability": np.exp(scores).mean(),
        "length": len(scores),
    }


def isotonic(facts, is_right, weights):
    """The non-decreasing steps that fit one fact best, as a function (pool adjacent violators)."""
    values = facts[:, 0]
    pools = []  # (share that is right, weight, number of captions)
    order = np.argsort(values, kind="stable")
    for right, weight in zip(is_right[order].astype(float), weights[order], strict=True):
        pools.append((right, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (one, first, count), (two, second, more) = pools[-2:]
            share = (one * first + two * second) / (first + second)
            pools[-2:] = [(share, first + second, count + more)]
    steps = np.repeat([share for share, _, _ in pools], [count for *_, count in pools])
    return lambda new: np.clip(np.interp(new[:, 0], values[order], steps), 0.01, 0.99)


def platt(facts, is_right, weights):
    """The confidence as a function of the facts."""
    bias, *found = platt_scaling(facts, is_right, weights)
    return lambda new: 1 / (1 + np.exp(-(bias + new @ found)))


WEIGHED = (
    (["score"], platt),
    (["mean log-probability"], platt),
    (["mean probability"], platt),
    (["mean probability", "length"], platt),
    (["score", "lowest log-probability"], platt),
    (["mean log-probability", "lowest log-probability", "length"], platt),
    (["score"], isotonic),
    (["mean probability"], isotonic),
)


def unseen(learn, facts, is_right, weights):
    """What is thought of each caption by what was learned from the other folds."""
    values, folds = np.empty(len(is_right)), np.arange(len(is_right)) % FOLDS
    for fold in range(FOLDS):
        others = folds != fold
        values[~others] = learn(facts[others], is_right[others], weights[others])(facts[~others])
    return values


class Dev:
    """The dev photographs of both sets: captions, CIDEr, and verdicts, "" where there is none."""

    def __init__(self, sets, judgements):
        self.captions, self.cider, self.judged = [], [], []
        for name, (references, captions) in sets.items():
            each = metrics.score_each(references, {n: c.text for n, c in captions.items()})
            self.captions += [captions[n] for n in references]
            self.cider += [each[n]["CIDEr"] for n in references]
            self.judged += [verdict(judgements[name], n, captions[n]) for n in references]
        self.cider, self.judged = np.array(self.cider), np.array(self.judged)
        self.is_judged = self.judged != ""
        self.by_eye = self.judged[self.is_judged] == "right"


def verdict(judgements, image_id, caption):
    """The verdict on a caption, "" where it has none."""
    judgement, text = judgements.get(str(image_id), ("", caption.text))
    return judgement if text == caption.text else ""


def print_levels(dev):
    cider, by_eye = dev.cider[dev.is_judged], dev.by_eye
    print(f"\n{len(by_eye)} judged dev captions: {by_eye.mean():.0%} right, ", end="")
    print(f"{np.mean(dev.judged[dev.is_judged] == 'wrong'):.0%} wrong; ", end="")
    print(f"AUC of CIDEr {auc(cider, by_eye):.3f}")
    print(
        "| CIDEr | captions at least | agree with the eye | mean of both kinds |\n|---|---|---|---|"
    )
    for level in LEVELS:
        same = (cider >= level) == by_eye
        mean = (same[by_eye].mean() + same[~by_eye].mean()) / 2
        share = np.mean(cider >= level)
        print(f"| {level:.1f} | {share:.0%} | {same.mean():.1%} | {mean:.1%} |")


def print_facts(dev, found, new_captions, new_by_eye):
    """What could be weighed, and by how much each is better than the score alone."""
    facts, new_facts = (
        [facts_of(c) for c in captions] for captions in (dev.captions, new_captions)
    )
    losses_of_score = None
    print("\n| weighed | log loss | less than the score's by | AUC | AUC by eye | in no split |")
    print("|---" * 6 + "|")
    for names, learn in WEIGHED:
        table, new = (np.array([[row[n] for n in names] for row in t]) for t in (facts, new_facts))
        values = unseen(learn, table, found.is_right, found.weights)
        losses = -np.log(np.where(found.is_right, values, 1 - values)) * found.weights
        losses_of_score = losses if losses_of_score is None else losses_of_score
        gains = losses_of_score - losses
        of_new = learn(table, found.is_right, found.weights)(new)
        print(
            f"| {', '.join(names)}{', isotonic' * (learn is isotonic)} | {losses.mean():.4f} | "
            f"{gains.mean():.4f} ± {gains.std() / len(gains) ** 0.5:.4f} | "
            f"{auc(values, found.is_right):.3f} | {auc(values[dev.is_judged], dev.by_eye):.3f} | "
            f"{auc(of_new, new_by_eye):.3f} |"
        )


def print_reliability(columns):
    """Which share is right, in all and in each fifth of the confidence; below it the AUC."""
    tables = [reliability(*column) for column in columns.values()]
    print("\n| confidence | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for place in range(BINS):
        lowest, highest, *_ = tables[0][place]
        cells = [
            "-" if share is None else f"{share:.0%} of {count}"
            for *_, count, share in (table[place] for table in tables)
        ]
        print(f"| {lowest:.1f} to {highest:.1f} | " + " | ".join(cells) + " |")
    areas = [f"{auc(values, is_right):.2f}" for values, is_right, *_ in columns.values()]
    print("| AUC | " + " | ".join(areas) + " |")


def print_trusted(confidences, judged):
    """What remains by eye above and below a confidence of one half."""
    for name, here in (("0.5 or more", confidences >= 0.5), ("less", confidences < 0.5)):
        shares = ", ".join(f"{np.mean(judged[here] == v):.0%} {v}" for v in VERDICTS)
        print(f"confidence {name}: {np.count_nonzero(here)} judged dev captions, {shares}")


def in_no_split(path):
    whole = load_dataset(path)
    known = {n for split in ("train", "val") for n in load_dataset(path, split=split).image_ids}
    return whole.subset([k for k, n in enumerate(whole.image_ids) if n not in known])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--flickr8k", required=True, help="folder of Flickr8k")
    parser.add_argument("--coco", required=True, help="folder of COCO")
    options = parser.parse_args()
    with open(JUDGEMENTS, encoding="utf-8") as file:
        judgements = json.load(file)
    model = load_models([DEFAULT_PRESET], "litert")

    def captioned(dataset):
        captions = {name: best for name, [best] in captions_of_model(model, dataset)}
        return dataset.references(), captions

    paths = {"flickr8k": options.flickr8k, "coco": options.coco}
    sets = {name: captioned(load_dataset(path, split="val")) for name, path in paths.items()}
    references, captions = captioned(in_no_split(options.flickr8k))
    dev = Dev(sets, judgements)
    found = calibrate(list(sets.values()))
    print(f"right: CIDEr {RIGHT} or more; weights learned: {found.confidence.to_config()}")
    print_levels(dev)

    verdicts = np.array([verdict(judgements["flickr8k"], n, captions[n]) for n in references])
    new_captions = [each for each, known in zip(captions.values(), verdicts, strict=True) if known]
    new_by_eye = verdicts[verdicts != ""] == "right"
    print_facts(dev, found, new_captions, new_by_eye)

    # Together with dev: CIDEr weighs words by the pictures that are scored.
    more_references, more_captions = (
        sets["flickr8k"][0] | references,
        sets["flickr8k"][1] | captions,
    )
    cider = metrics.score_each(more_references, {n: c.text for n, c in more_captions.items()})
    new_is_right = np.array([cider[name]["CIDEr"] >= RIGHT for name in references])
    new = np.array([found.confidence.of(captions[name].word_scores) for name in references])
    columns = {
        "dev, by CIDEr": (found.unseen, found.is_right, found.weights),
        "dev, by eye": (found.unseen[dev.is_judged], dev.by_eye),
        "in no split, by CIDEr": (new, new_is_right),
        "in no split, by eye": (new[verdicts != ""], new_by_eye),
    }
    print_reliability(columns)
    print_trusted(found.unseen[dev.is_judged], dev.judged[dev.is_judged])


if __name__ == "__main__":
    main()
