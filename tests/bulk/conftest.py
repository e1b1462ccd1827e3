"""What the tests of many pictures share: a Ray, drawn pictures, a store, and looks at results."""

import glob
import json
import os
import shutil

import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from captioner.bulk.journal import Journal
from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.ray_cluster import connected
from captioner.cli import main

ODD_NAMES = ["two\nlines.png", os.fsdecode(b"not utf-8 \xff.png"), "a%20b? #c.png", "猫.png"]


@pytest.fixture(scope="package")
def cluster():
    """One Ray for all tests, which is slow to start."""
    with connected(actors=2):
        yield


@pytest.fixture
def pictures(tmp_path):
    """A folder of drawn scenes, two below it, and a broken one."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    scenes = sorted(glob.glob("data/shapes/images/*.png"))
    for number, scene in enumerate(scenes[:9]):
        shutil.copy(scene, folder / ("below" if number < 2 else "") / os.path.basename(scene))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Object stores whose buckets are folders: `mem://bucket/key`, read as S3's are."""
    (tmp_path / "buckets/bucket").mkdir(parents=True)
    system = SubTreeFileSystem(str(tmp_path / "buckets"), LocalFileSystem())
    monkeypatch.setattr(
        ObjectStores, "_connect", lambda self, bucket: (system, bucket.removeprefix("mem://"))
    )
    return tmp_path / "buckets/bucket"


def stopped_after(monkeypatch, pictures):
    """Makes captioning end by Ctrl-C after some pictures."""
    add, count = Journal.add, 0

    def add_or_stop(*arguments):
        nonlocal count
        add(*arguments)
        count += 1
        if count == pictures:
            monkeypatch.setattr(Journal, "add", add)
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "add", add_or_stop)


def ray(*arguments, output):
    command = ["caption", *map(str, arguments), "--engine", "ray", "--actors", "2"]
    return main([*command, "--output", str(output)])


def parts_of(output):
    return sorted((output / "captions").iterdir())


def entries_of(output):
    lines = [line for part in parts_of(output) for line in part.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def by_one_process(tmp_path, *arguments):
    """The JSON lines that the local engine writes."""
    path = tmp_path / "local.jsonl"
    output = ["--output", str(path), "--overwrite"]
    assert main(["caption", *map(str, arguments), "--format", "jsonl", *output]) in (0, 1)
    return path.read_text().splitlines()


def state_of(paths):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def planned(folder, names, part_size, stores=None):
    folder = PartsFolder(str(folder), stores or ObjectStores(), "jsonl")
    assert folder.open({"x": 1}, resume=False) is None
    plan = folder.begin({"x": 1}, names, part_size=part_size, parts=1)
    assert folder.open({"x": 1}, resume=True) == plan
    return folder, plan
