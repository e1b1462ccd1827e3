"""Pages of mapped files: gone from memory, and read again when they are used."""

import mmap
import os
import sys

import pytest

from captioner.mapped_files import release_pages

SIZE = 2**22
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for Linux only")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a b.tflite"
    path.write_bytes(b"x" * SIZE)
    return str(path)


def in_memory(path):
    """The bytes of a mapped file that are in this process's memory."""
    with open("/proc/self/smaps", encoding="utf-8") as file:
        lines = iter(file)
        assert any(line.rstrip("\n").endswith(os.path.realpath(path)) for line in lines)
        resident = next(line for line in lines if line.startswith("Rss:"))
    return 1024 * int(resident.split()[1])


def test_pages_leave_the_memory_and_are_read_again(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert content[:] == b"x" * SIZE
        assert in_memory(path) == SIZE
        release_pages(path)
        assert in_memory(path) == 0
        assert content[:] == b"x" * SIZE


def test_what_was_written_into_a_private_mapping_stays(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as content:
        content[:3] = b"new"
        release_pages(path)
        assert content[:4] == b"newx"


def test_a_file_that_is_not_mapped_or_not_there(path, tmp_path):
    release_pages(path)
    release_pages(str(tmp_path / "none"))
