"""The folder of a run in parts: whole files, one process at a time, disks and stores."""

import os

import pytest

from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.parts_folder import PartsFolder
from captioner.errors import CaptionerError
from tests.bulk.conftest import planned
from tests.conftest import SmallDisk


def test_no_room_for_a_part(tmp_path):
    folder = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
    with folder.held():
        folder.begin({}, ["a.jpg", "b.jpg"], part_size=1, parts=1)
        folder.write_captions(0, b"short", [])
        with SmallDisk(100), pytest.raises(CaptionerError, match="cannot be written"):
            folder.write_captions(1, b"x" * 1000, [])
        assert list(folder.done(2)) == [1, 0]
        assert os.listdir(tmp_path / "out/captions") == ["part-00000000.jsonl"]


def test_two_processes_cannot_write_one_folder(tmp_path):
    folder = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
    with folder.held():
        other = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
        with pytest.raises(CaptionerError, match="another process is writing"), other.held():
            pass
        (tmp_path / "out/captions/.writing-1").write_text("half")
    with folder.held():  # sweeps what the killed have left
        assert os.listdir(tmp_path / "out/captions") == []
    assert os.listdir(tmp_path / "out") == []


@pytest.fixture(params=["disk", "store"])
def place(request, tmp_path):
    """A name for a folder of parts, and where its files are."""
    if request.param == "disk":
        return str(tmp_path / "out"), tmp_path / "out"
    store = request.getfixturevalue("store")
    return "mem://bucket/out", store / "out"


def test_what_is_written_is_read_by_another_process(place):
    name, path = place
    pictures = ["/a.jpg", CaptionerError("b.jpg: no such file or folder"), "/c.jpg", "/d\n.jpg"]
    folder, plan = planned(name, pictures, part_size=2)
    assert (plan.pictures, plan.parts, plan.directory) == (3, 2, None)
    assert plan.problems == ["b.jpg: no such file or folder"]
    other = PartsFolder(name, ObjectStores(), "jsonl")
    places = list(zip(plan.places, plan.places[1:], strict=False))
    assert [other.pictures_of(*each) for each in places] == [["/a.jpg", "/c.jpg"], ["/d\n.jpg"]]
    assert not other.has_captions(1)
    folder.write_captions(1, b"captions", ["/d: broken"])
    assert other.has_captions(1)
    assert other.problems_of(1) == ["/d: broken"]
    assert other.problems_of(0) == []
    assert list(other.done(2)) == list(other.failed(2)) == [0, 1]
    folder.write_captions(1, b"again", [])  # done twice is the same as done once
    assert (path / "captions/part-00000001.jsonl").read_bytes() == b"again"
    assert sorted(os.listdir(path / "captions")) == ["part-00000001.jsonl"]


def test_a_run_is_continued_only_with_its_own_settings(place):
    folder, _ = planned(place[0], ["/a.jpg"], part_size=1)
    with pytest.raises(CaptionerError, match="holds a run already; continue with --resume"):
        folder.open({"x": 1}, resume=False)
    with pytest.raises(CaptionerError, match=r"x was 1, is 2"):
        folder.open({"x": 2}, resume=True)


def test_a_list_that_cannot_be_completed_leaves_nothing(place):
    def pictures():
        yield "/a.jpg"
        raise CaptionerError("list.csv: line 2: broken")

    folder = PartsFolder(place[0], ObjectStores(), "jsonl")
    with pytest.raises(CaptionerError, match="line 2: broken"):
        folder.begin({}, pictures(), part_size=1, parts=1)
    assert folder.open({}, resume=False) is None
    assert sorted(os.listdir(place[1])) == ["captions", "errors"]


def test_a_run_that_did_nothing_is_abandoned(place):
    folder, _ = planned(place[0], ["/a.jpg"], part_size=1)
    folder.abandon()
    assert folder.open({"x": 2}, resume=False) is None
    folder, _ = planned(place[0], ["/a.jpg"], part_size=1)
    folder.write_captions(0, b"captions", [])
    folder.abandon()  # there are captions: it stays
    assert folder.open({"x": 1}, resume=True).pictures == 1


def test_what_a_disk_refuses_is_one_line(tmp_path):
    folder, _ = planned(tmp_path / "out", ["/a.jpg"], part_size=1)
    os.remove(tmp_path / "out/pictures.txt")
    with pytest.raises(CaptionerError) as caught:
        folder.pictures_of(0, 5)
    assert str(caught.value) == (
        f"{tmp_path}/out/pictures.txt: cannot be read (No such file or directory)"
    )


def test_a_power_cut_after_a_part_is_written_leaves_it_whole(tmp_path, monkeypatch):
    """What is on disk before it has its name: the file is synchronised first, its folder after."""
    folder, _ = planned(tmp_path / "out", ["/a.jpg"], part_size=1)
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, real=real: calls.append(name) or real(*args)
        )
    folder.write_captions(0, b"captions", [])
    assert calls == ["fsync", "replace", "fsync"]
