"""The memory that mapped files take after they have been read."""

import ctypes
import mmap
import os
import sys


def release_pages(path):
    """Takes the pages of a mapped file out of this process's memory; using them reads them again.

    LiteRT maps a network's file and copies the weights into a form of its own, so that the pages
    would stay in memory unused. On systems other than Linux nothing is done.

    Args:
        path: str. A file that something in this process may have mapped.

    Example:
    >>> release_pages("captioner/presets/everyday.litert/encode.tflite")
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for start, end in _places(os.path.realpath(path)):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def _places(path):
    """The addresses, (start, end), at which a file is mapped read-only."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n") for line in file if line.endswith(f" {path}\n")]
    except OSError:  # not mounted
        return
    for addresses, access, *_, name in (line.split(maxsplit=5) for line in lines):
        if name == path and "w" not in access:  # what was written there would be lost
            start, end = (int(each, 16) for each in addresses.split("-"))
            yield start, end
