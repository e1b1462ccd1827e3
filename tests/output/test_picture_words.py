"""Words of people in picture files: found in every field, and told from a camera's own."""

import pyexiv2
import pytest

from captioner.output.picture_words import is_words, words_in
from tests.hostile import encoded, photo
from tests.output.photo_files import (
    COMMENT,
    DESCRIPTION,
    KEYWORDS,
    MAKE,
    MODEL,
    SUBJECT,
    TITLE,
    XP_COMMENT,
    dc,
    jpeg,
    segment,
    with_exif,
    with_iptc,
    with_xmp,
)

TEXT = "Grand-mère au lac, 1974"
JAPANESE = "湖の祖母"


def words(content):
    with pyexiv2.ImageData(content) as image:
        return list(words_in(image).values())


def utf16(text, order="<"):
    return (text + "\0").encode({"<": "utf-16-le", ">": "utf-16-be"}[order])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (DESCRIPTION, TEXT.encode() + b"\0"),
        (DESCRIPTION, TEXT.encode("latin-1") + b"\0"),
        (DESCRIPTION, TEXT.encode() + bytes(40)),
        (DESCRIPTION, b"  " + TEXT.encode() + b"   \0"),
        (TITLE, utf16(TEXT)),
        (XP_COMMENT, utf16(TEXT)),
        (SUBJECT, utf16(TEXT)),
        (COMMENT, b"ASCII\0\0\0" + TEXT.encode()),
        (COMMENT, b"ASCII\0\0\0" + TEXT.encode("latin-1") + bytes(20)),
        (COMMENT, b"UNICODE\0" + TEXT.encode("utf-16-le")),
        (COMMENT, b"UNICODE\0" + TEXT.encode("utf-16-be")),
        (COMMENT, b"UNICODE\0" + ("\ufeff" + TEXT).encode("utf-16-le")),
        (COMMENT, bytes(8) + TEXT.encode()),
    ],
)
def test_fields_of_exif(tag, value, order):
    assert words(jpeg(with_exif({tag: value}, order))) == [TEXT]


@pytest.mark.parametrize("encoding", ["iso2022_jp", "euc_jp", "shift_jis"])
def test_comments_in_japanese(encoding):
    [found] = words(jpeg(with_exif({COMMENT: b"JIS\0\0\0\0\0" + JAPANESE.encode(encoding)})))
    assert found == JAPANESE or encoding == "shift_jis"  # which the field does not allow
    assert words(jpeg(with_exif({COMMENT: b"UNICODE\0" + JAPANESE.encode("utf-16-le")})))


def test_a_comment_as_pillow_writes_it():
    """As numbers, not as text: Pillow knows no type for the field."""
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[COMMENT] = b"ASCII\0\0\0" + TEXT.encode()
    assert words(encoded(photo(), "JPEG", exif=exif)) == [TEXT]
    exif.get_ifd(0x8769)[COMMENT] = b"UNICODE\0" + TEXT.encode("utf-16-le")
    assert words(encoded(photo(), "JPEG", exif=exif)) == [TEXT]


@pytest.mark.parametrize(
    "content",
    [
        jpeg(segment(0xFE, TEXT.encode())),
        jpeg(segment(0xFE, TEXT.encode("latin-1") + b"\0")),
        jpeg(with_iptc((2, 120, TEXT.encode("latin-1")))),
        jpeg(with_iptc((2, 120, TEXT.encode()))),
        jpeg(with_iptc((1, 90, b"\x1b%G"), (2, 120, TEXT.encode()))),
        jpeg(with_iptc((2, 105, TEXT.encode()))),
        jpeg(with_iptc((2, 5, TEXT.encode()))),
        jpeg(with_xmp(dc("description", TEXT))),
        jpeg(with_xmp(dc("description", TEXT, "fr-FR"))),
        jpeg(with_xmp(dc("title", TEXT))),
        encoded(photo(), "PNG", exif=with_exif({DESCRIPTION: TEXT.encode() + b"\0"})[4:]),
        encoded(photo(), "WEBP", exif=with_exif({TITLE: utf16(TEXT)})[4:]),
        encoded(photo(), "TIFF", tiffinfo={DESCRIPTION: TEXT.encode()}),
    ],
)
def test_other_fields_and_files(content):
    assert words(content) == [TEXT]


