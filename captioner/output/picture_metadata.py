"""The caption in the picture file itself: its XMP and IPTC description, which photo programs show.

Only the metadata are rewritten, by Exiv2; the compressed pixels stay byte for byte what they were,
and so does everything else in the file, or it is not written.
"""

import os

from captioner.errors import CaptionerError, cannot_be, needs_extra, reason_of
from captioner.files import rewrite_bytes
from captioner.finding import RAW
from captioner.images import MOST_AT_ONCE, describe
from captioner.output.picture_parts import LostPartError, refitted
from captioner.output.picture_words import CHARSET, EXIF, IPTC, LANGUAGE, UTF8, XMP, words_in

# In the names of EXIF fields that say where something is in the file.
_PLACES = ("Offset", "Tag", "Interchange", "SubIFDs", "IPTCNAA", "XMLPacket", "Resources")


class MetadataError(CaptionerError):
    """A description that cannot be written into its picture."""


def write_description(picture, text, overwrite=False):
    """Writes a description into a picture file.

    The file is whole at every moment. It keeps its owner, mode, times, extended attributes and
    further names (hard links); a link is followed.

    Args:
        picture: str. A JPEG, PNG, WebP, TIFF or JPEG 2000 file.
        text: str.
        overwrite: bool. Whether a description that is there may be replaced: in XMP, IPTC and, if
            there is one, in EXIF. People's words in other fields (comments, titles) stay. Defaults
            to `False`.

    Raises:
        MetadataError: People have described the picture already, see `words_in`; or this file
            cannot hold a description, would lose something, is read-only, or cannot be written.
        CaptionerError: The package pyexiv2 is missing.

    Example:
    >>> write_description("photo.jpg", "two dogs on a beach")
    >>> read_description("photo.jpg")
    'two dogs on a beach'
    """
    shown = describe(picture)
    try:
        content = _content(picture, shown)
        described = _described(content, text, overwrite, shown)
        if described is not None:
            rewrite_bytes(picture, described)
    except CaptionerError:
        raise
    except OSError as error:
        raise MetadataError(cannot_be("written", shown, error)) from error
    except LostPartError as error:
        raise MetadataError(f"{shown}: takes no description without damage ({error})") from error
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"{shown}: has metadata that are not UTF-8; it stays as it is"
        ) from error
    except (RuntimeError, ValueError) as error:  # Exiv2's and pyexiv2's own
        raise MetadataError(f"{shown}: takes no description ({reason_of(error)})") from error


def read_description(picture):
    """The description in a picture file, or None; a camera's or a program's own text is none.

    Raises:
        MetadataError: The file cannot be read.
    """
    shown = describe(picture)
    try:
        with require_exiv2().ImageData(_content(picture, shown)) as image:
            return next(iter(words_in(image).values()), None)
    except CaptionerError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise MetadataError(cannot_be("read", shown, error)) from error


def _content(picture, shown):
    if os.path.splitext(picture)[1].lower() in RAW:
        raise MetadataError(f"{shown}: takes no description (raw files are not written)")
    if os.path.getsize(picture) > MOST_AT_ONCE:
        raise MetadataError(f"{shown}: takes no description (larger than {MOST_AT_ONCE >> 20} MiB)")
    with open(picture, "rb") as file:
        return file.read()


def _described(content, text, overwrite, shown):
    """The file's bytes with the description; None where it has it already."""
    exiv2 = require_exiv2()
    with exiv2.ImageData(content) as image:
        words = words_in(image)
        older = [key for key, each in words.items() if each != text]
        if older and not overwrite:
            raise MetadataError(
                f"{shown}: has a description already ({words[older[0]][:80]!r}); --overwrite "
                "replaces it"
            )
        replaced = [key for key in older if key in (XMP, IPTC, EXIF)]
        if words.get(XMP) == text and not replaced:
            return None
        before = _kept(image)
        image.modify_xmp({XMP: {**_by_language(image), LANGUAGE: text}})
        _modify_iptc(image, text)
        if EXIF in replaced:
            image.modify_exif({EXIF: text})
        after = image.get_bytes()
    after = refitted(content, after)
    with exiv2.ImageData(after) as image:
        if _kept(image) != before:
            raise LostPartError("other metadata would be lost")
        if _by_language(image).get(LANGUAGE) != text:
            raise LostPartError("it does not come back")
    return after


def _kept(image):
    """The metadata that are not the description."""
    exif = image.read_exif("latin-1")
    return (
        {key: value for key, value in image.read_xmp().items() if key != XMP},
        {k: v for k, v in image.read_iptc("latin-1").items() if k not in (IPTC, CHARSET)},
        # The places of data in the file change.
        {k: v for k, v in exif.items() if k != EXIF and not any(each in k for each in _PLACES)},
        image.read_comment("latin-1"),
        image.read_thumbnail(),
    )


def _by_language(image):
    """The descriptions by their languages."""
    texts = image.read_xmp().get(XMP) or {}
    return texts if isinstance(texts, dict) else {LANGUAGE: texts}


def _modify_iptc(image, text):
    """Writes the description into IPTC, in the encoding of the other texts there."""
    iptc = image.read_iptc("latin-1")  # every byte is a character
    others = "".join(
        "".join(value)  # a text, or several of a keyword
        for key, value in iptc.items()
        if key not in (IPTC, CHARSET)
    )
    if iptc.get(CHARSET) == UTF8 or others.isascii():
        image.modify_iptc({CHARSET: UTF8, IPTC: text})
    elif _is_utf8(others):
        image.modify_iptc({IPTC: text})
    else:
        fits = max(text) < "\u0100"
        image.modify_iptc({IPTC: text if fits else None}, "latin-1")


def _is_utf8(characters):
    try:
        characters.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
    pyexiv2.set_log_level(3)  # errors are raised; warnings would be printed
    return pyexiv2
