"""The data sets of a training run: found by the settings, named, and checked to go together."""

import hashlib
import itertools
import os
from collections import Counter

from captioner.datasets import load_dataset
from captioner.datasets.pictures import beside
from captioner.errors import require, require_downloaded
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
        folders = [*beside(config.more_data), *as_list(config.images or [])[:1]]
        more = load_dataset(config.more_data, folders, "train")
        training = training.joined(more.named(set_names(config)[0]))
    training.warnings.extend(_overlap(config, training, validation))
    return training, validation


def load_split(config, split):
    """One split of all data sets of a run, a CaptionDataset; see `load_sources`."""
    require_data(config)
    paths, names = as_list(config.data), set_names(config)
    folders = as_list(config.images) if config.images else [None] * len(paths)
    twice = "name each set once, and weigh it by --data-weights"
    if config.val_data and split == "val":
        paths, names, folders = _validated_on(config, names)
        twice = "give one --val-data for all sets"
    _require_different(paths, twice)
    parts = [
        load_dataset(path, images, (split,) if config.val_data else split, config.format)
        for path, images in zip(paths, folders, strict=True)
    ]
    _require_different_contents(paths, parts, twice)
    if split == "train":
        _require_one_language(paths, [part.captions for part in parts])
    whole, *others = (part.named(name) for part, name in zip(parts, names, strict=True))
    for part in others:
        whole = whole.joined(part)
    return whole


def _validated_on(config, names):
    """The paths of `val_data`, the names of its sets, and the folders of each one's pictures."""
    paths, given = as_list(config.val_data), as_list(config.images or [])
    if len(paths) < len(names):  # one for all
        names, of_each = [""], [given]
    else:
        of_each = [[folder] for folder in given] or [[]] * len(paths)
    folders = [[*beside(path), *more] for path, more in zip(paths, of_each, strict=True)]
    return paths, names, folders


def require_data(config):
    """Raises CaptionerError unless data sets are named, on this machine. Quick, without Keras."""
    require(
        all(as_list(config.data)),
        "no data set given; add --data with an annotation file or a folder",
    )
    for path in [*as_list(config.data), *as_list(config.val_data), config.more_data]:
        require_downloaded(path)


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


def _require_different(paths, advice):
    known = {}
    for path in paths:
        real = os.path.realpath(path)
        require(real not in known, _given_twice(path, known.get(real), advice))
        known[real] = path


def _require_different_contents(paths, parts, advice):
    """Raises CaptionerError for a set under two names: its folder and its file, or a copy."""
    for (path, mine), (other, theirs) in itertools.combinations(zip(paths, parts, strict=True), 2):
        same = mine.captions == theirs.captions and mine.fingerprint() == theirs.fingerprint()
        require(not same, _given_twice(other, path, advice))


def _given_twice(path, before, advice):
    same = "" if before == path else f", as {before} before"
    return f"{path} is given twice{same}; {advice}"


def _overlap(config, training, validation):
    """A line about pictures that are both learned from and validated on, if sets share some.

    Raises:
        CaptionerError: The validation pictures are given, so they can be put right.
    """
    chosen_by = set(map(_file, validation.image_paths))
    shared = [path for path in training.image_paths if _file(path) in chosen_by]
    if not shared:
        return []
    count = len(set(shared))
    require(
        not config.val_data,
        f"--val-data: pictures that are learned from too: {count} (first: {shared[0]}); their "
        "scores would be too high; take them out of --data or of --val-data",
    )
    return [
        f"{count} pictures are learned from and validated on too, as the data sets "
        f"share them (first: {shared[0]}); their scores are too high; take them out of one split"
    ]


def _file(path):
    """What tells whether two paths, links among them, are one file."""
    try:
        status = os.stat(path)
    except OSError:  # a broken link, which is reported when the picture is read
        return path
    return status.st_dev, status.st_ino


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
