"""Text and JSON files from outside: read, or refused in one line that says where."""

import json

from captioner.errors import CaptionerError


def read_bytes(path, limit=-1):
    """The bytes of a file, or its first `limit`."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise CaptionerError(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CaptionerError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from error


def read_json(path):
    """What a JSON file holds."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CaptionerError(
            f"{path}: line {error.lineno}, column {error.colno}: broken JSON ({error.msg})"
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise CaptionerError(f"{path}: broken JSON ({error})") from error
