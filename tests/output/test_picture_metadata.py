"""Captions in picture files: found again, and no pixel, time or older description touched."""

import os
import shutil
import sys

import numpy as np
import pyexiv2
import pytest
from PIL import Image

from captioner.cli import main
from captioner.output.picture_metadata import MetadataError, read_description, write_description
from tests.hostile import encoded, mutated_bytes, photo
from tests.output.photo_files import (
    COMMENT,
    DESCRIPTION,
    MAKE,
    TITLE,
    comment,
    dc,
    jpeg,
    several_pictures,
    with_exif,
    with_iptc,
    with_xmp,
)

TEXT = "zwei Hunde – 两只狗"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "jp2"])
def test_a_description_comes_back_and_pixels_stay(tmp_path, ending):
    path = str(tmp_path / f"p.{ending}")
    photo().save(path)
    before = np.asarray(Image.open(path))
    os.utime(path, (1e9, 1e9))
    assert read_description(path) is None
    write_description(path, TEXT)
    assert read_description(path) == TEXT
    np.testing.assert_array_equal(np.asarray(Image.open(path)), before)
    assert os.stat(path).st_mtime == 1e9
    assert os.listdir(tmp_path) == [f"p.{ending}"]


def test_the_compressed_pixels_of_a_jpeg_are_the_same_bytes(tmp_path):
    path = tmp_path / "p.jpg"
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    photo().save(path, exif=exif)
    before = path.read_bytes()
    write_description(str(path), TEXT)
    after = path.read_bytes()
    assert after[after.index(b"\xff\xda") :] == before[before.index(b"\xff\xda") :]
    assert Image.open(path).getexif()[0x010F] == "a camera"


def test_other_programs_find_it(tmp_path):
    path = tmp_path / "p.jpg"
    photo().save(path)
    write_description(str(path), TEXT)
    content = path.read_bytes()
    assert b"dc:description" in content
    assert f">{TEXT}<".encode() in content
    assert b"\x1c\x02\x78" in content  # IPTC's caption
    assert b"\x1c\x01\x5a\x00\x03\x1b%G" in content  # in UTF-8


def test_an_older_description_stays(tmp_path):
    path = str(tmp_path / "p.jpg")
    photo().save(path)
    write_description(path, "by hand")
    with pytest.raises(MetadataError, match="has a description already"):
        write_description(path, "by machine")
    assert read_description(path) == "by hand"
    write_description(path, "by machine", overwrite=True)
    assert read_description(path) == "by machine"


def test_files_that_take_none(tmp_path):
    gif, text, name = tmp_path / "p.gif", tmp_path / "t.jpg", os.fsdecode(b"\xff.jpg")
    photo().save(gif)
    text.write_text("no picture")
    for path in (gif, text):
        before = path.read_bytes()
        with pytest.raises(MetadataError, match="takes no description"):
            write_description(str(path), TEXT)
        assert path.read_bytes() == before
    with pytest.raises(MetadataError, match="No such file"):
        write_description(str(tmp_path / "gone.jpg"), TEXT)
    photo().save(tmp_path / "p.jpg")
    shutil.move(tmp_path / "p.jpg", tmp_path / name)
    write_description(str(tmp_path / name), TEXT)
    assert read_description(str(tmp_path / name)) == TEXT


def test_the_command(tiny_captioner, tmp_path, photos, capsys):
    tiny_captioner.save(tmp_path / "m.keras")
    photo().save(photos / "d.gif")
    command = ["caption", str(photos), "--model", str(tmp_path / "m.keras"), "--write-metadata"]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "d.gif: takes no description" in printed.err
    captions = dict(line.split("\t") for line in printed.out.splitlines())
    assert len(captions) == 4  # what cannot hold its caption still has one
    del captions[str(photos / "d.gif")]
    assert {path: read_description(path) or "" for path in captions} == captions
    os.remove(photos / "d.gif")
    assert main([*command, "--overwrite"]) == 0


def test_without_the_package_it_says_what_to_install(monkeypatch, photos, capsys):
    monkeypatch.setitem(sys.modules, "pyexiv2", None)
    assert main(["caption", str(photos), "--write-metadata"]) == 2
    assert "pip install '.[metadata]'" in capsys.readouterr().err


