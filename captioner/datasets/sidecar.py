"""A folder with one .txt beside each picture: `photo.txt` beside `photo.jpg`."""

import os

from captioner.datasets.annotations import (
    EMPTY_CAPTION,
    Annotations,
    Record,
    Tally,
    clean_caption,
    keep_captioned,
)
from captioner.datasets.pictures import TOLERATED
from captioner.errors import CaptionerError
from captioner.finding import is_passed_over, is_picture
from captioner.text_files import read_text


def is_sidecar(folder):
    """Whether some picture in the folder has its .txt beside it."""
    pictures, texts = _files(folder)
    return not pictures.keys().isdisjoint(texts)


def read(folder):
    """Reads a folder and its subfolders; each line of a .txt is one caption.

    Args:
        folder: str.

    Returns:
        Annotations, with file names relative to the folder for ids.
    """
    tally = Tally(folder)
    pictures, texts = _files(folder)
    _check_pairs(folder, pictures, texts, tally)
    records = []
    for stem, [picture, *_] in pictures.items():
        captions = _captions(folder, texts[stem][0], tally) if stem in texts else []
        records.append(Record(picture, picture, captions, None))
    return Annotations(keep_captioned(records, tally), [], tally.warnings())


def _files(folder):
    """The pictures and the texts, each as lists by the name without its ending."""
    pictures, texts = {}, {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_passed_over(each))
        inside = os.path.relpath(parent, folder).replace(os.sep, "/")
        for name in sorted(each for each in names if not each.startswith(".")):
            file = name if inside == "." else f"{inside}/{name}"
            stem, ending = os.path.splitext(file)
            if is_picture(name):
                pictures.setdefault(stem, []).append(file)
            elif ending.lower() == ".txt":
                texts.setdefault(stem, []).append(file)
    return pictures, texts


def _check_pairs(folder, pictures, texts, tally):
    for stem, [text, *_] in texts.items():
        beside = pictures.get(stem, [])
        if not beside:
            tally.add("texts without a picture skipped", text)
        elif len(beside) > 1:
            raise CaptionerError(
                f"{folder}: {text} is beside several pictures ({', '.join(beside)}); keep one"
            )
    alone = [text for stem, [text, *_] in texts.items() if stem not in pictures]
    if len(alone) > max(1, TOLERATED * len(texts)):  # one may be a README.txt
        raise CaptionerError(
            f"{folder}: {len(alone)} of {len(texts)} .txt files have no picture beside them "
            f"(first: {alone[0]})"
        )


def _captions(folder, text, tally):
    lines = read_text(os.path.join(folder, text)).split("\n")
    captions = [caption for caption in map(clean_caption, lines) if caption]
    if not captions:
        tally.add(EMPTY_CAPTION, text)
    return captions
