"""Which picture each caption of a results file is of: by image id, or by file name.

A way to match fits where every picture has a caption, but a few that could not be read; or where
every caption is of a picture, as in a file about a part of the data set. Anything else is taken for
the results of another data set.
"""

import os
import unicodedata
from typing import NamedTuple

from captioner.datasets.annotations import plain_id
from captioner.datasets.pictures import TOLERATED
from captioner.errors import CaptionerError
from captioner.finding import PICTURES
from captioner.output.writers import image_id

IMAGE_ID = "image id"
DEEPEST = 4  # parts of a path that are compared, where fewer do not tell pictures apart


class Picture(NamedTuple):
    """A picture of the data set, to which a caption may belong."""

    image_id: int | str
    path: str


class Way(NamedTuple):
    """A way to match: what a name in the results and what a picture is known by, lists of parts.

    The last part is compared; those before it, folders, where several have the same one.
    """

    words: str
    of_name: callable
    of_picture: callable


class Match(NamedTuple):
    """The name that pictures have in the results, by image id, and how they were found."""

    names: dict
    way: str


def match_results(names, dataset, source):
    """Finds the way in which the names in a results file fit the pictures of a data set.

    Args:
        names: list of int or str. Image ids, paths, file names, or file names without endings.
        dataset: CaptionDataset.
        source: str. The results file, for messages.

    Returns:
        Match.

    Raises:
        CaptionerError: No way fits, or ids and file names fit differently.

    Example:
    >>> dataset = CaptionDataset([7, 8], ["photos/a.jpg", "photos/b.jpg"], [["a dog"], ["a cat"]])
    >>> match_results(["b.jpg", "a.jpg"], dataset, "results.csv")
    Match(names={7: 'a.jpg', 8: 'b.jpg'}, way='file name')
    """
    pictures = list(map(Picture, dataset.image_ids, dataset.image_paths))
    tried = []
    by_id = _first_fit(_ID_WAYS, names, pictures, tried)
    by_file = _first_fit(_FILE_WAYS, names, pictures, tried)
    if by_id and by_file:
        _require_agreement(by_id, by_file, pictures, source)
        return max(by_id, by_file, key=lambda match: len(match.names))
    if not by_id and not by_file:
        raise CaptionerError(_failure(tried, names, pictures, source))
    return by_id or by_file


def _first_fit(ways, names, pictures, tried):
    """The first way that fits, or None; adds each way's match to those tried."""
    for way in ways:
        match = Match(_matched(way, names, pictures), way.words)
        tried.append(match)
        found, missing = len(match.names), len(pictures) - len(match.names)
        if found and (found == len(names) or missing <= TOLERATED * len(pictures)):
            return match
    return None


def _matched(way, names, pictures):
    """The name of each picture by its id; empty where two pictures, or two names, are the same."""
    names = [(name, way.of_name(name)) for name in names]
    pictures = [(each.image_id, way.of_picture(each)) for each in pictures]
    for depth in range(1, DEEPEST + 1):
        found = _matched_at(depth, names, pictures)
        if found is not None:
            return found
    return {}


def _matched_at(depth, names, pictures):
    """The same by so many parts; None where they do not tell pictures, or names, apart."""
    ids = {tuple(parts[-depth:]): picture for picture, parts in pictures}
    if len(ids) < len(pictures):
        return None
    found = {}
    for name, parts in names:
        picture = ids.get(tuple(parts[-depth:]))
        if picture is not None and found.setdefault(picture, name) != name:
            return None
    return found


def _coco_number(name):
    """The id in COCO's file names: COCO_val2014_000000000042.jpg -> "42"; None in others."""
    number = image_id(str(name))
    return str(number) if isinstance(number, int) else None


def _parts(name):
    """The folders and the file of a path. A disk may encode accents in another way."""
    return unicodedata.normalize("NFC", str(name)).replace("\\", "/").split("/")


def _stem_parts(path):
    """The parts of a picture's path, its name as `caption.py --format coco` writes it."""
    *folders, file = _parts(path)
    return [*folders, str(image_id(file))]


def _named_parts(name):
    """The same of a name in the results, whose ending may have been left out already."""
    *folders, file = _parts(name)
    stem, ending = os.path.splitext(file)
    stem = stem if ending.lower() in PICTURES else file
    return [*folders, _coco_number(file) or stem]


def _folded(parts):
    return [part.casefold() for part in parts]


_ID_WAYS = [
    Way(IMAGE_ID, lambda name: [name], lambda picture: [picture.image_id]),
    Way(IMAGE_ID, lambda name: [plain_id(name)], lambda picture: [plain_id(picture.image_id)]),
    Way(
        "number in COCO's file names",
        lambda name: [_coco_number(name)],
        lambda picture: [plain_id(picture.image_id)],
    ),
]
_FILE_WAYS = [
    Way("file name", _parts, lambda picture: _parts(picture.path)),
    Way("name without ending", _named_parts, lambda picture: _stem_parts(picture.path)),
    Way(
        "name without ending and case",
        lambda name: _folded(_named_parts(name)),
        lambda picture: _folded(_stem_parts(picture.path)),
    ),
]


def _require_agreement(by_id, by_file, pictures, source):
    for picture in pictures:
        one, other = (each.names.get(picture.image_id) for each in (by_id, by_file))
        if None not in (one, other) and one != other:
            raise CaptionerError(
                f"{source}: fits the data set by {by_id.way} and by {by_file.way}, with different "
                f"captions: {_described(picture)} has that of {one!r} or of {other!r}; "
                "name each picture by its file name with the ending (caption.py --format jsonl)"
            )


def _failure(tried, names, pictures, source):
    """Why no way fits: what is missing, the ways tried, and what each side looks like."""
    best = max(tried, key=lambda match: len(match.names))
    ways = ", ".join(dict.fromkeys(match.way for match in tried))
    missing = [each for each in pictures if each.image_id not in best.names]
    if best.names:
        return (
            f"{source}: has no caption for {len(missing)} of {len(pictures)} pictures, the first "
            f"{_described(missing[0])}, and {len(names) - len(best.names)} of its {len(names)} "
            f"captions are of other pictures (tried {ways}; {best.way} fits best); check --data "
            "and --split"
        )
    has = f"has a caption of {names[0]!r}" if names else "has no captions"
    return (
        f"{source}: {has}, the data set has {_described(pictures[0])}, and no caption is of a "
        f"picture of the data set by {ways}; check --data and --split"
    )


def _described(picture):
    return f"image id {picture.image_id!r}, file {os.path.basename(picture.path)}"
