"""Pictures of kind HEIC (HEIF), as phones take them, by the optional package pillow-heif."""

import functools
import importlib.util

from captioner.errors import how_to_install

ENDINGS = {".heic", ".heics", ".heif", ".heifs", ".hif"}
HEAD = 16  # bytes at the start of a file that tell its kind
# What a file's first box names as its kind: HEVC pictures and their sequences, and pictures of any
# coding, of which AVIF is Pillow's own.
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
INSTALL = how_to_install("heif")


def is_heif(head):
    """Whether the first `HEAD` bytes of a file are those of a HEIC picture."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def is_installed():
    """Whether HEIC pictures can be read."""
    return importlib.util.find_spec("pillow_heif") is not None


@functools.cache
def register():
    """Teaches Pillow the format "HEIF".

    Raises:
        ImportError: The package is missing.
    """
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
