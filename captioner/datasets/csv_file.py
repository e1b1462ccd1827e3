"""CSV with a header: columns for the picture, the caption and, if there is one, the split."""

import csv
import io

from captioner.datasets.annotations import (
    EMPTY_CAPTION,
    Annotations,
    Record,
    Tally,
    clean_caption,
    keep_captioned,
    picture_name,
)
from captioner.datasets.splits import canonical
from captioner.errors import CaptionerError
from captioner.text_files import read_text

PICTURE_COLUMNS = ("image", "file_name", "filename", "path", "image_name")
CAPTION_COLUMNS = ("caption", "text", "comment")
SPLIT_COLUMNS = ("split",)


def columns(header):
    """The places of the picture, the caption and the split: ints, None for one that is missing."""
    names = [name.strip().lower() for name in header]
    wanted = (PICTURE_COLUMNS, CAPTION_COLUMNS, SPLIT_COLUMNS)
    return [next((names.index(each) for each in known if each in names), None) for known in wanted]


def delimiter(header):
    """What separates the columns of a header line: comma, semicolon or tab."""
    return max(",;\t", key=header.count)


def read(path):
    """Reads one caption a row; the rows of a picture need not follow each other.

    Args:
        path: str.

    Returns:
        Annotations, with file names for ids.
    """
    tally = Tally(path)
    captions, splits = {}, {}
    for place, name, text, split in _rows(path):
        file = picture_name(name, path, place)
        first_split, first_place = splits.setdefault(file, (split, place))
        if first_split != split:
            raise CaptionerError(
                f"{path}: {place}: {file} is in split {split}, but in {first_split} on "
                f"{first_place}; all captions of a picture belong to one split"
            )
        texts = captions.setdefault(file, [])
        text = clean_caption(text)
        if text:
            texts.append(text)
        else:
            tally.add(EMPTY_CAPTION, place)
    records = [Record(file, file, texts, splits[file][0]) for file, texts in captions.items()]
    names = list(dict.fromkeys(split for split, _ in splits.values() if split))
    return Annotations(keep_captioned(records, tally), names, tally.warnings())


def _rows(path):
    """(place, picture, caption, split or None) of each row."""
    text = read_text(path)
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter(text.partition("\n")[0]), strict=True
    )
    start = 1
    try:
        header = next(rows, [])
        picture, caption, split = columns(header)
        if picture is None or caption is None:
            raise CaptionerError(
                f"{path}: line 1: expected the header image,caption, got {','.join(header)!r}"
            )
        start = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                raise CaptionerError(
                    f"{path}: line {start}: {len(row)} fields, but the header has {len(header)}; "
                    "a caption with commas or quotes needs quotes around it"
                )
            if row:
                name = canonical(row[split]) if split is not None else None
                yield f"line {start}", row[picture], row[caption], name
            start = rows.line_num + 1
    except csv.Error as error:
        raise CaptionerError(f"{path}: line {start}: broken CSV ({error})") from error
