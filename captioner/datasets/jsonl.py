"""An object for each picture: JSON Lines, a JSON list, or a JSON object with file names for keys.

Hugging Face's metadata.jsonl, SageMaker's manifests, what caption.py writes as jsonl and json,
BLIP's lists, LLaVA's conversations, Label Studio's tasks.
"""

import json
import re

from captioner.datasets.annotations import (
    CAPTION_FIELDS,
    PICTURE_FIELDS,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
)
from captioner.datasets.json_entries import (
    CONVERSATION,
    captions_in,
    picture_in,
    plain_entry,
    split_in,
)
from captioner.datasets.splits import by_folder
from captioner.errors import CaptionerError
from captioner.finding import is_picture
from captioner.text_files import json_lines, read_json, read_text

ENDINGS = (".jsonl", ".ndjson", ".manifest")
NO_TEXT = "entries without a caption skipped"

_PICTURE_KEY = re.compile(rf'"({"|".join(PICTURE_FIELDS)})"\s*:')
_CAPTION_KEY = re.compile(rf'"({"|".join([*CAPTION_FIELDS, CONVERSATION])})"\s*:')
_FILE_KEY = re.compile(r'\{\s*"([^"]+)"\s*:')


def is_entries(text):
    """Whether a file that begins with this text has an object for each picture."""
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("{") and (found := _FILE_KEY.match(text)) and is_picture(found[1]):
        return True
    is_list = re.match(r"\[\s*\{", text)
    is_lines = text.startswith("{") and _is_object(text.split("\n")[0])
    has_both = _PICTURE_KEY.search(text) and _CAPTION_KEY.search(text)
    return bool((is_list or is_lines) and has_both)


def read(path):
    """Reads `{"file_name": "a.jpg", "text": "a dog"}` and the like, one or more for each picture.

    Args:
        path: str.

    Returns:
        Annotations, with file names for ids.

    Source: https://huggingface.co/docs/datasets/image_dataset, "ImageFolder".
    """
    tally = Tally(path)
    captions, splits = {}, {}
    for place, entry in _entries(path):
        entry = plain_entry(entry)
        texts = captions_in(entry, path, place)
        if texts is None:
            tally.add(NO_TEXT, place)
            continue
        file, split = picture_in(entry, path, place), split_in(entry, path, place)
        first = splits.setdefault(file, split)
        if first != split:
            raise CaptionerError(f"{path}: {place}: {file} is in split {split}, but in {first} too")
        known = captions.setdefault(file, [])
        for text in texts:
            add_caption(known, text, tally, place)
    records = [Record(file, file, texts, splits[file]) for file, texts in captions.items()]
    records, names = by_folder(keep_captioned(records, tally))
    return Annotations(records, names, tally.warnings())


def _entries(path):
    """(place, entry) of each picture or caption."""
    text = read_text(path)
    if text.lstrip()[:1] == "{" and _is_object(text.lstrip().split("\n")[0]):
        yield from json_lines(path, text)
        return
    document = read_json(path)
    if type(document) is dict:
        for name, value in document.items():
            content = value if type(value) is dict else {"captions": value}
            yield f"entry {name!r}"[:80], {**content, "file_name": name}
    elif type(document) is list:
        yield from ((f"entry {number}", each) for number, each in enumerate(document, start=1))
    else:
        raise CaptionerError(f"{path}: expected an object for each picture, one a line or a list")


def _is_object(line):
    """Whether a line is the object of one picture, not the beginning of a longer document."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return type(entry) is dict and any(map(entry.get, PICTURE_FIELDS))
