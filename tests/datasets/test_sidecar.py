import json

import pytest

from captioner.datasets import load_dataset, sidecar
from captioner.errors import CaptionerError
from captioner.finding import ENDINGS
from captioner.generation import Caption
from captioner.output.sidecars import sidecar_ending, write_sidecar
from tests.datasets import touch


def write(folder, captions):
    for name, text in captions.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_each_line_is_a_caption(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "sub/c.jpeg", ".hidden/d.jpg", "._a.jpg")
    write(tmp_path, {"a.txt": "one\n\n  two  2\n", "b.txt": "três", "sub/c.txt": "\ufeff三"})
    dataset = load_dataset(tmp_path)
    assert dataset.image_ids == ["a.png", "b.JPG", "sub/c.jpeg"]
    assert dataset.image_paths == [str(tmp_path / name) for name in dataset.image_ids]
    assert dataset.captions == [["one", "two 2"], ["três"], ["三"]]
    assert dataset.warnings == []


def test_harmless_faults_are_counted(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    write(tmp_path, {"a.txt": "one", "b.txt": " \n", "README.txt": "about the pictures"})
    assert load_dataset(tmp_path).warnings == [
        f"{tmp_path}: texts without a picture skipped: 1 (first: README.txt)",
        f"{tmp_path}: empty captions dropped: 1 (first: b.txt)",
        f"{tmp_path}: pictures without captions dropped: 2 (first: b.jpg)",
    ]


def test_most_pictures_missing(tmp_path):
    touch(tmp_path, "a.jpg")
    write(tmp_path, {"a.txt": "one", "b.txt": "two", "c.txt": "three"})
    with pytest.raises(CaptionerError, match=r"2 of 3 .txt files have no picture .*\(first: b.txt"):
        load_dataset(tmp_path)


def test_two_pictures_of_one_text(tmp_path):
    touch(tmp_path, "a.jpg", "a.png")
    write(tmp_path, {"a.txt": "one"})
    with pytest.raises(CaptionerError, match=r"a.txt is beside several pictures \(a.jpg, a.png\)"):
        load_dataset(tmp_path)


def test_needs_a_folder(tmp_path):
    write(tmp_path, {"a.txt": "one"})
    with pytest.raises(CaptionerError, match="sidecar needs a folder"):
        load_dataset(tmp_path / "a.txt", format="sidecar")


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_pictures_of_every_ending(tmp_path, ending):
    touch(tmp_path, f"a{ending}", f"b{ending.upper()}")
    write(tmp_path, {"a.txt": "one", "b.txt": "two"})
    assert load_dataset(tmp_path).captions == [["one"], ["two"]]


@pytest.mark.parametrize("ending", [*sidecar.ENDINGS, ".TXT", ".blip", ".en.txt", ".caption-2"])
def test_caption_files_of_every_ending(tmp_path, ending):
    touch(tmp_path, "a.jpg", "b.c.jpg")
    write(tmp_path, {f"a{ending}": "one\ntwo", f"b.c{ending}": "three"})
    for format in ("auto", "sidecar"):
        dataset = load_dataset(tmp_path, format=format)
        assert dataset.image_ids == ["a.jpg", "b.c.jpg"]
        assert dataset.captions == [["one", "two"], ["three"]]


def test_mixed_endings_and_several_files_of_a_picture(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "c.png")
    texts = {"a.txt": "one\ntwo", "a.caption": "two\nthree", "b.caption": "four"}
    write(tmp_path, {**texts, "c.jpg.txt": "five", "c.png.txt": "six"})
    dataset = load_dataset(tmp_path)
    assert dataset.captions == [["one", "two", "three"], ["four"], ["five"], ["six"]]
    assert dataset.warnings == [f"{tmp_path}: {sidecar.SEVERAL_FILES}: 1 (first: a.jpg)"]


def test_other_files_beside_pictures_are_no_captions(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path, {"a.xmp": "<x/>", "a.json": '{"width": 4}', "a.npz": "PK\x03\x04", "a.pp3": ""})
    with pytest.raises(CaptionerError, match="holds no captions"):
        load_dataset(tmp_path)
    write(tmp_path, {"a.txt": "one"})
    assert load_dataset(tmp_path).captions == [["one"]]


@pytest.mark.parametrize("folder", ["", "00/"])
def test_captions_in_the_data_beside_pictures(tmp_path, folder):
    touch(tmp_path, f"{folder}a.jpg", f"{folder}b.jpg")
    for name in ("a", "b"):
        text = json.dumps({"caption": f"of {name}", "url": "http://x/y.jpg", "key": name})
        write(tmp_path, {f"{folder}{name}.json": text})
    assert load_dataset(tmp_path).captions == [["of a"], ["of b"]]
    write(tmp_path, {f"{folder}a.txt": "text a", f"{folder}b.txt": "text b"})
    assert load_dataset(tmp_path).captions == [["text a"], ["text b"]]


def test_splits_are_the_folders(tmp_path):
    for folder in ("train", "valid"):
        touch(tmp_path, f"{folder}/a.jpg")
        write(tmp_path, {f"{folder}/a.txt": f"of {folder}"})
    assert load_dataset(tmp_path, split="val").captions == [["of valid"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_text_editors(tmp_path, encoding):
    touch(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_bytes("un garçon\r\nà la plage\r\n".encode(encoding))
    assert load_dataset(tmp_path).captions == [["un garçon", "à la plage"]]


def test_what_write_sidecar_writes_is_read(tmp_path):
    touch(tmp_path, "a.jpg")
    captions = [Caption("a dog", -0.5, ("a", "dog"), ()), Caption("two", -0.7, ("two",), ())]
    write_sidecar(str(tmp_path / "a.jpg"), captions, sidecar_ending("caption"))
    assert load_dataset(tmp_path).captions == [["a dog", "two"]]
