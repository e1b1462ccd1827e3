"""What one JSON object says about a picture: its file, its captions and its split."""

from captioner.datasets.annotations import CAPTION_FIELDS, PICTURE_FIELDS, member, picture_name
from captioner.datasets.splits import canonical
from captioner.errors import CaptionerError
from captioner.text_files import KINDS

CONVERSATION = "conversations"  # of LLaVA: what the model answers first is the caption
_ANSWERS = ("gpt", "assistant", "model")


def plain_entry(entry):
    """An entry as it is; of a task of Label Studio, its data with the texts of its annotations."""
    if type(entry) is not dict or type(entry.get("data")) is not dict:
        return entry
    results = [
        result.get("value")
        for annotation in _dicts(entry.get("annotations"))
        for result in _dicts(annotation.get("result"))
    ]
    texts = [value["text"] for value in _dicts(results) if value.get("text")]
    texts = [text for each in texts for text in (each if type(each) is list else [each])]
    return {**entry["data"], "captions": texts} if texts else entry["data"]


def _dicts(values):
    return [each for each in values if type(each) is dict] if type(values) is list else []


def picture_in(entry, path, place):
    """The file name of an entry's picture, as `annotations.picture_name` gives it."""
    key = next((key for key in PICTURE_FIELDS if type(entry) is dict and entry.get(key)), None)
    if key is None and type(entry) is dict:
        raise CaptionerError(
            f"{path}: {place}: names no picture; expected file_name or image, it has "
            f"{', '.join(map(repr, list(entry)[:5])) or 'nothing'}"
        )
    value = member(entry, key, (str, dict), path, place)
    if type(value) is dict:  # an image column of the library datasets
        value = member(value, "path", (str,), path, f"{place}.{key}")
    return picture_name(value, path, place)


def split_in(entry, path, place):
    """The split of an entry, or None."""
    if entry.get("split") is None:
        return None
    return canonical(member(entry, "split", (str,), path, place))


def captions_in(entry, path, place):
    """The captions of an entry as written, a list of str; None where it has none.

    Args:
        entry: object. It should be a dict, with a text or a list of texts under one of
            `CAPTION_FIELDS`.
        path: str. The file, for messages.
        place: str. Where the entry is in it.
    """
    if type(entry) is not dict:
        raise CaptionerError(f"{path}: {place}: expected an object, got {KINDS[type(entry)]}")
    if CONVERSATION in entry and type(entry[CONVERSATION]) is list:
        return _first_answer(entry[CONVERSATION], path, place)
    for key in CAPTION_FIELDS:
        value = entry.get(key)
        if type(value) is str:
            return [value]
        if value is not None:
            values = value if type(value) is list else [value]
            return [_text(each, path, f"{place}.{key}") for each in values]
    return None


def _text(value, path, place):
    if type(value) is dict:  # Karpathy's sentences, and what VizWiz and others make of them
        value = next((value[key] for key in CAPTION_FIELDS if type(value.get(key)) is str), None)
    if type(value) in (int, float):
        return str(value)
    if type(value) not in (str, type(None)):
        raise CaptionerError(f"{path}: {place}: expected a string, got {KINDS[type(value)]}")
    return value or ""


def _first_answer(turns, path, place):
    for turn in turns:
        if type(turn) is dict and turn.get("from", turn.get("role")) in _ANSWERS:
            value = turn.get("value", turn.get("content"))
            return [_text(value, path, f"{place}.{CONVERSATION}")]
    return None
