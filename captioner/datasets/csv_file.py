"""Tables with a header: columns for the picture, its captions and, if there is one, the split."""

import ast
import csv
import io
import re

from captioner.datasets.annotations import (
    CAPTION_FIELDS,
    PICTURE_FIELDS,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
    picture_name,
)
from captioner.datasets.splits import by_folder, canonical
from captioner.datasets.text_encodings import read_saved_text
from captioner.errors import CaptionerError
from captioner.finding import is_picture

PICTURE_COLUMNS = (*PICTURE_FIELDS, "image_id", "img_id")
SPLIT_COLUMNS = ("split", "subset")
EMPTY_ROW = "empty rows skipped"

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # of Excel
_NUMBERED = re.compile(r"[_ ]?\d+$")
_LIST = re.compile(r"""\s*(\[\s*["'].*\]|\{\s*["']text["'].*\})\s*""", re.DOTALL)
_SCORE = re.compile(r"-?\d+\.\d{4}")  # or a confidence, as caption.py --scores writes them as text


def columns(header):
    """The places of the picture, the captions and the split: int, list of int, int.

    None, or an empty list, is of a column that is missing. Numbered columns, `caption_1` to
    `caption_5`, and several of one name are all read.
    """
    names = [re.sub(r"[ -]", "_", name.strip().lower()) for name in header]
    bases = [_NUMBERED.sub("", name) for name in names]
    picture, split = (
        next((names.index(each) for each in known if each in names), None)
        for known in (PICTURE_COLUMNS, SPLIT_COLUMNS)
    )
    kind = next((each for each in CAPTION_FIELDS if each in bases), None)
    return picture, [n for n, each in enumerate(bases) if each == kind], split


def is_table(text):
    """Whether a file that begins with this text is a table of captions."""
    first = text.lstrip("\ufeff\n").partition("\n")[0]
    if _SEPARATOR_LINE.fullmatch(first):
        return True
    picture, captions, _ = columns(_cells(first, delimiter(first)))
    return (picture is not None and bool(captions)) or _is_row_of_text(first)


def delimiter(header):
    """What separates the columns of a header line: comma, semicolon, tab or bar."""
    return max(",;\t|", key=header.count)


def read(path):
    """Reads one row for each caption, or for each picture with a column for each of its captions.

    The rows of a picture need not follow each other. A column may have a list in its cells.

    Args:
        path: str. A table as spreadsheets save it, or what caption.py writes as text.

    Returns:
        Annotations, with file names for ids.
    """
    tally = Tally(path)
    captions, splits = {}, {}
    for place, name, texts, split in _rows(path, tally):
        file = picture_name(name, path, place)
        first_split, first_place = splits.setdefault(file, (split, place))
        if first_split != split:
            raise CaptionerError(
                f"{path}: {place}: {file} is in split {split}, but in {first_split} on "
                f"{first_place}; all captions of a picture belong to one split"
            )
        known = captions.setdefault(file, [])
        for text in texts:
            add_caption(known, text, tally, place)
    records = [Record(file, file, texts, splits[file][0]) for file, texts in captions.items()]
    records, names = by_folder(keep_captioned(records, tally))
    names = list(dict.fromkeys([*names, *(split for split, _ in splits.values() if split)]))
    return Annotations(records, names, tally.warnings())


def _rows(path, tally):
    """(place, picture, list of captions, split or None) of each row."""
    text = read_saved_text(path, tally)
    table = text.lstrip("\n")
    skipped = len(text) - len(table)  # lines before the table
    first, _, rest = table.partition("\n")
    if _is_row_of_text(first):
        yield from _rows_of_text(path, text)
        return
    separator = delimiter(first)
    if said := _SEPARATOR_LINE.fullmatch(first):
        separator, table, skipped = said[1], rest, skipped + 1
    rows = csv.reader(io.StringIO(table, newline=""), delimiter=separator, strict=True)
    start = 1 + skipped
    try:
        header = next(rows, [])
        picture, captions, split = columns(header)
        if picture is None or not captions:
            raise CaptionerError(f"{path}: line {start}: {_wrong_header(header)}")
        start = rows.line_num + 1 + skipped
        for row in rows:
            place = f"line {start}"
            if any(map(str.strip, row)):
                row = _fitted(row, header, path, place)
                name = canonical(row[split]) if split is not None else None
                yield place, row[picture], _texts(row, captions), name
            elif row:
                tally.add(EMPTY_ROW, place)
            start = rows.line_num + 1 + skipped
    except csv.Error as error:
        raise CaptionerError(f"{path}: line {start}: broken CSV ({error})") from error


def _wrong_header(header):
    got = ",".join(header)
    if any(is_picture(cell.strip()) for cell in header):
        return (
            f"expected the header image,caption, got {got[:80]!r}, which seems to be the first "
            "picture; put the line image,caption before it"
        )
    return f"expected the header image,caption, got {got[:80]!r}"


def _fitted(row, header, path, place):
    """The row with as many cells as the header; spreadsheets add empty ones."""
    if not any(map(str.strip, row[len(header) :])):
        row = row[: len(header)]
    if len(row) != len(header):
        raise CaptionerError(
            f"{path}: {place}: {len(row)} fields, but the header has {len(header)}; "
            "a caption with commas or quotes needs quotes around it"
        )
    return row


def _texts(row, places):
    """The captions of a row; of several columns, those that have one."""
    texts = [text for place in places for text in _listed(row[place])]
    return list(filter(str.strip, texts)) or texts[:1]


def _listed(cell):
    """The captions of a cell, which may have a list as pandas, JSON or Label Studio write it."""
    if not _LIST.fullmatch(cell):
        return [cell]
    try:
        value = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return [cell]
    texts = value.get("text") if isinstance(value, dict) else value
    is_list = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    return texts if is_list else [cell]


def _is_row_of_text(line):
    """Whether a line is `a.jpg<TAB>a dog`, as caption.py writes text."""
    cells = line.split("\t")
    are_scores = all(_SCORE.fullmatch(each.strip()) for each in cells[2:])
    has_caption = 2 <= len(cells) <= 4 and are_scores
    return has_caption and is_picture(cells[0]) and not re.search(r"#\d+$", cells[0])


def _rows_of_text(path, text):
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.split("\t")
        if len(cells) > 1:
            yield f"line {number}", cells[0], cells[1:2], None
        elif line.strip():
            raise CaptionerError(
                f"{path}: line {number}: expected picture.jpg<TAB>caption, got {line[:60]!r}"
            )


def _cells(line, separator):
    return next(csv.reader([line], delimiter=separator), [])
