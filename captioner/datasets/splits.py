"""Which pictures belong to train, val and test."""

import hashlib
import re
import unicodedata

from captioner.errors import CaptionerError

USUAL = ("train", "val", "test")
ALL = "all"
ALIASES = {
    "training": "train", "restval": "train", "valid": "val", "validation": "val", "dev": "val",
    "eval": "val", "evaluation": "val", "testing": "test",
}  # fmt: skip
FEW = 100  # pictures; see divide()
HELD_OUT = 3  # pictures of so few that are val, and as many test, unless that is over a fifth

_NAMES = "|".join([*USUAL, *ALIASES])
_IN_FILE_NAME = re.compile(rf"(?<![a-z])({_NAMES})(?![a-z])", re.IGNORECASE)
_FOLDER = re.compile(
    rf"(?:(?:images?|imgs?)[-_ ]?)?({_NAMES})[-_ ]?(?:\d{{4}})?(?:[-_ ]?(?:images?|imgs?|set))?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"[-_ ]?(19|20)\d\d")


def canonical(name):
    """The standard name of a split, `val2017` -> `val`; None for an empty one."""
    name = name.strip().lower()
    usual = _YEAR.sub("", name)
    usual = ALIASES.get(usual, usual)
    return usual if usual in USUAL else name or None


def wanted(split):
    """A split as `load_dataset` takes it, with standard names; None for everything."""
    if isinstance(split, (tuple, list)):
        return tuple(canonical(each) for each in split)
    split = canonical(split or ALL)
    return None if split == ALL else split


def split_in_file_name(name):
    """The split that an annotation file's name tells, or None: `captions_val2017.json` -> val."""
    found = _IN_FILE_NAME.search(name)
    return canonical(found[1]) if found else None


def around_split(name):
    """What is before and after the split in a file's name, or None where it tells none."""
    found = _IN_FILE_NAME.search(name)
    return (name[: found.start()], name[found.end() :]) if found else None


def split_of_folder(name):
    """The split that a folder is named after, or None: `val2017` and `Validation` -> val."""
    found = _FOLDER.fullmatch(name)
    return canonical(found[1]) if found else None


def by_folder(records):
    """The records with their splits, and the names of these.

    Where no record names its split, and each is in a folder of a split (`train/a.jpg`), of which
    there are several, these are the splits.

    Args:
        records: list of Record.

    Returns:
        (list of Record, list of str).
    """
    splits = [each.split for each in records]
    if not any(splits):
        folders = [map(split_of_folder, each.file.split("/")[:-1]) for each in records]
        named = [next(filter(None, each), None) for each in folders]
        if None not in named and len(set(named)) > 1:
            records = [each._replace(split=one) for each, one in zip(records, named, strict=True)]
            splits = named
    return records, list(dict.fromkeys(filter(None, splits)))


def choose(split, splits, path):
    """The one split to read: of several that are wanted, the first that the source defines.

    Args:
        split: str, tuple of str, or None. As `wanted` gives it.
        splits: list of str. Those that the source defines.
        path: str. The source, for messages.

    Returns:
        str, or None for everything.

    Raises:
        CaptionerError: The source defines splits, but none that is wanted.
    """
    if not isinstance(split, tuple):
        require_split(split, splits, path)
        return split
    if not splits:
        return None
    found = [each for each in split if each in splits]
    require_split(found[0] if found else split[0], splits, path)
    return found[0]


def require_split(split, splits, path):
    """An error where the source defines splits, but not this one."""
    if split and splits and split not in splits:
        usual = [each for each in USUAL if each in splits]
        names = ", ".join([*usual, *(each for each in splits if each not in USUAL)])
        raise CaptionerError(f"{path} has no split {split!r}; it has {names}")


def select(annotations, split, path):
    """The records of a split, and warnings about it.

    Args:
        annotations: Annotations.
        split: str or None. As `choose` gives it; None selects all.
        path: str. The source, for messages.

    Returns:
        (list of Record, list of str).
    """
    if split is None:
        return annotations.records, []
    if annotations.splits:
        return [each for each in annotations.records if each.split == split], []
    require_split(split, USUAL, path)
    parts = divide(each.file for each in annotations.records)
    records = [each for each in annotations.records if parts[each.file] == split]
    if not records:
        raise CaptionerError(
            f"{path} defines no splits, and its {len(parts)} pictures are too few to be divided: "
            "give at least 3, or a data set that names the split of each (train, val)"
        )
    shares = "80 % train, 10 % val, 10 % test"
    if len(parts) < FEW:
        shares = ", ".join(f"{list(parts.values()).count(each)} {each}" for each in USUAL)
    return records, [
        f"{path} defines no splits: its pictures are divided by their file names, {shares}; this "
        f"is {split}"
    ]


def divide(files):
    """Divides pictures 80 : 10 : 10 into train, val and test, whatever order they come in.

    A picture stays in its part when others come or go, because only the hash of its own name
    decides. Among fewer than `FEW` pictures chance could leave a part empty; those are ranked by
    their hash and cut, so that of 3 pictures or more each part gets one, of 10 two, and of 15
    three: a single picture says little, and its CIDEr is always 0.

    Args:
        files: iterable of str. Names; a picture with several ids has one name.

    Returns:
        dict of file: split.

    Example:
    >>> divide(["a.jpg", "b.jpg", "c.jpg"])
    {'c.jpg': 'test', 'b.jpg': 'val', 'a.jpg': 'train'}
    """
    shares = {file: _hash(file) for file in files}
    if len(shares) >= FEW:
        return {
            file: "train" if share < 0.8 else "val" if share < 0.9 else "test"
            for file, share in shares.items()
        }
    ranked = sorted(shares, key=shares.get, reverse=True)
    held_out = max(1, len(ranked) // 10, min(HELD_OUT, len(ranked) // 5))
    parts = dict.fromkeys(ranked, "train")
    parts.update(dict.fromkeys(ranked[held_out : 2 * held_out], "val"))
    parts.update(dict.fromkeys(ranked[:held_out], "test"))
    return parts


def _hash(file):
    """A number from 0 to 1 that looks random but is the same on every machine."""
    name = unicodedata.normalize("NFC", file).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64
