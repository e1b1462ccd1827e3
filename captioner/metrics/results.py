"""Files in the COCO results format: [{"image_id": 42, "caption": "a dog on a beach"}, ...]."""

import json

from captioner.errors import CaptionerError
from captioner.text_files import KINDS, read_json, replace_text


def load_results(path):
    """Reads the captions of a COCO results file.

    Args:
        path: str or Path.

    Returns:
        dict from image id (int or str, as in the file) to str, in the file's order.

    Raises:
        CaptionerError: The file cannot be read, is not JSON or not of this shape, or has two
            captions for one image.

    Example:
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "results.json")
    >>> save_results(path, {42: "a dog on a beach"})
    >>> load_results(path)
    {42: 'a dog on a beach'}
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise CaptionerError(
            f'{path}: a list of {{"image_id": ..., "caption": ...}} is expected, '
            f"not {KINDS[type(entries)]}; is this a COCO results file?"
        )
    captions = {}
    for number, entry in enumerate(entries):
        name, caption = _read_entry(path, number, entry)
        if name in captions:
            raise CaptionerError(
                f"{path}: entry {number} is a second caption for image {name!r}; keep one"
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


def _read_entry(path, number, entry):
    where = f"{path}: entry {number}"
    if not isinstance(entry, dict):
        raise CaptionerError(
            f"{where} is {KINDS[type(entry)]}, not an object with image_id and caption"
        )
    missing = [key for key in ("image_id", "caption") if key not in entry]
    if missing:
        raise CaptionerError(
            f"{where} has no {missing[0]!r}; it has {', '.join(entry) or 'nothing'}"
        )
    name, caption = entry["image_id"], entry["caption"]
    if not isinstance(name, int | str) or isinstance(name, bool):
        raise CaptionerError(
            f"{where}: image_id is {KINDS[type(name)]}, not a whole number or a string"
        )
    if not isinstance(caption, str):
        raise CaptionerError(f"{where}: caption is {KINDS[type(caption)]}, not a string")
    return name, caption
