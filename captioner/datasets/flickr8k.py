"""Flickr8k's and Flickr30k's token files, with lists of the pictures of each split beside them."""

import os
import re

from captioner.datasets.annotations import (
    DUPLICATE,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
    picture_name,
)
from captioner.datasets.splits import canonical
from captioner.errors import CaptionerError
from captioner.text_files import read_text

TOKEN_LINE = re.compile(r"(?P<file>[^\t]+)#(?P<number>\d{1,9})\t(?P<caption>.*)")
# Flickr30k's results.csv; one line of the file as published lacks its second bar.
BAR_LINE = re.compile(r"(?P<file>[^|]+)\|\s*(?P<number>\d{1,9})\s*\|?(?P<caption>.*)")
BAR_HEADER = re.compile(r"image_name\s*\|\s*comment_number\s*\|\s*comment\s*", re.IGNORECASE)

_SPLIT_LIST = re.compile(r"(?:.*[^a-z])?(train|dev|val|test)(?:Images)?\.txt", re.IGNORECASE)


def read(path):
    """Reads `picture.jpg#0<TAB>caption` lines, or `picture.jpg| 0| caption` under a header.

    The splits are those of the lists in the same folder, such as Flickr_8k.trainImages.txt; a
    picture in no list is in no split.

    Args:
        path: str.

    Returns:
        Annotations, with file names for ids.

    Source: Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task" (2013).
    """
    tally = Tally(path)
    captions = _captions(path, tally)
    listed = _listed(path, captions)
    records = [
        Record(file, file, captions.get(file, []), listed.get(file))
        for file in dict.fromkeys([*captions, *listed])
    ]
    splits = list(dict.fromkeys(listed.values()))
    return Annotations(keep_captioned(records, tally), splits, tally.warnings())


def _captions(path, tally):
    """The captions of each file."""
    lines = read_text(path).split("\n")
    has_bars = BAR_HEADER.fullmatch(lines[0].strip()) is not None
    pattern = BAR_LINE if has_bars else TOKEN_LINE
    captions, seen = {}, {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (has_bars and number == 1):
            continue
        place = f"line {number}"
        parts = pattern.fullmatch(line)
        if not parts:
            wanted = "picture.jpg| 0| caption" if has_bars else "picture.jpg#0<TAB>caption"
            raise CaptionerError(f"{path}: {place}: expected {wanted}, got {line[:60]!r}")
        file = picture_name(parts["file"], path, place)
        text = " ".join(parts["caption"].split())
        texts = captions.setdefault(file, [])
        first, first_text = seen.setdefault((file, int(parts["number"])), (number, text))
        if first_text != text:
            raise CaptionerError(
                f"{path}: {place}: {file}#{parts['number']} is on line {first} too, with another "
                "caption"
            )
        if first != number:
            tally.add(DUPLICATE, place)
        else:
            add_caption(texts, text, tally, place)
    return captions


def _listed(path, captions):
    """The split of each file that is in a list beside the captions."""
    folder = os.path.dirname(path)
    listed, homes = {}, {}
    for name in sorted(os.listdir(folder or ".")):
        found = _SPLIT_LIST.fullmatch(name)
        if not found or name == os.path.basename(path):
            continue
        source, split = os.path.join(folder, name), canonical(found[1])
        files = _listed_files(source, captions)
        if captions.keys().isdisjoint(files):
            continue  # a different kind of text
        for file in files:
            if listed.setdefault(file, split) != split:
                raise CaptionerError(f"{source}: {file} is in {homes[file]} too; keep one")
            homes[file] = source
    return listed


def _listed_files(path, captions):
    """The file names of a list; Flickr30k's lists leave `.jpg` out."""
    names = [
        picture_name(line, path, f"line {number}")
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip()
    ]
    return [f"{name}.jpg" if f"{name}.jpg" in captions else name for name in names]
