"""Lists of pictures: manifests of all kinds, what arguments name, and the cutting into parts."""

import io
import itertools
import json
import os

import pyarrow
import pyarrow.parquet
import pytest

from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.parts_folder import Plan
from captioner.bulk.picture_lists import ListIndex, pictures_of, read_lines, read_manifest
from captioner.errors import CaptionerError

NAMES = ["a.jpg", "s3://bucket/b c%20d.jpg", "été/猫.png", os.fsdecode(b"\xff.jpg")]


def manifest_of(folder, ending, names, key="image"):
    path = folder / f"list.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"n": range(len(names)), key: names}), path)
        return str(path)
    lines = {
        "txt": [*names, ""],
        "csv": [f"n,{key}", *(f'{number},"{name}"' for number, name in enumerate(names))],
        "jsonl": [json.dumps({"n": 1, key: name}) for name in names],
    }[ending]
    path.write_bytes("".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape"))
    return str(path)


@pytest.mark.parametrize("key", ["image", "path"])
@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
def test_manifests(tmp_path, ending, key):
    names = list(NAMES)
    if ending == "parquet":
        names.pop()  # its texts are UTF-8
    if ending != "txt":
        names.append("two\nlines.png")
    manifest = manifest_of(tmp_path, ending, names, key)
    assert list(read_manifest(manifest, ObjectStores())) == names
    assert list(read_manifest(f"file://{manifest}", ObjectStores())) == names


@pytest.mark.parametrize("null", [True, False])
def test_a_manifest_of_names_that_end_in_zero_bytes(tmp_path, null):
    names = [*NAMES, "two\nlines.png"]
    path = tmp_path / "list.txt"
    path.write_bytes(b"".join(os.fsencode(name) + b"\0" for name in names))
    assert list(read_manifest(str(path), ObjectStores(), null)) == names


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_manifests_as_windows_writes_them(tmp_path, ending, encoding):
    names = NAMES[:3]
    manifest = manifest_of(tmp_path, ending, names)
    with open(manifest, encoding="utf-8", newline="") as file:
        text = file.read()
    with open(manifest, "w", encoding=encoding, newline="") as file:
        file.write(text)
    assert list(read_manifest(manifest, ObjectStores())) == names


def test_arguments_of_all_kinds_name_each_picture_once(photos, monkeypatch):
    a, b, c = (str(photos / name) for name in ("a.png", "b.jpg", "c.webp"))
    (photos / "raw.nef").touch()
    content = "\0".join([f"file://{b}", a, "two\nlines.jpg"]).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    found = list(pictures_of([a, "-", str(photos)], [], ObjectStores(), null=True))
    assert found[:2] == [a, f"file://{b}"]
    missing, last, left_out = found[2:]
    assert str(missing) == "two\\nlines.jpg: no such file or folder"
    assert last == c
    assert str(left_out).startswith("1 .nef picture was left out")


@pytest.mark.parametrize(
    ("ending", "content", "message"),
    [
        ("csv", b"", "has no column image or path; it has none"),
        ("csv", b"file,n\na.jpg,1\n", "has no column image or path; it has file, n"),
        ("csv", b"n,image\n1,a.jpg\n2\n", "line 3: no picture in column image"),
        ("jsonl", b'{"image": "a.jpg"}\n{"image": \n', "line 2: broken JSON"),
        ("jsonl", b'{"image": 3}\n', "line 1: names no picture"),
        ("jsonl", b"[]\n", "line 1: names no picture"),
        ("parquet", b"no table", "broken Parquet"),
        ("parquet", [1, 2], "row 1: no picture in column image"),
        ("parquet", ["a.jpg", None], "row 2: no picture in column image"),
        ("doc", b"", "a manifest's name ends in"),
        ("txt", None, "cannot be read (No such file or directory)"),
    ],
)
def test_broken_manifests(tmp_path, ending, content, message):
    path = tmp_path / f"list.{ending}"
    if isinstance(content, list):
        manifest_of(tmp_path, ending, content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptionerError) as caught:
        list(read_manifest(str(path), ObjectStores()))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize("parts", [1, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 7, 23, 24, 25, 61])
def test_a_list_is_cut_into_parts(count, parts):
    names = [f"{'x' * (number % 7)}\n{number}" for number in range(count)]
    index = ListIndex(part_size=3, parts=parts)
    content = b"".join(index.lines(names))
    places = index.close()
    found = [read_lines(content[start:end]) for start, end in itertools.pairwise(places)]
    assert [name for part in found for name in part] == names
    assert {len(part) for part in found[:-1]} <= {index.part_size}
    assert index.part_size <= 3
    if count >= parts:
        assert len(found) >= parts / 2
    assert Plan({}, count, index.part_size, places, None, []).parts == len(found)
