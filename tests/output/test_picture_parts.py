"""Parts of picture files: every one is still there when the metadata were rewritten."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageSequence

from captioner.output.picture_metadata import MetadataError, read_description, write_description
from captioner.output.picture_parts import LostPartError, refitted
from tests.colour_profiles import DISPLAY_P3
from tests.hostile import encoded, photo
from tests.output.photo_files import (
    DESCRIPTION,
    jpeg,
    segment,
    several_pictures,
    with_exif,
    with_iptc,
    with_xmp,
)

TEXT = "two dogs on a beach, and a long sentence more"
PROFILE = segment(0xE2, b"ICC_PROFILE\0\1\1" + DISPLAY_P3)
RATING = with_xmp(attributes='xmp:Rating="3"')
TRAILERS = {
    "none": b"",
    "motion photo": b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 9,
    "samsung": b"MotionPhoto_Data" + bytes(99) + b"SEFH" + bytes(20) + b"SEFT",
    "zero bytes": bytes(5000),
    "another jpeg": encoded(photo((33, 22)), "JPEG"),
}


def written(tmp_path, content, text=TEXT, ending="jpg"):
    """A file's bytes with a description."""
    path = tmp_path / f"p.{ending}"
    path.write_bytes(content)
    write_description(str(path), text)
    assert read_description(str(path)) == text
    return path.read_bytes()


def pictures(content):
    """All pictures in a file, in the order of its own table."""
    return [
        np.asarray(each.copy()) for each in ImageSequence.Iterator(Image.open(io.BytesIO(content)))
    ]


def assert_same_pictures(before, after):
    before, after = pictures(before), pictures(after)
    assert len(before) == len(after)
    for older, newer in zip(before, after, strict=True):
        np.testing.assert_array_equal(newer, older)


@pytest.mark.parametrize("trailer", TRAILERS)
def test_what_is_behind_a_jpeg_stays(tmp_path, trailer):
    content = jpeg(with_exif({DESCRIPTION: b"\0"}), behind=TRAILERS[trailer])
    after = written(tmp_path, content)
    assert after[after.index(b"\xff\xda") :] == content[content.index(b"\xff\xda") :]
    assert after.endswith(b"\xff\xd9" + TRAILERS[trailer])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ([], []),
        ([], [RATING]),
        ([RATING], []),
        ([with_exif({DESCRIPTION: b"\0"})], [RATING]),
        ([], [with_exif({DESCRIPTION: b"\0"}), RATING]),
        ([RATING], [with_iptc((2, 90, b"Rome"))]),
        (
            [],
            [PROFILE, RATING, with_iptc((2, 90, b"Rome"))],
        ),
    ],
)
def test_further_pictures_are_found(tmp_path, before, behind, count, order):
    """Wherever the metadata were: Exiv2 puts them at the front, and the pictures move."""
    content = several_pictures(before, behind, count, order)
    assert len(pictures(content)) == count
    after = written(tmp_path, content)
    assert_same_pictures(content, after)
    [length] = struct.unpack_from(order + "I", after, after.index(b"MPF\0") + 4 + 50 + 4)
    assert after[length - 2 : length] == b"\xff\xd9"  # the first picture's end
    again = written(tmp_path, after)
    assert again == after


def test_an_hdr_photo_of_a_phone(tmp_path):
    """Lengths count from the end of the file, places from the table."""
    gain_map = encoded(photo((80, 60)).convert("L"), "JPEG")
    directory = (
        '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
        'Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li><rdf:li '
        'rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" '
        f'Item:Length="{len(gain_map)}"/></rdf:li></rdf:Seq></Container:Directory>'
    )
    names = (
        'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
        'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
    )
    content = several_pictures([with_xmp(directory, names)], [], 2, further=[gain_map])
    after = written(tmp_path, content)
    assert after.endswith(gain_map)
    assert b'Item:Semantic="GainMap"' in after
    assert f'Item:Length="{len(gain_map)}"'.encode() in after
    assert_same_pictures(content, after)


def test_other_segments_stay(tmp_path):
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", 4, 0)
    kept = [
        segment(0xE1, extended + b"<x/>"),
        PROFILE,
        segment(0xE2, b"FPXR\0" + bytes(9)),
        segment(0xEB, b"JP" + bytes(30)),
        segment(0xEE, b"Adobe\0" + bytes(6)),
        segment(0xE4, b"SAMSUNG"),
        segment(0xFE, b"*\0"),
    ]
    note = 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="' + "A" * 32 + '"'
    after = written(tmp_path, jpeg(with_xmp(attributes=note), *kept))
    assert all(each in after for each in kept)
    assert b"HasExtendedXMP" in after


