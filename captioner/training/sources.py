"""The data sets of a training run: found by the settings, named, and checked to go together."""

import hashlib
import itertools
import os
from collections import Counter

from captioner.datasets import load_dataset
from captioner.errors import require
from captioner.text_files import read_text
from captioner.training.config import as_list
from captioner.vocabulary import tokenize

FREQUENT = 30  # words of a set, by which its language is known
LEAST_COUNT = 3  # of each; a set with fewer such words is not judged
FEWEST_KNOWN = 0.15  # share of these that another set in the same language uses, however narrow
RARELY = 20_000  # words in which a foreign one, of a name or a sign, comes once
JUDGED_CAPTIONS = 5000  # of a set


def load_sources(config):
    """The pictures that a run learns from and those it is validated on, of all its data sets.

    Args:
        config: TrainConfig.

    Returns:
        (CaptionDataset, CaptionDataset). With several sets, `sets` says which each picture is from.

    Raises:
        CaptionerError: A set cannot be read, lacks pictures to learn from or to choose by, is
            given twice, or is in another language than the rest.
    """
    training, validation = (load_split(config, split) for split in ("train", "val"))
    if config.more_data:
        more = load_dataset(config.more_data, split="train")
        training = training.joined(more.named(set_names(config)[0]))
    training.warnings.extend(_overlap(training, validation))
    return training, validation


def load_split(config, split):
    """One split of all data sets of `config.data`, a CaptionDataset; see `load_sources`."""
    paths, names = as_list(config.data), set_names(config)
    require(all(paths), "no data set given; add --data with an annotation file or a folder")
    folders = as_list(config.images) if config.images else [""] * len(paths)
    _require_different(paths)
    parts = [
        load_dataset(path, images or None, split, config.format).named(name)
        for path, images, name in zip(paths, folders, names, strict=True)
    ]
    _require_different_contents(paths, parts)
    if split == "train":
        _require_one_language(paths, [part.captions for part in parts])
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    return whole


def set_names(config):
    """The name of each data set: its folder's, or its file's without the ending; `""` for one."""
    paths = as_list(config.data)
    if len(paths) == 1:
        return [""]
    names = []
    for path in paths:
        name = os.path.basename(os.path.abspath(path))
        name = name if os.path.isdir(path) else os.path.splitext(name)[0]
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        names.append(next(each for each in itertools.chain([name], numbered) if each not in names))
    return names


def shares(config):
    """The share of each data set by its name: a dict, empty where they are not weighed."""
    if not config.data_weights:
        return {}
    return dict(zip(set_names(config), config.data_weights, strict=True))


def first_of_each_set(dataset, most):
    """Of each of the data sets in a CaptionDataset, at most that many pictures."""
    return dataset.subset(sorted(n for rows in dataset.by_set().values() for n in rows[:most]))


def read_lines(paths):
    """The captions without pictures: the lines of text files that have words.

    Args:
        paths: str, or list of str.

    Returns:
        list of str.

    Raises:
        CaptionerError: A file cannot be read, is not UTF-8, or has no such line.
    """
    found = []
    for path in as_list(paths):
        lines = read_text(path).split("\n")
        lines = [line.strip() for line in lines if any(map(str.isalnum, line))]
        require(lines, f"{path}: no captions in it; give one a line")
        found += lines
    return found


def require_known_words(paths, vocabulary):
    """Raises CaptionerError for a file of captions none of whose words are in the vocabulary."""
    for path in as_list(paths):
        words = (word for line in read_lines(path) for word in tokenize(line))
        require(
            any(word in vocabulary for word in words),
            f"{path}: none of its words are in the vocabulary, which the captions of --data give; "
            "give captions in the same language",
        )


def fingerprints(config, training, validation):
    """What tells the data of a run from other data.

    Args:
        config: TrainConfig.
        training, validation: CaptionDataset.

    Returns:
        dict from a set with its split, such as `"flickr8k train"`, or `"text"`, to a dict as
        `CaptionDataset.fingerprint` gives it.
    """
    found = {
        f"{name} {split}".strip(): dataset.subset(rows).fingerprint()
        for split, dataset in (("train", training), ("val", validation))
        for name, rows in dataset.by_set().items()
    }
    if config.text:
        lines = read_lines(config.text)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        found["text"] = {"pictures": 0, "captions": len(lines), "digest": digest}
    return found


def _require_different(paths):
    known = {}
    for path in paths:
        real = os.path.realpath(path)
        require(real not in known, _given_twice(path, known.get(real)))
        known[real] = path


def _require_different_contents(paths, parts):
    """Raises CaptionerError for a set under two names: its folder and its file, or a copy."""
    for (path, mine), (other, theirs) in itertools.combinations(zip(paths, parts, strict=True), 2):
        same = mine.captions == theirs.captions and mine.fingerprint() == theirs.fingerprint()
        require(not same, _given_twice(other, path))


def _given_twice(path, before):
    same = "" if before == path else f", as {before} before"
    return (
        f"--data: {path} is given twice{same}; name each set once, and weigh it by --data-weights"
    )


def _overlap(training, validation):
    """A line about pictures that are both learned from and validated on, where sets share some."""
    chosen_by = set(map(os.path.abspath, validation.image_paths))
    shared = [path for path in training.image_paths if os.path.abspath(path) in chosen_by]
    if not shared:
        return []
    return [
        f"{len(set(shared))} pictures are learned from and validated on too, as the data sets "
        f"share them (first: {shared[0]}); their scores are too high; take them out of one split"
    ]


def _require_one_language(paths, captions):
    """Raises CaptionerError if two sets share hardly any of the words that each uses most.

    What a language repeats, its articles and prepositions, comes in all that is written in it,
    whatever it is about. Sets of few words are not judged.
    """
    if len(paths) == 1:
        return
    words = [_counts(texts) for texts in captions]
    for (path, mine), (other, theirs) in itertools.combinations(zip(paths, words, strict=True), 2):
        frequent = [_frequent(mine), _frequent(theirs)]
        known = max(_known(frequent[0], theirs), _known(frequent[1], mine))
        is_judged = min(map(len, frequent)) == FREQUENT
        require(
            not is_judged or known >= FEWEST_KNOWN,
            f"{other}: seems to be in another language than {path} (often "
            f"{', '.join(frequent[1][:5])}; there {', '.join(frequent[0][:5])}); train a captioner "
            "for each",
        )


def _counts(captions):
    """How often each word comes in some captions of a set, taken evenly from all of it."""
    step = -(-sum(map(len, captions)) // JUDGED_CAPTIONS)
    texts = itertools.islice(itertools.chain.from_iterable(captions), 0, None, step)
    return Counter(word for text in texts for word in tokenize(text))


def _frequent(counts):
    return [word for word, count in counts.most_common(FREQUENT) if count >= LEAST_COUNT]


def _known(words, counts):
    """The share of some words that a set uses, more than by chance."""
    least = counts.total() / RARELY
    return sum(counts[word] > least for word in words) / max(1, len(words))
