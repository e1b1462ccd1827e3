"""Text and JSON files: read, or refused in one line that says where and why; replaced whole."""

import codecs
import contextlib
import json
import os

from captioner.errors import CaptionerError, cannot_be, require
from captioner.files import replacing

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how a file in UTF-16 begins
KINDS = {  # of values in a JSON file
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def read_bytes(path, limit=-1):
    """The bytes of a file, or its first `limit`."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise CaptionerError(cannot_be("read", path, error)) from error


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark; lines end in a line feed."""
    data = read_bytes(path)
    try:
        return with_line_feeds(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = len((data[: error.start] + b".").splitlines())
        raise CaptionerError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from error


def with_line_feeds(text):
    """A text whose lines end in a line feed, whatever they ended in."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path):
    """The content of a JSON file."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CaptionerError(
            f"{path}: line {error.lineno}, column {error.colno}: broken JSON ({error.msg})"
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise CaptionerError(f"{path}: broken JSON ({error})") from error


def json_lines(path, text):
    """The values in a text of JSON Lines.

    Args:
        path: str. The file, for messages.
        text: str. Its content; empty lines are passed over.

    Yields:
        (place, value), such as ("line 1", {"image": "a.jpg"}).

    Raises:
        CaptionerError: A line is not JSON.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (RecursionError, ValueError) as error:
                raise CaptionerError(f"{path}: line {number}: broken JSON ({error})") from error


def require_free(path, overwrite=False):
    """Raises CaptionerError if a file that is not empty would be replaced, unless that is wanted.

    Args:
        path: str. The file to write, of --output.
        overwrite: bool. Whether an older file may be replaced. Defaults to `False`.
    """
    is_taken = os.path.exists(path) and os.path.getsize(path) > 0
    require(
        overwrite or not is_taken,
        f"{path}: exists already; --overwrite replaces it, or give another --output",
    )


@contextlib.contextmanager
def replacing_text(path, **settings):
    """A text file to write, which replaces an older one as `files.replacing` does.

    Args:
        path: str.
        **settings: arguments of `open`, such as encoding.

    Yields:
        The file, open for writing.

    Raises:
        CaptionerError: It cannot be written; what had its name before is still there.

    Example:
    >>> with replacing_text("notes.txt", encoding="utf-8") as file:
    ...     length = file.write("two dogs on a beach")
    """
    try:
        with replacing(path) as unfinished, open(unfinished, "w", **settings) as file:
            yield file
    except OSError as error:
        raise CaptionerError(cannot_be("written", path, error)) from error


def replace_text(path, text):
    """Writes a text file as UTF-8, with `replacing_text`."""
    with replacing_text(path, encoding="utf-8", newline="") as file:
        file.write(text)
