"""Scoring captions against references: those a captioner writes, or a results file."""

import warnings
from itertools import chain

from captioner import metrics
from captioner.datasets import load_dataset
from captioner.errors import CaptionerError, CaptionerWarning
from captioner.generation import Caption
from captioner.images import ImageError
from captioner.models import opened


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


def captions_of_results(path, dataset):
    """The captions of a results file; warns of pictures that have none.

    Args:
        path: str. A file in the COCO results format.
        dataset: CaptionDataset.

    Returns:
        dict from image id to list of one `Caption`, its score 0.

    Raises:
        CaptionerError: The file cannot be read, or has captions of pictures that are not in the
            data set.
    """
    captions = {
        name: [Caption(text, 0.0, tuple(text.split()), ())]
        for name, text in metrics.load_results(path).items()
    }
    known = set(dataset.image_ids)
    strangers = [name for name in captions if name not in known]
    if strangers:
        raise CaptionerError(
            f"{path}: {len(strangers)} of {len(captions)} image ids are not in the data set, "
            f"the first {strangers[0]!r}; check --data and --split"
        )
    missing = len(known) - len(captions)
    if missing:
        _note(f"{missing} of {len(known)} pictures have no caption in {path}")
    return captions


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
        for texts in load_dataset(path, split="train", check_images=False).captions:
            yield from texts


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
