"""Text and JSON files: read, or refused in one line that says where; and replaced whole."""

import contextlib
import json
import os
import shutil
import tempfile

from captioner.errors import CaptionerError


def read_bytes(path, limit=-1):
    """The bytes of a file, or its first `limit`."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise CaptionerError(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark; lines end in a line feed."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = len((data[: error.start] + b".").splitlines())
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


@contextlib.contextmanager
def replacing(path, **settings):
    """A new file that takes the place of an older one when it is complete, and else disappears.

    Its name meanwhile is one that no other file has; a link is followed, rights are kept.

    Args:
        path: str.
        **settings: of `open`, such as encoding.

    Yields:
        The file, open for writing.

    Raises:
        CaptionerError: It cannot be written; what had its name before is still there.
    """
    target = os.path.realpath(path)
    unfinished = None
    try:
        descriptor, unfinished = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".writing-")
        with open(descriptor, "w", **settings) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # what takes the older file's place is on disk
        _give_rights(unfinished, target)
        os.replace(unfinished, target)
        unfinished = None
    except OSError as error:
        reason = error.strerror or error
        raise CaptionerError(f"{path}: cannot be written ({reason})") from error
    finally:
        if unfinished:
            os.remove(unfinished)


def replace_text(path, text):
    """Writes a text file as UTF-8, with `replacing`."""
    with replacing(path, encoding="utf-8", newline="") as file:
        file.write(text)


def _give_rights(path, like):
    """The rights of an older file, or those that a new file gets (a temporary one has fewer)."""
    if os.path.exists(like):
        shutil.copymode(like, path)
    else:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(path, 0o666 & ~mask)
