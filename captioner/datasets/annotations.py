"""What every reader returns, and the checks that readers share."""

from typing import NamedTuple

from captioner.errors import CaptionerError
from captioner.text_files import KINDS


class Record(NamedTuple):
    """One picture as the annotations describe it."""

    image_id: int | str
    file: str  # relative, with forward slashes
    captions: list
    split: str | None


class Annotations(NamedTuple):
    """What a reader found: `splits` is empty where the source defines none."""

    records: list
    splits: list
    warnings: list


class Tally:
    """Counts the harmless faults of one file by kind, and remembers where each was first met."""

    def __init__(self, path):
        self._path = path
        self._faults = {}

    def add(self, fault, place):
        count, first = self._faults.get(fault, (0, place))
        self._faults[fault] = count + 1, first

    def warnings(self):
        return [
            f"{self._path}: {fault}: {count} (first: {place})"
            for fault, (count, place) in self._faults.items()
        ]


EMPTY_CAPTION = "empty captions dropped"
NO_CAPTION = "pictures without captions dropped"
DUPLICATE = "entries given twice, read once"


def clean_caption(text):
    """The caption in one line: every run of white space is one space."""
    text = " ".join(text.split())
    if not text.isascii():
        # JSON can contain half a character ("\ud83d"), which no file or screen can take.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def picture_name(name, path, place):
    """A picture's file name, relative and with forward slashes; any other name is refused."""
    parts = name.strip().replace("\\", "/").split("/")
    file = "/".join(part for part in parts if part not in ("", "."))
    is_absolute = parts[0] == "" or parts[0][1:2] == ":" or parts[0].endswith(":")
    if not file or is_absolute or ".." in parts or "\0" in file:
        raise CaptionerError(
            f"{path}: {place}: picture {name!r}: must be a file name inside the folder of the "
            "pictures, not empty, not absolute and without '..'"
        )
    return file


def keep_captioned(records, tally):
    """The records that have a caption; the others are counted."""
    kept = []
    for record in records:
        if record.captions:
            kept.append(record)
        else:
            tally.add(NO_CAPTION, record.file)
    return kept


def member(owner, key, kinds, path, place=""):
    """`owner[key]` of a JSON document, or an error that says where it is missing or wrong.

    Args:
        owner: object. It should be a dict.
        key: str.
        kinds: tuple of types.
        path: str. The file.
        place: str. Where `owner` is in it, e.g. `"images[3]"`; empty at the top.
    """
    if type(owner) is not dict:
        raise _wrong_kind(owner, (dict,), path, place or "top level")
    place = f"{place}.{key}" if place else key
    if key not in owner:
        raise CaptionerError(f"{path}: {place}: missing")
    if type(owner[key]) not in kinds:
        raise _wrong_kind(owner[key], kinds, path, place)
    return owner[key]


def _wrong_kind(value, kinds, path, place):
    expected = " or ".join(KINDS[kind] for kind in kinds)
    return CaptionerError(f"{path}: {place}: expected {expected}, got {KINDS[type(value)]}")
