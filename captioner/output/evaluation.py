"""Scoring captions against references: those a captioner writes, or a results file."""

import os
import warnings
from itertools import chain

from captioner import metrics
from captioner.datasets import load_dataset
from captioner.datasets.splits import split_in_file_name
from captioner.ensemble import Ensemble
from captioner.errors import CaptionerWarning
from captioner.generation import Caption
from captioner.images import ImageError
from captioner.models import opened
from captioner.output.result_matching import IMAGE_ID, match_results
from captioner.reranked import Reranked


def captions_of_model(model, dataset, batch_size=32, **search):
    """Captions the pictures of a data set.

    Args:
        model: captioner, or ModelChoice.
        dataset: CaptionDataset.
        batch_size, **search: as in `Generation.generate_all`.

    Yields:
        (image id, list of `Caption`, best first).

    Raises:
        ImageError: A picture cannot be read: scores without it would be of another data set.
    """
    for number, _, result in opened(model).generate_all(dataset.image_paths, batch_size, **search):
        if isinstance(result, ImageError):
            raise result
        yield dataset.image_ids[number], result


def learned_from(model, path):
    """How much of a data set without splits a captioner has learned from, as its file says.

    Args:
        model: captioner.
        path: str. The data set; it is known by its name.

    Returns:
        `"none"`, `"all"`, or `"train"`: the run divided it, and did not learn from `test`.
    """
    name = os.path.basename(os.path.abspath(path))
    runs = [run for run in _runs(model) if name in _data_of(run)]
    if any(run.get("val_data") for run in runs) or (runs and split_in_file_name(name)):
        return "all"
    return "train" if runs else "none"


def _runs(model):
    """The settings of the runs that made a captioner, or the captioners in it."""
    if isinstance(model, Ensemble):
        return list(chain.from_iterable(map(_runs, model.members)))
    if isinstance(model, Reranked):
        return _runs(model.forward) + _runs(model.backward)
    runs, about = [], model.about
    while about:
        runs.append(about.get("trained_with", {}))
        about = about.get("started_from")
    return runs


def _data_of(run):
    data = run.get("data", [])
    return [data] if isinstance(data, str) else data


def captions_of_results(path, dataset):
    """The captions of a results file; warns how they are matched, and what is left out.

    Args:
        path: str. A file as `metrics.load_results` reads it.
        dataset: CaptionDataset.

    Returns:
        dict from image id to list of one `Caption`, its score 0, in the data set's order; without
        pictures that have no caption.

    Raises:
        CaptionerError: The file cannot be read, or seems to be of another data set, see
            `captioner.output.result_matching`.
    """
    captions = metrics.load_results(path)
    match = match_results(list(captions), dataset, path)
    if match.way != IMAGE_ID:
        _note(f"{path}: its captions are matched to pictures by {match.way}")
    if len(match.names) < len(captions):
        _note(
            f"{path}: {len(captions) - len(match.names)} of {len(captions)} captions are of "
            "pictures that are not scored; left out"
        )
    if len(match.names) < len(dataset):
        _note(
            f"{path}: has no caption for {len(dataset) - len(match.names)} of {len(dataset)} "
            "pictures; left out"
        )
    texts = {
        image_id: captions[match.names[image_id]]
        for image_id in dataset.image_ids
        if image_id in match.names
    }
    return {name: [Caption(text, 0.0, tuple(text.split()), ())] for name, text in texts.items()}


def score_captions(
    captions, dataset, names, training_data=(), with_faults=False, tokenization="auto"
):
    """All scores of the captions of a data set.

    Args:
        captions: dict from image id to str.
        dataset: CaptionDataset. Pictures without a caption are left out.
        names: list of str. As for `metrics.score`.
        training_data: list of str. Data sets whose train split shows which captions are copied; if
            there are any, `metrics.diversity` is added. Defaults to `()`.
        with_faults: bool. Whether to add `metrics.caption_faults`, each beside that of people's
            captions; warns where these seem not to be English. Defaults to `False`.
        tokenization: str. As for `metrics.score`. Defaults to `"auto"`.

    Returns:
        dict from name to float or str.

    Example:
    >>> dataset = CaptionDataset(["a.jpg"], ["a.jpg"], [["a dog runs", "a dog"]])
    >>> score_captions({"a.jpg": "a dog runs"}, dataset, ["bleu"])["BLEU-1"]
    1.0
    """
    references = {name: texts for name, texts in dataset.references().items() if name in captions}
    scores = metrics.score(references, captions, names, tokenization)
    if training_data:
        learned = _training_captions(training_data)
        scores |= metrics.diversity(list(captions.values()), learned, tokenization)
    if with_faults:
        scores |= _faults(captions.values(), list(chain.from_iterable(references.values())))
    return scores


def _training_captions(paths):
    for path in paths:
        dataset = load_dataset(path, split="train", check_images=False)
        for line in dataset.warnings:
            _note(line)
        yield from chain.from_iterable(dataset.captions)


def _faults(captions, references):
    """The shares of captions with faults, each beside that of people's."""
    if not metrics.seem_english(references):
        _note("--faults finds faults of English; people's captions here seem not to be in it")
    of_people = metrics.caption_faults(references)
    shares = {}
    for name, share in metrics.caption_faults(captions).items():
        shares |= {name: share, f"{name}, people": of_people[name]}
    return shares


def _note(line):
    warnings.warn(line, CaptionerWarning, stacklevel=1)
