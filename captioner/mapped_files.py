"""Memory that a mapped file takes once it has been read."""

import ctypes
import mmap
import os
import sys


def release_pages(path):
    """Takes the pages of a mapped file out of this process's memory; a use reads them again.

    LiteRT maps the file of a network, and keeps the weights in a form of its own: the pages would
    stay without any use. Does nothing on systems other than Linux.

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
    """Where a file is mapped to be read only, from address to address."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n") for line in file if line.endswith(f" {path}\n")]
    except OSError:  # not mounted
        return
    for addresses, access, *_, name in (line.split(maxsplit=5) for line in lines):
        if name == path and "w" not in access:  # what was written there would be lost
            start, end = (int(each, 16) for each in addresses.split("-"))
            yield start, end
