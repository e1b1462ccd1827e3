"""Files that are replaced: a reader sees the older one or the new one, and nothing is left over."""

import errno
import os
import stat

import pytest

from captioner import CaptionerError, files
from captioner.files import (
    put_in_place,
    replace_bytes,
    replacing,
    replacing_folder,
    rewrite_bytes,
    size_of,
    sweep,
)
from captioner.training.run_folder import RunFolder
from tests.conftest import SmallDisk


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def older(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"older")
    return path


def refuse(*arguments):
    raise OSError(errno.EIO, "Input/output error")


def test_the_older_file_is_whole_until_the_new_one_is(older):
    with replacing(older) as unfinished:
        with open(unfinished, "w") as file:
            file.write("ne")
            file.flush()
            assert older.read_bytes() == b"older"
            file.write("w")
        assert older.read_bytes() == b"older"
    assert older.read_bytes() == b"new"
    assert os.listdir(older.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_changes_nothing(older, error):
    with pytest.raises(error), replacing(older) as unfinished:  # noqa: PT012
        with open(unfinished, "w") as file:
            file.write("half")
        raise error
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_changes_nothing(older, monkeypatch, step):
    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="Input/output error"):
        replace_bytes(older, b"new")
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["a.txt"]


def test_a_full_disk_is_reported_and_changes_nothing(older):
    with SmallDisk(1000), pytest.raises(OSError, match="File too large"):
        replace_bytes(older, b"n" * 2000)
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["a.txt"]


def test_where_nothing_can_be_written(tmp_path):
    gone = tmp_path / "gone" / "a.txt"
    with pytest.raises(FileNotFoundError):
        replace_bytes(gone, b"new")
    with pytest.raises(OSError, match=r"(?i)is a directory"):
        replace_bytes(tmp_path, b"new")
    if os.geteuid():  # root may write anywhere
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError):
            replace_bytes(tmp_path / "a.txt", b"new")
    assert os.listdir(tmp_path) == []


def test_file_and_name_are_on_disk_in_this_order(tmp_path, monkeypatch):
    done = []
    replace, sync = os.replace, os.fsync

    def noted_sync(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("name"), replace(*paths)))
    replace_bytes(tmp_path / "a", b"new")
    assert done == ["file", "name", "folder"]


def test_modes_are_kept_and_new_files_have_the_usual_one(older):
    older.chmod(0o640)
    with replacing(older) as unfinished:
        assert mode_of(unfinished) == 0o600  # none may read what they could not read before
    assert mode_of(older) == 0o640
    usual = older.with_name("usual")
    usual.touch()
    replace_bytes(older.with_name("new"), b"")
    assert mode_of(older.with_name("new")) == mode_of(usual)


def test_a_mode_that_is_right_is_not_set_again(older, monkeypatch):
    older.chmod(0o600)
    monkeypatch.setattr(os, "chmod", refuse)  # as on disks of other systems
    replace_bytes(older, b"new")
    assert older.read_bytes() == b"new"


def test_relative_paths_and_links(older, monkeypatch):
    monkeypatch.chdir(older.parent)
    replace_bytes("a.txt", b"new")
    assert older.read_bytes() == b"new"
    os.mkdir("below")
    os.symlink("../a.txt", "below/link")
    replace_bytes("below/link", b"through the link")
    assert os.path.islink("below/link")
    assert older.read_bytes() == b"through the link"
    assert os.listdir("below") == ["link"]


def test_an_unfinished_file_that_was_continued_gets_its_name(older):
    partial = older.with_name("a.txt.partial")
    partial.write_bytes(b"new")
    older.chmod(0o640)
    put_in_place(partial, older)
    assert (older.read_bytes(), mode_of(older)) == (b"new", 0o640)
    assert os.listdir(older.parent) == ["a.txt"]


