"""Text that people save with their own programs, in whatever encoding these choose."""

import re

from captioner.errors import CaptionerError
from captioner.text_files import UTF16, read_bytes, read_text, with_line_feeds

_UTF8_CHARACTER = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_MOST_ACCENTED = 0.3  # share of the letters in a text of Western Europe that are not ASCII


def read_saved_text(path, tally):
    """The text of a file in UTF-8, UTF-16 with a byte order mark, or Windows-1252.

    Windows-1252, which includes the letters of Latin-1, is assumed where a text is not UTF-8 and
    seems to be of Western Europe; the tally counts that.

    Args:
        path: str.
        tally: Tally.

    Returns:
        str. Lines end in a line feed.

    Raises:
        CaptionerError: The file cannot be read, or is in another encoding.
    """
    data = read_bytes(path)
    try:
        if data.startswith(UTF16):
            return with_line_feeds(data.decode("utf-16"))
        return read_text(path)
    except UnicodeDecodeError as error:
        raise CaptionerError(f"{path}: not UTF-16 as its first bytes say; save it as UTF-8") from (
            error
        )
    except CaptionerError as error:
        text = _western(data)
        if text is None:
            raise
        line = str(error).removeprefix(f"{path}: ").partition(":")[0]
        tally.add("not UTF-8, read as Windows-1252", line)
        return text


def _western(data):
    """The text as Windows-1252, or None where it seems not to be that."""
    if _UTF8_CHARACTER.search(data):
        return None
    try:
        text = with_line_feeds(data.decode("cp1252"))
    except UnicodeDecodeError:
        return None
    letters = [each for each in text if each.isalpha()]
    accented = sum(not each.isascii() for each in letters)
    return text if accented <= _MOST_ACCENTED * len(letters) else None
