"""The caption in the picture file itself: its XMP and IPTC description, which photo programs show.

Only the metadata are rewritten, by Exiv2; the compressed pixels stay byte for byte what they were.
"""

import contextlib
import os
import shutil

from captioner.errors import CaptionerError, cannot_be, needs_extra, reason_of
from captioner.files import replacing
from captioner.images import describe

XMP = "Xmp.dc.description"
IPTC = "Iptc.Application2.Caption"
LANGUAGE = 'lang="x-default"'
UTF8 = {"Iptc.Envelope.CharacterSet": "\x1b%G"}  # the encoding of IPTC texts (ISO 2022)


class MetadataError(CaptionerError):
    """A description that cannot be written into its picture."""


class _SameText(Exception):  # noqa: N818 - not an error
    """The description is there already: the picture stays as it is."""


def write_description(picture, text, overwrite=False):
    """Writes a description into a picture file.

    The work is done on a copy beside it, which then takes its name: the file is whole at every
    moment, and keeps its times and mode. A link is followed.

    Args:
        picture: str. A JPEG, PNG, WebP, TIFF ... file.
        text: str.
        overwrite: bool. Whether a description that is there may be replaced. Defaults to `False`.

    Raises:
        MetadataError: There is a description already; or this kind of file cannot hold one, or
            it cannot be written.
        CaptionerError: The package pyexiv2 is missing.

    Example:
    >>> write_description("photo.jpg", "two dogs on a beach")
    >>> read_description("photo.jpg")
    'two dogs on a beach'
    """
    exiv2 = require_exiv2()
    shown = describe(picture)
    try:
        with contextlib.suppress(_SameText), replacing(picture) as copy:
            shutil.copy2(picture, copy)
            times = os.stat(copy)
            with exiv2.Image(copy) as image:
                _describe(image, text, overwrite, shown)
            os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    except OSError as error:
        raise MetadataError(cannot_be("written", shown, error)) from error
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"{shown}: has metadata that are not UTF-8; they stay as they are"
        ) from error
    except RuntimeError as error:  # Exiv2's own
        raise MetadataError(f"{shown}: takes no description ({reason_of(error)})") from error


def _describe(image, text, overwrite, shown):
    there = _description(image)
    if there == text:
        raise _SameText
    if there and not overwrite:
        raise MetadataError(
            f"{shown}: has a description already ({there[:80]!r}); --overwrite replaces it"
        )
    others = image.read_iptc().keys() - {IPTC, *UTF8}
    image.modify_xmp({XMP: {**_texts(image), LANGUAGE: text}})
    # Other IPTC texts may be in another encoding: the mark for UTF-8 would change them.
    image.modify_iptc({IPTC: text} if others else UTF8 | {IPTC: text})


def read_description(picture):
    """The description in a picture file, or None.

    Raises:
        MetadataError: The file cannot be read.
    """
    try:
        with open(picture, "rb") as file, require_exiv2().ImageData(file.read()) as image:
            return _description(image)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise MetadataError(cannot_be("read", describe(picture), error)) from error


def _description(image):
    texts = _texts(image)
    text = texts.get(LANGUAGE) or next(iter(texts.values()), None)
    return text or image.read_iptc().get(IPTC) or None


def _texts(image):
    """The descriptions by their languages."""
    texts = image.read_xmp().get(XMP) or {}
    return texts if isinstance(texts, dict) else {LANGUAGE: texts}


def require_exiv2():
    """The package pyexiv2.

    Raises:
        CaptionerError: It is missing.
    """
    try:
        import pyexiv2
    except ImportError as error:
        need = "--write-metadata needs pyexiv2"
        raise CaptionerError(needs_extra(need, "metadata", error)) from error
    return pyexiv2
