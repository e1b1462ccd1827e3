"""Pages of any encoding: read as browsers do, and their bytes come back."""

import pytest

from captioner.errors import CaptionerError
from captioner.output.page_encoding import decode

PAGE = '<p>{}</p><img src="a.jpg">'


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"<p>", "utf-8"),
        (b"\xef\xbb\xbf<p>\xc3\xa9", "utf-8"),
        (b"<meta charset=utf-8><p>\xc3\xa9", "utf-8"),
        (b"<META CHARSET=' Latin1 '><p>\xe9", "cp1252"),
        (b'<meta http-equiv=Content-Type content="text/html; charset=iso-8859-2">\xb1',
        "iso8859-2"),
        (b'<?xml version="1.0" encoding="windows-1251"?><p>\xe9', "cp1251"),
        (b"<!-- <meta charset=utf-8> --><meta charset=koi8-r><p>\xe9", "koi8-r"),
        (b"<script>'<meta charset=koi8-r>'</script><meta charset=big5>", "big5hkscs"),
        (b"<meta charset=shift_jis>" + "猫".encode("cp932"), "cp932"),
        (b"<meta charset=gb2312>" + "猫".encode("gbk"), "gbk"),
        (b"<meta charset=utf-16><p>", "utf-8"),  # it is not, or this could not be read
        (b"<meta charset=rot13><meta charset=nothing><p>", "utf-8"),
        (b"<meta name=charset content=koi8-r>", "utf-8"),
        (PAGE.format("é").encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + PAGE.format("é").encode("utf-16-be"), "utf-16-be"),
        (PAGE.format("é").encode("utf-16-le"), "utf-16-le"),
        (PAGE.format("é").encode("utf-16-be"), "utf-16-be"),
        (PAGE.format("é").encode("utf-32"), "utf-32-le"),
    ],
)  # fmt: skip
def test_encodings(data, codec):
    text, encoding = decode(data)
    assert encoding.codec == codec
    assert encoding.encode(text) == data
    assert not text.startswith("\ufeff")


@pytest.mark.parametrize(
    "head", [b"", b"<meta charset=utf-8>", b"<meta charset=latin1>", b"<meta charset=shift_jis>",
             b"<meta charset=gbk>", b"<meta charset=euc-jp>", b"<meta charset=iso-2022-jp>",
             b"<meta charset=big5>", b"<meta charset=iso-8859-8-i>", b"\xef\xbb\xbf"],
)  # fmt: skip
def test_bytes_that_make_no_sense_survive(head):
    data = (
        head
        + bytes(range(256))
        + b"\x81\xfe\xa1<img src=a.jpg>\x1b$B\xff"
        + bytes(range(255, 0, -1))
    )
    text, encoding = decode(data)
    assert encoding.encode(text) == data
    assert "<img src=a.jpg>" in text


def test_lone_surrogates_survive():
    data = b"\xff\xfe" + "<p>".encode("utf-16-le") + b"\x00\xd8"
    text, encoding = decode(data)
    assert encoding.encode(text) == data


def test_what_a_page_can_hold():
    assert decode("<meta charset=utf-8>é".encode())[1].has("猫")
    assert decode(b"<meta charset=latin1>")[1].has("é")
    assert not decode(b"<meta charset=latin1>")[1].has("猫")
    assert not decode("<p>é".encode())[1].has("é")  # browsers would take it for windows-1252
    assert decode(b"# Title", is_markdown=True)[1].has("é")
    assert not decode(b"caf\xe9", is_markdown=True)[1].has("é")


def test_utf16_that_is_cut_off():
    with pytest.raises(CaptionerError, match="not whole UTF-16"):
        decode(b"\xff\xfe<\0p")