def test_the_text_of_a_png():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Description", "by people")
    assert words(encoded(photo(), "PNG", pnginfo=info)) == ["by people"]


def test_all_at_once_in_the_order_in_which_they_are_shown():
    content = jpeg(
        segment(0xFE, b"fifth word"),
        with_exif({DESCRIPTION: b"third word\0", XP_COMMENT: utf16("fourth word")}),
        with_iptc((2, 120, b"second word")),
        with_xmp(dc("description", "first word")),
    )
    order = ["first word", "second word", "third word", "fourth word", "fifth word"]
    assert words(content) == order


OF_CAMERAS = """OLYMPUS DIGITAL CAMERA         |SONY DSC|DCIM|DCIM\\100GOPRO\\GOPR0001.JPG|SAMSUNG
KONICA MINOLTA DIGITAL CAMERA|MINOLTA DIGITAL CAMERA|KODAK Digital Still Camera|Exif_JPEG_PICTURE
CASIO COMPUTER CO.,LTD.|<Digimax i5, Samsung #1>|Digital StillCamera|My beautiful picture|default
DCIM\\100MEDIA\\DJI_0042.JPG|cof|oznorCO|rhdr|Screenshot|IMG_2041.JPG|DSC01234|PXL_20240101_1
Created with GIMP|File written by Adobe Photoshop\xa8 5.2|LEAD Technologies Inc. V1.01|untitled
CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90|Lavc58.134.100|Processed with VSCO|...
Optimized by JPEGmini 3.9.20.0L Internal 0x720dce91|Adobe Photoshop CS6 (Windows)|2024:01:01 12:00
Intel(R) JPEG Library, version 1,5,4,0|ACD Systems Digital Imaging|{"sceneType":1}|[]|0|---|12 34
Processed with Snapseed.|Handmade Software, Inc. Image Alchemy v1.9|Resized on https://ezgif.com
oppo_32|filter: 0; filterMask: 0; module: photo; hw-remosaic: false; touch: (-1.0, -1.0);
\x01\x80ab\x02\x11cd|{"mirror":false,"sensor_type":"rear"}"""


@pytest.mark.parametrize("text", OF_CAMERAS.replace("\n", "|").split("|"))
def test_what_cameras_and_programs_fill_in(text):
    assert not is_words(text)
    content = text.encode("latin-1")
    assert words(jpeg(with_exif({DESCRIPTION: content + b"\0", TITLE: utf16(text)}))) == []
    assert words(jpeg(segment(0xFE, content), with_iptc((2, 120, content)))) == []


def test_the_name_of_the_camera_itself():
    fields = {MAKE: b"Zorki\0", MODEL: b"Zorki 4K\0", DESCRIPTION: b"ZORKI 4k\0"}
    assert words(jpeg(with_exif(fields))) == []
    assert words(jpeg(with_exif(fields | {DESCRIPTION: b"a Zorki on a table\0"})))


@pytest.mark.parametrize(
    "text",
    ["Anna", "猫", "Ω", "our Sony camera", "IMG: the lake", "Photo by Anna", "Made by grandmother",
     "scanned from album 3", "Photoshop class of 2012", "two Canon cameras on a table",
     "taken on Instagram day with Anna", "{not data}", "Mount Olympus at dawn", "Nikon & Anna",
     "first line\nsecond line", "left: Anna; right: Paul"],
)  # fmt: skip
def test_what_people_write(text):
    assert is_words(text)


@pytest.mark.parametrize("content", [b"", b"\0", bytes(64), b" " * 64, b"\n\r\t ", b" \0 \0"])
def test_what_is_blank(content):
    in_utf16 = content.decode().encode("utf-16-le")
    fields = {DESCRIPTION: content or b"\0", TITLE: in_utf16 or b"\0\0"}
    comments = [name + content for name in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8))]
    for comment in (*comments, b"UNICODE\0" + in_utf16):
        assert words(jpeg(with_exif(fields | {COMMENT: comment}))) == []
    assert words(jpeg(with_iptc((2, 120, content)), with_xmp(dc("description", "  ")))) == []


def test_keywords_are_no_description():
    fields = {KEYWORDS: utf16("lake;grandmother")}
    assert words(jpeg(with_exif(fields), with_iptc((2, 25, b"lake")))) == []
