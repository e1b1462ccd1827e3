"""What captions score: those of every data set by itself, and the mean."""

from itertools import chain
from statistics import fmean

from captioner import metrics

SCORES = ("CIDEr", "BLEU-4")


def several_sets(dataset):
    """The names of the sets that the pictures of a CaptionDataset are from, if there are several.

    Returns:
        list of str, empty where all are from one.
    """
    names = list(dataset.by_set())
    return names if len(names) > 1 else []


def score_names(dataset):
    """What `set_scores` gives, the columns of history.csv: means first, then those of each set."""
    return [*SCORES, *(f"{score} {name}" for score in SCORES for name in several_sets(dataset))]


def pictures_of_largest(dataset):
    """How many pictures the largest of the sets has."""
    return max(map(len, dataset.by_set().values()))


def tokenization_of(dataset):
    """What counts as a word in the scores of all sets, see `metrics.choose_tokenization`."""
    return metrics.choose_tokenization(chain.from_iterable(dataset.captions))


def set_scores(dataset, captions):
    """CIDEr and BLEU-4, each set's pictures against their own references.

    CIDEr weighs words by their frequency in the references, so every set is scored as it would be
    alone. Of several sets the means count each set the same, however many pictures it has.

    Args:
        dataset: CaptionDataset.
        captions: dict from the position of every picture to str. Not from its id: two sets may
            have the same ids.

    Returns:
        dict from each of `score_names` to float.

    Example:
    >>> a = CaptionDataset([1, 2], ["1", "2"], [["a dog"], ["a cat"]]).named("a")
    >>> b = CaptionDataset([1, 2], ["1", "2"], [["a red hat"], ["a bus"]]).named("b")
    >>> set_scores(a.joined(b), {0: "a dog", 1: "a cat", 2: "one", 3: "two"})
    {'CIDEr': 2.5, 'BLEU-4': ..., 'CIDEr a': 5.0, 'CIDEr b': 0.0, 'BLEU-4 a': ..., 'BLEU-4 b': 0.0}
    """
    of_each, tokenization = {}, tokenization_of(dataset)
    for name, rows in dataset.by_set().items():
        references = {n: dataset.captions[n] for n in rows}
        written = {n: captions[n] for n in rows}
        of_each[name] = metrics.score(references, written, ["bleu", "cider"], tokenization)
    values = {score: fmean(scores[score] for scores in of_each.values()) for score in SCORES}
    for score in SCORES:
        for name in several_sets(dataset):
            values[f"{score} {name}"] = of_each[name][score]
    return values


def scores_line(dataset, scores):
    """Scores that `set_scores` gave, as a line for people."""
    parts = []
    for score in SCORES:
        of_sets = [f"{name} {scores[f'{score} {name}']:.4f}" for name in several_sets(dataset)]
        parts.append(f"{score} {scores[score]:.4f}")
        if of_sets:
            parts[-1] += f" ({', '.join(of_sets)})"
    return ", ".join(parts)