def test_what_people_wrote_in_other_ways_stays(tmp_path):
    path = str(tmp_path / "p.jpg")
    photo().save(path)
    with pyexiv2.Image(path) as image:
        image.modify_xmp({"Xmp.dc.description": {'lang="de-DE"': "zwei Hunde"}})
    with pytest.raises(MetadataError, match="has a description already"):
        write_description(path, "two dogs")
    write_description(path, "two dogs", overwrite=True)
    with pyexiv2.Image(path) as image:
        assert image.read_xmp()["Xmp.dc.description"]['lang="de-DE"'] == "zwei Hunde"


PEOPLE = "Grandmother at the lake"


@pytest.mark.parametrize(
    "segment",
    [
        with_exif({DESCRIPTION: PEOPLE.encode() + b"\0"}),
        with_exif({COMMENT: b"ASCII\0\0\0" + PEOPLE.encode()}),
        with_exif({TITLE: (PEOPLE + "\0").encode("utf-16-le")}),
        with_iptc((2, 120, PEOPLE.encode())),
        with_xmp(dc("title", PEOPLE)),
        comment(PEOPLE.encode()),
    ],
)
def test_words_of_people_are_kept(tmp_path, segment):
    path = tmp_path / "p.jpg"
    path.write_bytes(jpeg(segment))
    before = path.read_bytes()
    with pytest.raises(MetadataError, match=f"has a description already .'{PEOPLE}'.; --overwrite"):
        write_description(str(path), TEXT)
    assert path.read_bytes() == before
    write_description(str(path), TEXT, overwrite=True)
    assert read_description(str(path)) == TEXT


def test_overwriting_replaces_every_description_and_nothing_else(tmp_path):
    path = tmp_path / "p.jpg"
    camera = {DESCRIPTION: b"old\0", MAKE: b"Maker\0", COMMENT: bytes(8) + b"a comment"}
    rome = (2, 90, b"Rome")
    older = with_xmp(dc("description", "old") + dc("title", "a title"), 'xmp:Rating="3"')
    path.write_bytes(jpeg(with_exif(camera), with_iptc((2, 120, b"old"), rome), older))
    write_description(str(path), TEXT, overwrite=True)
    with pyexiv2.ImageData(path.read_bytes()) as image:
        exif, iptc, xmp = image.read_exif(), image.read_iptc(), image.read_xmp()
    assert exif["Exif.Image.ImageDescription"] == TEXT
    assert iptc["Iptc.Application2.Caption"] == TEXT
    assert xmp["Xmp.dc.description"] == {'lang="x-default"': TEXT}
    assert exif["Exif.Image.Make"] == "Maker"
    assert exif["Exif.Photo.UserComment"] == "a comment"
    assert iptc["Iptc.Application2.City"] == "Rome"
    assert xmp["Xmp.dc.title"] == {'lang="x-default"': "a title"}
    assert xmp["Xmp.xmp.Rating"] == "3"
    before = path.read_bytes()
    write_description(str(path), TEXT, overwrite=True)
    assert path.read_bytes() == before


def test_a_cameras_own_text_is_no_description(tmp_path):
    path = tmp_path / "p.jpg"
    own = b"OLYMPUS DIGITAL CAMERA         \0"
    path.write_bytes(jpeg(with_exif({DESCRIPTION: own}), with_xmp(dc("description", "SONY DSC"))))
    assert read_description(str(path)) is None
    write_description(str(path), TEXT)
    assert read_description(str(path)) == TEXT
    assert own in path.read_bytes()  # EXIF stays as it is


