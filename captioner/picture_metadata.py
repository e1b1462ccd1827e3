"""The caption in the picture file itself: its XMP and IPTC description, which photo programs show.

Only the metadata are rewritten, by Exiv2; the compressed pixels stay byte for byte what they were.
"""

import os
import shutil
import tempfile

from captioner.errors import CaptionerError
from captioner.images import describe

XMP = "Xmp.dc.description"
IPTC = "Iptc.Application2.Caption"
LANGUAGE = 'lang="x-default"'
UTF8 = {"Iptc.Envelope.CharacterSet": "\x1b%G"}  # the encoding of IPTC texts (ISO 2022)


class MetadataError(CaptionerError):
    """A description that cannot be written into its picture."""


def write_description(picture, text, overwrite=False):
    """Writes a description into a picture file.

    The work is done on a copy beside it, which then takes its name: the file is whole at every
    moment, and keeps its times and rights.

    Args:
        picture: str. A JPEG, PNG, WebP, TIFF ... file.
        text: str.
        overwrite: bool. Whether a description that is there may be replaced. Defaults to `False`.

    Raises:
        MetadataError: There is a description already; or the file's kind holds none, or it cannot
            be written.
        CaptionerError: The package pyexiv2 is missing.

    Example:
    >>> write_description("photo.jpg", "two dogs on a beach")
    >>> read_description("photo.jpg")
    'two dogs on a beach'
    """
    exiv2 = require_exiv2()
    folder = os.path.dirname(os.path.abspath(picture))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".describing-") as workshop:
            # Under a plain name: Exiv2 wants UTF-8, and a file's name need not be that.
            copy = os.path.join(workshop, "picture")
            shutil.copy2(picture, copy)
            times = os.stat(copy)
            with exiv2.Image(copy) as image:
                if not overwrite and (there := _description(image)):
                    raise MetadataError(
                        f"{describe(picture)}: has a description already ({there[:80]!r}); "
                        "--overwrite replaces it"
                    )
                image.modify_xmp({XMP: {LANGUAGE: text}})
                image.modify_iptc(UTF8 | {IPTC: text})
            os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
            os.replace(copy, picture)
    except OSError as error:
        raise MetadataError(f"{describe(picture)}: cannot be written ({error.strerror})") from error
    except RuntimeError as error:  # Exiv2's own
        reason = str(error).strip().split("\n")[0][:160]
        raise MetadataError(f"{describe(picture)}: takes no description ({reason})") from error


def read_description(picture):
    """The description in a picture file, or None.

    Raises:
        MetadataError: The file cannot be read.
    """
    try:
        with open(picture, "rb") as file, require_exiv2().ImageData(file.read()) as image:
            return _description(image)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0][:160]
        raise MetadataError(f"{describe(picture)}: cannot be read ({reason})") from error


def _description(image):
    texts = image.read_xmp().get(XMP) or {}
    text = texts.get(LANGUAGE) if isinstance(texts, dict) else texts
    return text or image.read_iptc().get(IPTC) or None


def require_exiv2():
    """The package pyexiv2.

    Raises:
        CaptionerError: It is missing.
    """
    try:
        import pyexiv2
    except ImportError as error:
        raise CaptionerError(
            f"--write-metadata needs pyexiv2 ({error}); pip install 'captioner[metadata]', or "
            "here: pip install '.[metadata]'"
        ) from error
    return pyexiv2