def fill(folder, text):
    os.makedirs(os.path.join(folder, "below"), exist_ok=True)
    for name in ("a", "below/b"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    with replacing_folder(target) as unfinished:
        fill(unfinished, "older")
        assert not target.exists()
    (target / "only in the older one").touch()
    with replacing_folder(target) as unfinished:
        fill(unfinished, "new")
        assert (target / "below/b").read_text() == "older"
    assert (target / "below/b").read_text() == "new"
    assert sorted(os.listdir(target)) == ["a", "below"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_link_to_a_folder_is_followed(tmp_path):
    fill(tmp_path / "folder", "older")
    (tmp_path / "link").symlink_to("folder")
    with replacing_folder(tmp_path / "link") as unfinished:
        fill(unfinished, "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder/a").read_text() == "new"


@pytest.mark.parametrize("path", [".", ".."])
def test_the_folder_one_is_in_is_not_replaced(tmp_path, monkeypatch, path):
    """It would be another folder of the same name, and one's own deleted."""
    (tmp_path / "in" / "it").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in" / "it")
    with pytest.raises(CaptionerError, match="is the folder you are in"), replacing_folder(path):
        pass
    assert os.listdir(tmp_path / "in") == ["it"]
    with replacing_folder("../i"):  # whose name only begins alike
        pass
    assert sorted(os.listdir(tmp_path / "in")) == ["i", "it"]


def test_a_folder_that_fails_half_way_changes_nothing(tmp_path, monkeypatch):
    target, replace = tmp_path / "folder", os.replace
    fill(target, "older")
    with pytest.raises(ValueError, match="half"), replacing_folder(target) as unfinished:  # noqa: PT012
        fill(unfinished, "new")
        raise ValueError("half")
    calls = []

    def refuse_the_second(*paths):
        calls.append(paths)
        return refuse() if len(calls) == 2 else replace(*paths)

    monkeypatch.setattr(os, "replace", refuse_the_second)
    with pytest.raises(OSError, match="Input/output"), replacing_folder(target) as unfinished:
        fill(unfinished, "new")
    assert (target / "below/b").read_text() == "older"
    assert os.listdir(tmp_path) == ["folder"]


def test_unfinished_files_are_swept_and_nothing_else(tmp_path):
    kept = ["a.txt", "b.writing-1", f"{files.UNFINISHED}folder"]
    for name in (kept[0], kept[1], f"{files.UNFINISHED}1", f"{files.UNFINISHED}2.keras"):
        (tmp_path / name).touch()
    (tmp_path / kept[2]).mkdir()
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_a_run_killed_at_its_very_start_can_begin_again(tmp_path):
    for name in ("lock", "config.json.new", f"{files.UNFINISHED}1"):
        (tmp_path / name).touch()
    folder = RunFolder(str(tmp_path))
    assert not folder._holds_something()
    folder._sweep()
    assert os.listdir(tmp_path) == ["lock"]


def test_a_captioner_is_saved_on_disk_or_not_at_all(tmp_path, tiny_captioner, monkeypatch):
    path = tmp_path / "model.keras"
    tiny_captioner.save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            tiny_captioner.save(path, storage="float16")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.keras"]


def belongings(path):
    """What belongs to a file besides its bytes."""
    status = os.stat(path)
    attributes = {}
    if hasattr(os, "listxattr"):
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return mode_of(path), status.st_uid, status.st_gid, status.st_mtime_ns, attributes


def with_attribute(path):
    """Gives a file an extended attribute, where the disk has such."""
    try:
        os.setxattr(path, "user.rating", b"5")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes on this disk")


@pytest.mark.parametrize("names", [1, 2])
def test_rewriting_keeps_what_belongs_to_a_file(older, names):
    other = older.with_name("b.txt")
    if names == 2:
        os.link(older, other)
    older.chmod(0o640)
    with_attribute(older)
    os.utime(older, ns=(1_000_000_123, 2_000_000_456))
    if os.getuid() == 0:
        os.chown(older, 12345, 54321)
    before = belongings(older)
    rewrite_bytes(older, b"a newer and longer text")
    assert belongings(older) == before
    assert older.read_bytes() == b"a newer and longer text"
    if names == 2:
        assert os.path.samefile(older, other)
    rewrite_bytes(older, b"short")
    assert older.read_bytes() == b"short"
    assert sorted(os.listdir(older.parent)) == ["a.txt", "b.txt"][:names]


def test_rewriting_follows_a_link(older):
    link = older.with_name("link.txt")
    link.symlink_to("a.txt")
    rewrite_bytes(link, b"new")
    assert link.is_symlink()
    assert older.read_bytes() == b"new"


def test_rewriting_a_file_of_a_group_that_cannot_be_given(older, monkeypatch):
    """It is written in place, and so keeps its group."""
    monkeypatch.setattr(files, "_give_owner", lambda path, status: False)
    number = os.stat(older).st_ino
    rewrite_bytes(older, b"new")
    assert older.read_bytes() == b"new"
    assert os.stat(older).st_ino == number
    assert os.listdir(older.parent) == ["a.txt"]


def test_rewriting_in_place_that_fails_puts_the_older_bytes_back(older, monkeypatch):
    os.link(older, older.with_name("b.txt"))
    calls = []
    write_all = files._write_all

    def fail_once(file, content):
        calls.append(content)
        write_all(file, content[: len(content) // 2] if len(calls) == 1 else content)
        if len(calls) == 1:
            refuse()

    monkeypatch.setattr(files, "_write_all", fail_once)
    with pytest.raises(OSError, match="Input/output"):
        rewrite_bytes(older, b"a newer and longer text")
    assert older.read_bytes() == b"older"
    assert sorted(os.listdir(older.parent)) == ["a.txt", "b.txt"]


def test_a_file_marked_as_read_only_is_not_rewritten(older):
    older.chmod(0o444)
    with pytest.raises(PermissionError, match="read-only"):
        rewrite_bytes(older, b"new")
    assert older.read_bytes() == b"older"


def test_the_file_of_someone_else_is_not_rewritten(older, monkeypatch):
    monkeypatch.setattr(files, "_user", lambda: os.stat(older).st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to someone else"):
        rewrite_bytes(older, b"new")
    assert older.read_bytes() == b"older"


def test_rewriting_without_room_changes_nothing(older):
    with pytest.raises(OSError), SmallDisk(100):  # noqa: PT011
        rewrite_bytes(older, bytes(1000))
    assert older.read_bytes() == b"older"
    assert os.listdir(older.parent) == ["a.txt"]


def test_the_size_of_a_folder_is_that_of_all_files_below_it(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "below/b").write_bytes(b"345")
    assert size_of(tmp_path / "below/b") == 3
    assert size_of(tmp_path) == 5