@pytest.mark.parametrize(
    ("city", "text", "written"),
    [
        ("Zürich".encode("latin-1"), "a dog", b"a dog"),
        ("Zürich".encode("latin-1"), "été", "été".encode("latin-1")),
        ("Zürich".encode("latin-1"), TEXT, None),  # Chinese is not in Latin-1
        ("Zürich".encode(), TEXT, TEXT.encode()),  # UTF-8 without a mark
        ("Übersee".encode(), TEXT, TEXT.encode()),
        ("Cœur".encode("cp1252"), "a dog", b"a dog"),
        (b"Rome", TEXT, TEXT.encode()),
    ],
)
def test_other_texts_of_iptc_keep_their_encoding(tmp_path, city, text, written):
    path = tmp_path / "p.jpg"
    path.write_bytes(jpeg(with_iptc((2, 25, b"a keyword"), (2, 90, city))))
    write_description(str(path), text)
    after = path.read_bytes()
    assert b"\x1c\x02\x5a" + len(city).to_bytes(2, "big") + city in after
    assert (b"\x1c\x02\x78" in after) == (written is not None)
    if written:
        assert b"\x1c\x02\x78" + len(written).to_bytes(2, "big") + written in after
    assert (b"\x1b%G" in after) == (city == b"Rome")
    assert read_description(str(path)) == text


def test_an_old_caption_in_latin1_is_read_and_kept(tmp_path):
    path = tmp_path / "p.jpg"
    path.write_bytes(jpeg(with_iptc((2, 120, "Fête à Zürich".encode("latin-1")))))
    assert read_description(str(path)) == "Fête à Zürich"
    with pytest.raises(MetadataError, match="Fête à Zürich"):
        write_description(str(path), TEXT)
    write_description(str(path), TEXT, overwrite=True)
    assert read_description(str(path)) == TEXT


@pytest.mark.parametrize(
    "segment",
    [
        with_xmp("<broken"),
        with_exif({DESCRIPTION: b"\0"})[:16] + b"\xff\xff" + bytes(50),
        with_exif({COMMENT: b"UNICODE\0odd"}),
        with_exif({TITLE: b"no UTF-16"}).replace(b"\x9b\x9c\1\0", b"\x9b\x9c\2\0"),
    ],
)
def test_metadata_that_cannot_be_read_stay(tmp_path, segment, capfd):
    path = tmp_path / "p.jpg"
    segment = segment[:2] + (len(segment) - 2).to_bytes(2, "big") + segment[4:]
    path.write_bytes(jpeg(segment))
    before = path.read_bytes()
    with pytest.raises(MetadataError, match="takes no description"):
        write_description(str(path), TEXT)
    assert path.read_bytes() == before
    assert capfd.readouterr().err == ""


def test_raw_files_are_not_written(tmp_path):
    path = tmp_path / "p.DNG"
    photo().save(path, "TIFF")
    before = path.read_bytes()
    with pytest.raises(MetadataError, match="raw files are not written"):
        write_description(str(path), TEXT)
    assert path.read_bytes() == before


def test_files_marked_as_read_only_stay(tmp_path):
    path = tmp_path / "p.jpg"
    photo().save(path)
    path.chmod(0o444)
    before = path.read_bytes()
    with pytest.raises(MetadataError, match="it is read-only"):
        write_description(str(path), TEXT)
    assert path.read_bytes() == before


def test_a_link_is_followed_and_the_same_text_is_no_conflict(tmp_path):
    photo().save(tmp_path / "p.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to("p.jpg")
    write_description(str(link), TEXT)
    assert link.is_symlink()
    assert read_description(str(tmp_path / "p.jpg")) == TEXT
    write_description(str(link), TEXT)  # a run that was killed does it again


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "jp2"])
def test_damaged_files_are_written_whole_or_not_at_all(tmp_path, ending):
    content = {
        "jpg": several_pictures([with_exif({MAKE: b"Maker\0"})], [with_xmp()], 2),
        "png": encoded(photo(), "PNG"),
        "webp": encoded(photo(), "WEBP", exif=with_exif({MAKE: b"Maker\0"})[4:]),
        "tif": encoded(photo(), "TIFF", save_all=True, append_images=[photo()]),
        "jp2": encoded(photo(), "JPEG2000"),
    }[ending]
    path, rng = tmp_path / f"p.{ending}", np.random.default_rng(0)
    for _ in range(100):
        damaged = mutated_bytes(content[:800], rng) + content[800:]
        path.write_bytes(damaged)
        try:
            write_description(str(path), TEXT)
        except MetadataError:
            assert path.read_bytes() == damaged
        else:
            assert read_description(str(path)) == TEXT
