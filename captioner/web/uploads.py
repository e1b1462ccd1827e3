"""What a request brings: picture files and search settings, within limits."""

import contextlib
import io
import logging

from fastapi import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from captioner.decoding import SETTINGS
from captioner.errors import require

MOST_BYTES = 20 * 2**20  # of a picture file
MOST_FILES = 16  # in one request
MOST_TOTAL = 4  # of the files of one request together, times the largest one allowed
MOST_OVERHEAD = 2**16  # bytes of a form besides its files
SWITCH_VALUES = {"true": True, "1": True, "false": False, "0": False}

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # the answer says what is wrong


@contextlib.asynccontextmanager
async def uploads_in(request, most_bytes=MOST_BYTES):
    """The picture files of a request: its body is one, or a form with several.

    A form's files above one megabyte wait on disk; they are deleted at the end.

    Args:
        request: Request.
        most_bytes: int. Largest picture file accepted. Defaults to 20 MB.

    Yields:
        (list of `UploadFile`, dict of settings: text by name). A form's fields are settings, as
        those of the query are.

    Raises:
        HTTPException: It is too large (status 413), or a form that has no file (400).
    """
    settings = dict(request.query_params)
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        content = await _within(request, most_bytes, most_bytes).body()
        yield [UploadFile(io.BytesIO(content), size=len(content))], settings
        return
    most = MOST_TOTAL * most_bytes + MOST_OVERHEAD
    form = _within(request, most, most_bytes).form(
        max_files=MOST_FILES, max_fields=len(SETTINGS) + 1
    )
    async with form as fields:
        items = fields.multi_items()
        files = [value for _, value in items if not isinstance(value, str)]
        if not files:
            raise HTTPException(400, "the form has no file; send one: curl -F file=@photo.jpg")
        yield files, settings | {name: value for name, value in items if isinstance(value, str)}


async def content_of(upload, most_bytes=MOST_BYTES):
    """One picture file, as `read_image` takes it.

    Args:
        upload: UploadFile.
        most_bytes: int. Largest picture file accepted. Defaults to 20 MB.

    Returns:
        bytes; or an object with `read()` and the file's `name`, where the client gave one.

    Raises:
        HTTPException: It is too large; status 413.
    """
    if upload.size > most_bytes:
        raise too_large(most_bytes)
    content = await upload.read()
    if not upload.filename:
        return content
    named = io.BytesIO(content)
    named.name = upload.filename
    return named


def too_large(most_bytes):
    """The exception for too much data."""
    megabytes = most_bytes // 2**20
    return HTTPException(
        413,
        f"too large: a picture file may have {megabytes} MB at most, and the files of one request "
        f"{MOST_TOTAL * megabytes} MB",
    )


def _within(request, most, most_bytes):
    """The same request, of which no more than `most` bytes can be read."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_large(most_bytes)
    count = 0

    async def receive():
        nonlocal count
        message = await request.receive()
        count += len(message.get("body", b""))
        if count > most:
            raise too_large(most_bytes)
        return message

    return Request(request.scope, receive)


def settings_in(given):
    """The search settings in a query or form, as `generate` takes them.

    Args:
        given: mapping from name to str.

    Raises:
        CaptionerError: A name is unknown, or a value is wrong or too large for a server.

    Example:
    >>> settings_in({"method": "beam", "beam_size": "5"})
    {'method': 'beam', 'beam_size': 5}
    """
    settings = {}
    for name, text in given.items():
        require(name in SETTINGS, f"{name}: no such setting; known: {', '.join(sorted(SETTINGS))}")
        setting = SETTINGS[name]
        settings[name] = _value(text, setting.kind)
        setting.check(settings[name], setting.http_most)
    return settings


def _value(text, kind):
    """What a text in a query means; the text itself, which no check accepts, if that is nothing."""
    try:
        return SWITCH_VALUES[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        return text
