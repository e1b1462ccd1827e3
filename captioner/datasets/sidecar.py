"""A folder with a caption file beside each picture: `photo.txt` beside `photo.jpg`."""

import json
import os
import re
from collections import Counter

from captioner.datasets.annotations import (
    EMPTY_CAPTION,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
)
from captioner.datasets.json_entries import captions_in
from captioner.datasets.pictures import TOLERATED
from captioner.datasets.splits import by_folder
from captioner.datasets.text_encodings import read_saved_text
from captioner.errors import CaptionerError
from captioner.finding import CAPTION_ENDINGS as ENDINGS
from captioner.finding import is_passed_over, is_picture
from captioner.text_files import read_bytes, read_json

DATA_ENDING = ".json"  # of WebDataset and img2dataset: an object with the caption in it
SEVERAL_FILES = "pictures with several caption files, all read"


def is_sidecar(folder):
    """Whether some picture in the folder has its caption file beside it."""
    return bool(_beside_pictures(folder)[1])


def read(folder):
    """Reads a folder and its subfolders; each line of a caption file is one caption.

    Args:
        folder: str. Its caption files have any of `ENDINGS`, also mixed, after the picture's name
            without or with its own ending; or else another ending that caption.py was given.

    Returns:
        Annotations, with file names relative to the folder for ids.
    """
    tally = Tally(folder)
    pictures, beside, alone = _beside_pictures(folder)
    _check_alone(folder, alone, beside, tally)
    records = []
    for picture in pictures:
        files = beside.get(picture, [])
        if len(files) > 1:
            tally.add(SEVERAL_FILES, picture)
        captions = []
        for file in files:
            _add_captions(captions, folder, file, tally)
        records.append(Record(picture, picture, list(dict.fromkeys(captions)), None))
    records, names = by_folder(keep_captioned(records, tally))
    return Annotations(records, names, tally.warnings())


def _beside_pictures(folder):
    """The pictures; the caption files of each that has some; and the caption files of none."""
    pictures, others = _files(folder)
    owners = _owners(pictures)
    found = [(file, *_owner(file, owners)) for file in others]
    ending = _ending_of(folder, found)
    beside, alone = {}, []
    for file, owned, rest in found:
        if not rest.lower().endswith(ending):
            continue
        if len(owned) > 1:
            raise CaptionerError(
                f"{folder}: {file} is beside several pictures ({', '.join(owned)}); keep one"
            )
        if owned:
            beside.setdefault(owned[0], []).append(file)
        else:
            alone.append(file)
    for files in beside.values():
        files.sort(key=lambda file: _rank(file, ending))
    return pictures, beside, alone if ending == ENDINGS else []


def _files(folder):
    """The pictures below a folder and its other files, sorted."""
    pictures, others = [], []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_passed_over(each))
        inside = os.path.relpath(parent, folder).replace(os.sep, "/")
        for name in sorted(each for each in names if not each.startswith(".")):
            file = name if inside == "." else f"{inside}/{name}"
            (pictures if is_picture(name) else others).append(file)
    return pictures, others


def _owners(pictures):
    """The pictures of each name that a caption file may have before its ending."""
    owners = {}
    for picture in pictures:
        owners.setdefault(os.path.splitext(picture)[0], []).append(picture)
        owners.setdefault(picture, []).append(picture)
    return owners


def _owner(file, owners):
    """The pictures that a file is beside, and the rest of its name: of a.en.txt, `.en.txt`."""
    stem, rest = os.path.splitext(file)
    while "." in os.path.basename(stem) and stem not in owners:
        stem, ending = os.path.splitext(stem)
        if not ending:
            break
        rest = ending + rest
    return owners.get(stem, []), rest


def _ending_of(folder, found):
    """The endings of the caption files: the usual ones, or what there is where none has them."""
    beside = [(file, rest) for file, owned, rest in found if owned]
    if any(rest.lower().endswith(ENDINGS) for _, rest in beside):
        return ENDINGS
    counts = Counter(rest.lower() for file, rest in beside if _has_captions(folder, file))
    return (counts.most_common(1)[0][0],) if counts else ENDINGS


def _has_captions(folder, file):
    """Whether a file of an unusual ending seems to have captions in it."""
    data = read_bytes(os.path.join(folder, file), limit=2**16)
    if file.lower().endswith(DATA_ENDING):
        return _data_captions(data) is not None
    is_text = not re.search(rb"[\x00-\x08\x0e-\x1f]", data) and data.strip()[:1] not in b"<{[%#"
    try:
        return is_text and any(map(str.isalpha, data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return False


def _data_captions(data):
    try:
        return captions_in(json.loads(data), "", "")
    except (ValueError, RecursionError, CaptionerError):
        return None


def _rank(file, endings):
    return next((n for n, each in enumerate(endings) if file.lower().endswith(each)), 0), file


def _check_alone(folder, alone, beside, tally):
    for file in alone:
        tally.add("texts without a picture skipped", file)
    count = len(alone) + sum(map(len, beside.values()))
    if len(alone) > max(1, TOLERATED * count):  # one may be a README.txt
        endings = sorted({os.path.splitext(file)[1].lower() for file in alone})
        raise CaptionerError(
            f"{folder}: {len(alone)} of {count} {' and '.join(endings)} files have no picture "
            f"beside them (first: {alone[0]})"
        )


def _add_captions(captions, folder, file, tally):
    path = os.path.join(folder, file)
    if file.lower().endswith(DATA_ENDING):
        lines = captions_in(read_json(path), path, "top level") or []
    else:
        lines = list(filter(str.strip, read_saved_text(path, tally).split("\n")))
    for text in lines:
        add_caption(captions, text, tally, file)
    if not lines:
        tally.add(EMPTY_CAPTION, file)
