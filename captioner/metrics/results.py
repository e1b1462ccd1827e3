"""Files of captions to be scored: the COCO results format, and what caption.py writes.

The COCO results format is [{"image_id": 42, "caption": "a dog on a beach"}, ...].
"""

import csv
import io
import itertools
import json
import os

from captioner.errors import CaptionerError, require
from captioner.text_files import KINDS, json_lines, read_json, read_text, replace_text

_FIELDS = {"image_id", "caption"}  # of an entry of COCO's
PICTURE_KEYS = ("image_id", "image")  # COCO's name of it, and caption.py's


def load_results(path):
    """Reads a COCO results file, or captions that caption.py has written (json, jsonl, csv, text).

    Args:
        path: str or Path.

    Returns:
        dict from image to caption, a str, in the file's order. The image is an int or a str as in
        the file: an image id, where 1.0 is 1, or a path. Of the n best captions that caption.py
        writes for a picture, the first is taken.

    Raises:
        CaptionerError: The file cannot be read, has none of these formats, or has two captions for
            one image.

    Example:
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "results.json")
    >>> save_results(path, {42: "a dog on a beach"})
    >>> load_results(path)
    {42: 'a dog on a beach'}
    """
    captions = {}
    for where, name, caption in _entries(path):
        if name in captions:
            raise CaptionerError(
                f"{path}: {where} is a second caption for image {name!r}; keep one"
            )
        captions[name] = caption
    return captions


def save_results(path, captions):
    """Writes captions as a COCO results file, one a line.

    Args:
        path: str or Path.
        captions: dict from image id (int or str) to str.

    Raises:
        CaptionerError: The file cannot be written.
    """
    lines = [
        json.dumps({"image_id": name, "caption": caption}, ensure_ascii=False)
        for name, caption in captions.items()
    ]
    replace_text(path, "[\n" + ",\n".join(lines) + "\n]\n")


def require_replaceable_results(path):
    """Raises CaptionerError for a file that `save_results` would replace, and that is no results.

    Args:
        path: str or Path.
    """
    if not os.path.exists(path) or (os.path.isfile(path) and not os.path.getsize(path)):
        return
    try:
        entries = json.loads(read_text(path))
        is_ours = type(entries) is list and all(set(each) == _FIELDS for each in entries)
    except (CaptionerError, ValueError, TypeError, RecursionError):
        is_ours = False
    require(
        is_ours,
        f"{path}: exists already and is not a COCO results file, which this would write; give "
        "another --results",
    )


def _entries(path):
    """(place, image, caption) of each entry, whatever the format is."""
    text = read_text(path)
    first = text.partition("\n")[0]
    columns = [name.strip().lower() for name in first.split(",")]
    if first.startswith("{") and _is_entry(first):
        return _of_objects(path, json_lines(path, text))
    if text.strip()[:1] in ("[", "{", ""):
        return _of_objects(path, _json_list(path))
    if "caption" in columns and not set(columns).isdisjoint(PICTURE_KEYS):
        return _first_of_each(_of_table(path, text, columns))
    if "\t" in first:
        return _first_of_each(_of_text(path, text))
    raise CaptionerError(
        f"{path}: captions in no known format; expected COCO results, or what caption.py writes as "
        "jsonl, json, csv or text"
    )


def _is_entry(line):
    """Whether a line is the JSON object of one picture, not the beginning of a longer one."""
    try:
        return not json.loads(line).keys().isdisjoint(PICTURE_KEYS)
    except (RecursionError, ValueError):
        return False


def _json_list(path):
    entries = read_json(path)
    if not isinstance(entries, list):
        raise CaptionerError(
            f'{path}: a list of {{"image_id": ..., "caption": ...}} is expected, '
            f"not {KINDS[type(entries)]}; is this a COCO results file?"
        )
    return ((f"entry {number}", entry) for number, entry in enumerate(entries))


def _of_objects(path, entries):
    for place, entry in entries:
        where = f"{path}: {place}"
        if not isinstance(entry, dict):
            raise CaptionerError(
                f"{where} is {KINDS[type(entry)]}, not an object with image_id and caption"
            )
        if "error" not in entry:  # caption.py's line of a picture that it could not read
            yield place, *_read_entry(where, entry)


def _read_entry(where, entry):
    key = next((key for key in PICTURE_KEYS if key in entry), PICTURE_KEYS[0])
    missing = [each for each in (key, "caption") if each not in entry]
    if missing:
        raise CaptionerError(
            f"{where} has no {missing[0]!r}; it has {', '.join(entry) or 'nothing'}"
        )
    name, caption = entry[key], entry["caption"]
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if not isinstance(name, int | str) or isinstance(name, bool):
        raise CaptionerError(
            f"{where}: {key} is {KINDS[type(name)]}, not a whole number or a string"
        )
    if not isinstance(caption, str):
        raise CaptionerError(f"{where}: caption is {KINDS[type(caption)]}, not a string")
    return name, caption


def _of_table(path, text, columns):
    """The rows of a CSV file with the header image,caption."""
    picture = next(columns.index(key) for key in PICTURE_KEYS if key in columns)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        next(rows)
        for row in rows:
            place = f"line {rows.line_num}"
            if row and len(row) != len(columns):
                raise CaptionerError(
                    f"{path}: {place}: {len(row)} fields, but the header has {len(columns)}"
                )
            if row:
                yield place, row[picture], row[columns.index("caption")]
    except csv.Error as error:
        raise CaptionerError(f"{path}: line {rows.line_num}: broken CSV ({error})") from error


def _of_text(path, text):
    """Lines of a path, a tab and a caption; scores may follow."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            name, *fields = line.split("\t")
            if not fields:
                raise CaptionerError(
                    f"{path}: line {number}: expected path<TAB>caption, got {line[:60]!r}"
                )
            yield f"line {number}", name, fields[0]


def _first_of_each(entries):
    """Of entries of one picture that follow each other, its n best captions, the first."""
    for _, group in itertools.groupby(entries, key=lambda entry: entry[1]):
        yield next(group)
