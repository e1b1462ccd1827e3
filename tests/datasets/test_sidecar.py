import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
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
