"""Pictures in object stores: found, read ahead within bounds, and no password written down."""

import numpy as np
import pytest

from captioner.bulk import object_stores
from captioner.bulk.object_stores import ObjectStores, PictureReader
from captioner.bulk.picture_lists import pictures_of
from captioner.errors import CaptionerError
from captioner.images import ImageError, read_image, read_images
from tests.bulk.conftest import ODD_NAMES
from tests.hostile import encoded, photo


def test_a_uri_of_a_folder_of_this_machine(pictures, tmp_path):
    for name in ODD_NAMES:
        photo().save(pictures / name)
    arguments = [f"file://{pictures}/", str(pictures / "below"), f"file://{tmp_path}/nothing"]
    *found, problem = pictures_of(arguments, [], ObjectStores())
    plain = list(pictures_of([str(pictures)], [], ObjectStores()))
    assert found == ["file://" + each for each in plain]
    assert isinstance(problem, CaptionerError)
    assert str(problem) == f"{tmp_path}/nothing: no such file or folder"
    sources = PictureReader(ObjectStores()).sources(found)
    results = [result for _, _, result in read_images(sources, (8, 8))]
    assert [isinstance(each, ImageError) for each in results] == [
        "broken" in each for each in found
    ]


def test_pictures_in_a_store(store, monkeypatch):
    for name in ("b.png", "below/a%20b? #c.png", ".hidden.png", "below/.thumbs/d.png", "é/x.PNG"):
        path = store / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo().save(path)
    (store / "photos/notes.txt").write_text("no picture")
    (store / "photos/raw.nef").write_bytes(b"raw")
    (store / "photos/@eaDir").mkdir()
    photo().save(store / "photos/@eaDir/thumbnail.png")
    (store / "photos/broken.jpg").write_bytes(b"broken")
    (store / "empty").mkdir()
    stores = ObjectStores()
    arguments = ["photos/", "photos/b.png", "empty", "nothing"]
    uris = [f"mem://bucket/{each}" for each in arguments]
    named = list(pictures_of(uris, [], stores))
    problems = [str(each) for each in named if isinstance(each, CaptionerError)]
    found = [each for each in named if isinstance(each, str)]
    assert found == [
        f"mem://bucket/photos/{name}"
        for name in ("b.png", "broken.jpg", "below/a%20b? #c.png", "é/x.PNG", "b.png")
    ]
    assert problems == [
        "mem://bucket/empty: folder holds no pictures",
        "mem://bucket/nothing: no such file or folder",
        "1 .nef picture was left out; raw files are not read; export them as JPEG",
    ]
    found.append("mem://bucket/photos/gone.jpg")
    for most in (object_stores.MOST_AHEAD, 100):  # larger ones are read when needed
        monkeypatch.setattr(object_stores, "MOST_AHEAD", most)
        results = list(read_images(PictureReader(stores).sources(found), (8, 8)))
        wanted = read_image(store / "photos/b.png", (8, 8))
        for index, source, result in results:
            if index in (1, 5):
                assert str(result).startswith(f"{found[index]}: ")
            else:
                np.testing.assert_array_equal(result, wanted)
            assert source._content is None  # its bytes are not kept
        assert "not a picture" in str(results[1][2])
        assert "no such object" in str(results[5][2])
    monkeypatch.setattr(object_stores, "MOST_AT_ONCE", 100)
    [(_, _, result)] = read_images(PictureReader(stores).sources(found[:1]), (8, 8))
    assert "b.png: larger than" in str(result)


def test_options_of_a_store():
    stores = ObjectStores()
    uri = "s3://bucket/photos/?endpoint_override=localhost:9000&scheme=http"
    assert stores.take_options(uri) == "s3://bucket/photos/"
    assert stores.take_options("s3://bucket/out") == "s3://bucket/out"
    assert stores.options == {"s3://bucket": "endpoint_override=localhost:9000&scheme=http"}
    assert stores.take_options("s3://other/what?.jpg") == "s3://other/what?.jpg"
    assert stores.take_options("photos/?x=1") == "photos/?x=1"
    with pytest.raises(CaptionerError, match="give one of them"):
        stores.take_options("s3://bucket/?region=eu-west-1")
    with pytest.raises(CaptionerError, match="password"):
        stores.take_options("s3://bucket/?secret_key=x")
    assert stores.take_options("gs://anonymous@bucket/a") == "gs://anonymous@bucket/a"


def test_a_picture_out_of_an_open_file(tmp_path):
    class Source:
        name = "s3://bucket/a\nb.png"

        def __init__(self, content):
            self.read = lambda: content

    content = encoded(photo(), "PNG")
    np.testing.assert_array_equal(read_image(Source(content), (8, 8)), read_image(content, (8, 8)))
    with pytest.raises(ImageError, match=r"^s3://bucket/a\\nb.png: not a picture"):
        read_image(Source(b"broken"), (8, 8))
    with pytest.raises(ImageError, match="file is empty"):
        read_image(Source(b""), (8, 8))
