"""Text and JSON files: what is read, and the line that says why one is refused."""

import os

import pytest

from captioner.errors import CaptionerError
from captioner.text_files import (
    json_lines,
    read_bytes,
    read_json,
    read_text,
    replace_text,
    replacing_text,
    require_free,
)
from tests.conftest import SmallDisk


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.txt"


def test_bytes(path):
    path.write_bytes(b"\xff\x00 two dogs")
    assert read_bytes(path) == b"\xff\x00 two dogs"
    assert read_bytes(path, limit=2) == b"\xff\x00"


@pytest.mark.parametrize("read", [read_bytes, read_text, read_json])
def test_what_cannot_be_read(tmp_path, read):
    with pytest.raises(CaptionerError, match=r"gone\.txt: cannot be read \(No such file"):
        read(tmp_path / "gone.txt")
    with pytest.raises(CaptionerError, match=r"cannot be read \(Is a directory\)"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"un chien, \xc3\xa9t\xc3\xa9\n", "un chien, été\n"),
        (b"\xef\xbb\xbftwo dogs", "two dogs"),  # a byte order mark, as Windows writes it
        (b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        (b"", ""),
    ],
)
def test_text(path, content, text):
    path.write_bytes(content)
    assert read_text(path) == text


@pytest.mark.parametrize(
    ("content", "line"), [(b"\xff", 1), (b"one\ntwo \xff", 2), (b"one\r\ntwo\r\n\xe9t\xe9", 3)]
)
def test_text_in_another_encoding(path, content, line):
    path.write_bytes(content)
    with pytest.raises(CaptionerError, match=rf"a\.txt: line {line}: not UTF-8; save the file as"):
        read_text(path)


def test_json(path):
    path.write_text('{"été": [1, null, "狗"]}', encoding="utf-8")
    assert read_json(path) == {"été": [1, None, "狗"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"line 1, column 1: broken JSON \(Expecting value\)"),
        ('{"a": 1,\n b: 2}', r"line 2, column 2: broken JSON"),
        ("[" * 100_000, "broken JSON"),  # deeper than Python's stack
        ("9" * 10_000, "broken JSON"),  # more digits than Python converts
    ],
)
def test_broken_json(path, content, message):
    path.write_text(content)
    with pytest.raises(CaptionerError, match=rf"a\.txt: {message}") as caught:
        read_json(path)
    assert str(caught.value).isprintable()


def test_json_lines():
    assert list(json_lines("a.jsonl", '{"a": 1}\n\n[2]\n')) == [
        ("line 1", {"a": 1}),
        ("line 3", [2]),
    ]


@pytest.mark.parametrize("line", ["{", "[" * 100_000])
def test_a_broken_line_of_json(line):
    with pytest.raises(CaptionerError, match=r"^a\.jsonl: line 2: broken JSON \("):
        list(json_lines("a.jsonl", f"1\n{line}\n"))


def test_text_is_replaced_as_it_is(path):
    path.write_text("older")
    replace_text(path, "un été\r\n狗\n")
    assert path.read_bytes() == "un été\r\n狗\n".encode()
    with replacing_text(path, encoding="latin-1") as file:
        file.write("été")
        assert path.read_bytes() == "un été\r\n狗\n".encode()
    assert path.read_bytes() == b"\xe9t\xe9"


def test_a_full_disk_is_reported_and_changes_nothing(path):
    path.write_text("older")
    with SmallDisk(1000), pytest.raises(CaptionerError, match=r"a\.txt: cannot be written \(File"):
        replace_text(path, "n" * 2000)
    assert path.read_bytes() == b"older"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CaptionerError, match=r"a\.txt: cannot be written \(No such file"):
        replace_text(tmp_path / "gone" / "a.txt", "new")
    assert os.listdir(tmp_path) == []


def test_a_file_that_holds_something_is_not_free(path):
    require_free(str(path))
    path.touch()  # as mktemp does
    require_free(str(path))
    path.write_text("by hand")
    require_free(str(path), overwrite=True)
    with pytest.raises(CaptionerError, match=r"a\.txt: exists already; --overwrite replaces it"):
        require_free(str(path))
