"""What a request may bring: its settings, and its files within limits."""

import asyncio
import io

import pytest
from fastapi import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from captioner.decoding import SETTINGS
from captioner.errors import CaptionerError
from captioner.web.uploads import content_of, settings_in, uploads_in


def request_of(chunks, headers=(), read=None):
    """A request whose body comes in chunks; `read` collects those that the server takes."""
    waiting = list(chunks)

    async def receive():
        chunk = waiting.pop(0)
        if read is not None:
            read.append(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": "POST", "headers": raw, "query_string": b"seed=1", "app": 0}
    return Request(scope, receive)


async def received(request, most_bytes):
    async with uploads_in(request, most_bytes) as (uploads, settings):
        return [await content_of(each, most_bytes) for each in uploads], settings


def form_of(*parts):
    lines = b""
    for name, content in parts:
        lines += b'--x\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n' % name
        lines += content + b"\r\n"
    return lines + b"--x--\r\n", [("content-type", "Multipart/Form-Data; boundary=x")]


def test_settings():
    assert settings_in({"method": "beam", "beam_size": "5", "length_penalty": "0.7"}) == {
        "method": "beam", "beam_size": 5, "length_penalty": 0.7,
    }  # fmt: skip
    assert settings_in({"no_repeat_word": "true"}) == {"no_repeat_word": True}
    assert settings_in({"no_repeat_word": "0"}) == {"no_repeat_word": False}
    with pytest.raises(CaptionerError, match="no such setting"):
        settings_in({"__class__": "x"})


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_a_parameter(name):
    setting = SETTINGS[name]
    assert settings_in({name: str(setting.default).lower()}) == {name: setting.default}
    if setting.http_most:
        assert settings_in({name: str(setting.http_most)}) == {name: setting.http_most}
        with pytest.raises(CaptionerError, match=f"must be {setting.http_most} or less"):
            settings_in({name: str(setting.http_most + 1)})


def test_a_body():
    contents, settings = asyncio.run(received(request_of([b"ab", b"cd"]), 4))
    assert (contents, settings) == ([b"abcd"], {"seed": "1"})


def test_a_form():
    body, headers = form_of((b"a.jpg", b"ab"), (b"", b"cd"))
    [named, nameless], _ = asyncio.run(received(request_of([body], headers), 4))
    assert (named.name, named.read(), nameless) == ("a.jpg", b"ab", b"cd")


def test_no_more_than_the_limit_is_read():
    read = []
    with pytest.raises(HTTPException) as found:
        asyncio.run(received(request_of([b"abc"] * 9, read=read), 4))
    assert found.value.status_code == 413
    assert len(read) == 2


def test_no_more_than_the_limit_of_a_form_is_read():
    body, headers = form_of((b"a", bytes(2**20)))
    chunks = [body[n : n + 1000] for n in range(0, len(body), 1000)]
    read = []
    with pytest.raises(HTTPException) as found:
        asyncio.run(received(request_of(chunks, headers, read), 4))
    assert found.value.status_code == 413
    assert len(read) < 100


def test_a_length_that_is_too_large_is_refused_unread():
    read = []
    with pytest.raises(HTTPException) as found:
        asyncio.run(received(request_of([b"abcde"], [("content-length", "5")], read), 4))
    assert found.value.status_code == 413
    assert not read


def test_a_file_that_is_too_large_is_refused_unread():
    class Unreadable(io.BytesIO):
        def read(self, *size):
            raise AssertionError

    with pytest.raises(HTTPException):
        asyncio.run(content_of(UploadFile(Unreadable(), size=5), 4))


def test_the_files_of_a_form_are_deleted():
    async def file_of_a_form():
        async with uploads_in(request_of([body], headers), 2**21) as ([upload], _):
            assert upload.file._rolled  # on disk
        return upload.file

    body, headers = form_of((b"a.jpg", bytes(2**20 + 1)))
    assert asyncio.run(file_of_a_form()).closed


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"--x--\r\n", [("content-type", "multipart/form-data; boundary=x")], "has no file"),
        (b"ab", [("content-type", "multipart/form-data; boundary=x")], "multipart"),
        (b"ab", [("content-type", "multipart/form-data")], "boundary"),
        (b"ab", [("content-type", "multipart/mixed")], "has no file"),
    ],
)
def test_what_is_not_a_form_with_a_file(body, headers, message):
    with pytest.raises(HTTPException, match=message) as found:
        asyncio.run(received(request_of([body], headers), 4))
    assert found.value.status_code == 400
