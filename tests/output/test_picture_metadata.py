"""Captions in picture files: found again, and no pixel, time or older description touched."""

import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from captioner.cli import main
from captioner.output.picture_metadata import MetadataError, read_description, write_description
from tests.hostile import photo

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
    import pyexiv2

    path = str(tmp_path / "p.jpg")
    photo().save(path)
    with pyexiv2.Image(path) as image:
        image.modify_xmp({"Xmp.dc.description": {'lang="de-DE"': "zwei Hunde"}})
    with pytest.raises(MetadataError, match="has a description already"):
        write_description(path, "two dogs")
    write_description(path, "two dogs", overwrite=True)
    with pyexiv2.Image(path) as image:
        assert image.read_xmp()["Xmp.dc.description"]['lang="de-DE"'] == "zwei Hunde"
    photo().save(path)
    with pyexiv2.Image(path) as image:
        image.modify_iptc({"Iptc.Application2.City": "Köln"}, encoding="latin-1")
    before = (tmp_path / "p.jpg").read_bytes()
    with pytest.raises(MetadataError, match="not UTF-8"):
        write_description(path, "two dogs")
    assert (tmp_path / "p.jpg").read_bytes() == before


def test_a_link_is_followed_and_the_same_text_is_no_conflict(tmp_path):
    photo().save(tmp_path / "p.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to("p.jpg")
    write_description(str(link), TEXT)
    assert link.is_symlink()
    assert read_description(str(tmp_path / "p.jpg")) == TEXT
    write_description(str(link), TEXT)  # a run that was killed does it again