def test_a_colour_profile_of_several_segments_stays(tmp_path):
    large = struct.pack(">I", 150_000) + DISPLAY_P3[4:].ljust(149_996, b"x")
    after = written(tmp_path, encoded(photo(), "JPEG", icc_profile=large))
    assert Image.open(io.BytesIO(after)).info["icc_profile"] == large


@pytest.mark.parametrize("number", [0x03ED, 0x07D0, 0x0BB7])
def test_photoshops_blocks_stay(tmp_path, number):
    block = b"8BIM" + struct.pack(">HBBI", number, 0, 0, 5) + b"abcde\0"
    content = jpeg(segment(0xED, b"Photoshop 3.0\0" + block + with_iptc((2, 90, b"Rome"))[18:]))
    after = written(tmp_path, content)
    assert block in after
    assert b"Rome" in after


PAGES = [photo((60 + n, 40)) for n in range(6)]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_pages_of_a_tiff_stay_or_it_is_refused(tmp_path, count, compression):
    """Exiv2 keeps four pages at most."""
    settings = {"compression": compression} if compression else {}
    content = encoded(PAGES[0], "TIFF", save_all=True, append_images=PAGES[1:count], **settings)
    path = tmp_path / "p.tif"
    path.write_bytes(content)
    if count <= 3:
        write_description(str(path), TEXT)
        assert_same_pictures(content, path.read_bytes())
    else:
        with pytest.raises(MetadataError, match="a page would be lost"):
            write_description(str(path), TEXT)
        assert path.read_bytes() == content


def test_chunks_of_a_png_stay(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "of people")
    info.add_text("parameters", "steps: 20", zip=True)
    info.add_itxt("Title", "été")
    info.add(b"prVt", b"private")
    moving = {"save_all": True, "append_images": [photo().rotate(180)]}
    content = encoded(photo(), "PNG", pnginfo=info, dpi=(72, 72), **moving) + b"behind the end"
    after = written(tmp_path, content, ending="png")
    assert after.endswith(b"IEND\xaeB`\x82behind the end")
    assert b"prVt" in after
    texts = [Image.open(io.BytesIO(each)).text for each in (content, after)]
    assert texts[0].items() <= texts[1].items()
    assert_same_pictures(content, after)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("count", [1, 2])
def test_webp(tmp_path, mode, count):
    image = photo().convert(mode)
    moving = {"save_all": True, "append_images": [image.rotate(180)] * (count - 1)}
    content = encoded(image, "WEBP", icc_profile=DISPLAY_P3, **moving)
    assert_same_pictures(content, written(tmp_path, content, ending="webp"))


def test_jpeg2000_without_its_transparency_is_refused(tmp_path):
    """Exiv2 leaves out the box that says so."""
    assert written(tmp_path, encoded(photo(), "JPEG2000"), ending="jp2")
    with pytest.raises(MetadataError, match="would be lost"):
        written(tmp_path, encoded(photo().convert("RGBA"), "JPEG2000"), ending="jp2")


BEFORE = jpeg(segment(0xE4, b"abc"), segment(0xFE, b"comment"), behind=b"video")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (BEFORE, BEFORE[:-5], "behind the header"),
        (BEFORE, BEFORE.replace(b"abc", b"abd"), "the header"),
        (BEFORE, BEFORE.replace(b"comment", b"somment"), "a comment"),
        (BEFORE, BEFORE[:30], "damaged"),
        (b"GIF89a", b"GIF89a", "only JPEG"),
        (encoded(photo(), "PNG"), encoded(photo().rotate(180), "PNG"), "a part"),
        (encoded(photo(), "WEBP"), encoded(photo().rotate(180), "WEBP"), "a part"),
        (encoded(photo(), "TIFF"), encoded(photo().rotate(180), "TIFF"), "a page"),
        (encoded(photo(), "PNG"), encoded(photo(), "PNG")[:-12], "damaged"),
        (encoded(photo(), "PNG"), BEFORE, "only JPEG"),
    ],
)
def test_what_is_lost_is_noticed(before, after, message):
    with pytest.raises(LostPartError, match=message):
        refitted(before, after)
    assert refitted(BEFORE, BEFORE) == BEFORE
