"""What every reader returns, and the checks that readers share."""

import html
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from captioner.errors import CaptionerError
from captioner.finding import is_picture
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
MISSING_VALUE = "captions such as nan or NULL dropped"
NO_LETTER = "captions without a letter"
PICTURE_NAME = "captions that are the name of a picture file"
OWN_NAME = "captions that only repeat the name of their picture"
NO_CAPTION = "pictures without captions dropped"
DUPLICATE = "entries given twice, read once"

# What tools call the fields of a picture's file and of its captions, the likeliest first.
PICTURE_FIELDS = (
    "file_name", "filename", "image", "image_name", "image_path", "image_file", "img", "img_path",
    "filepath", "file_path", "file", "path", "picture", "photo", "source-ref", "image_url", "url",
)  # fmt: skip
CAPTION_FIELDS = (
    "captions", "caption", "text", "texts", "sentences", "sentence", "description", "alt_text",
    "comment", "image_caption", "caption_text", "raw",
)  # fmt: skip

# What pandas, databases and spreadsheets write where there is no value.
_MISSING_VALUES = {"nan", "null", "none", "na", "n/a", "#n/a", "<na>", "nat", "undefined"}
_LETTER = re.compile(r"[^\W\d_]")
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
_ENTITY = re.compile(r"&(#\d{1,7}|#x[0-9a-f]{1,6}|\w{2,31});", re.IGNORECASE)


def clean_caption(text):
    """The caption in one line: every run of white space is one space, HTML entities are decoded."""
    for _ in range(2 if "&" in text else 0):  # web pages may be escaped twice: &amp;#39;
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = " ".join(text.split())
    if not text.isascii():
        # JSON can contain half a character ("\ud83d"), which no file or screen can take.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def add_caption(captions, text, tally, place):
    """Adds a caption, cleaned, to a picture's list; one that says nothing is counted instead.

    Args:
        captions: list of str.
        text: str, as written; or None, where the file has no value.
        tally: Tally.
        place: str. Where the caption is in its file.
    """
    text = clean_caption(text or "")
    if not text:
        tally.add(EMPTY_CAPTION, place)
    elif " " not in text and text.casefold() in _MISSING_VALUES:
        tally.add(MISSING_VALUE, f"{place}, {text!r}")
    else:
        captions.append(text)


def doubtful_captions(records, path):
    """Lines about captions that are perhaps the content of a wrong column.

    Args:
        records: list of Record.
        path: str. The source, for messages.

    Raises:
        CaptionerError: No caption has a word.
    """
    tally, wordless = Tally(path), 0
    for record in records:
        name = record.file.rpartition("/")[2]
        for text in record.captions:
            fault = _fault(text, name)
            if fault:
                wordless += fault != OWN_NAME
                tally.add(fault, f"{text[:40]!r} of {record.file}")
    if wordless == sum(len(record.captions) for record in records):
        raise CaptionerError(f"{'; '.join(tally.warnings())}: is that the column of the captions?")
    return tally.warnings()


def _fault(caption, name):
    if caption == name.rpartition(".")[0]:
        return OWN_NAME
    if not _LETTER.search(caption):
        return NO_LETTER  # numbers, as of boxes or scores
    is_name = caption == name or (" " not in caption and is_picture(caption))
    return PICTURE_NAME if is_name else None


def picture_name(name, path, place):
    """A picture's file name, relative and with forward slashes.

    A name from another machine leads nowhere but below the folder of the pictures: of an absolute
    path, a Windows path, `..` or an address (http, s3, file) only the folders and the file stay.
    """
    given = name
    name = name.strip().replace("\\", "/")
    name = name.partition("/local-files/?d=")[2] or name  # Label Studio's local storage
    if re.match(r"[a-z][a-z0-9+.-]+://", name, re.IGNORECASE):
        name = _path_of_address(name)
    name = re.sub(r"^([/.]*[a-z]:)+(?=/|$)", "", name, flags=re.IGNORECASE)
    file = "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
    if not file or name.endswith("..") or "\0" in file:
        raise CaptionerError(f"{path}: {place}: picture {given!r}: must be the name of a file")
    return file


def _path_of_address(address):
    try:
        return urlsplit(address).path
    except ValueError:  # a host in broken brackets
        return address.partition("://")[2].partition("/")[2]


def plain_id(value):
    """An id as text: 1, 1.0, "1" and "1.0" are the same.

    Example:
    >>> plain_id(7.0), plain_id("7"), plain_id("a.jpg")
    ('7', '7', 'a.jpg')
    """
    text = str(value)
    whole = _WHOLE.fullmatch(text) if type(value) is not int else None
    return whole[1] if whole else text


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
