"""The words of people that a picture file has already, in any of the fields that programs use."""

import json
import re

# Where people's words may be, the first that programs show first. Titles count: Windows has a
# title, a subject and comments, but no description.
XMP, IPTC, EXIF = "Xmp.dc.description", "Iptc.Application2.Caption", "Exif.Image.ImageDescription"
CHARSET = "Iptc.Envelope.CharacterSet"
UTF8 = "\x1b%G"  # the mark of IPTC texts in UTF-8 (ISO 2022)
LANGUAGE = 'lang="x-default"'
_USER_COMMENT = "Exif.Photo.UserComment"
_WINDOWS = ("Exif.Image.XPComment", "Exif.Image.XPTitle", "Exif.Image.XPSubject")
_FURTHER_IPTC = ("Iptc.Application2.Headline", "Iptc.Application2.ObjectName")
_FURTHER_XMP = (
    "Xmp.dc.title", "Xmp.photoshop.Headline", "Xmp.exif.UserComment", "Xmp.tiff.ImageDescription",
    "Xmp.iptc.AltTextAccessibility", "Xmp.iptc.ExtDescrAccessibility",
)  # fmt: skip
COMMENT = "comment"  # of JPEG, and the description of PNG

# Of these alone no person's words are made: what cameras, phones and programs fill in.
_FILLED_IN = """
agfa apple asus benq canon casio dji epson fuji fujifilm ge google gopr gopro honor hp htc huawei
jenoptik jvc kodak konica kyocera leica lg minolta motorola nikon nokia olympus oneplus oppo
panasonic pentax polaroid realme ricoh samsung sanyo sharp sigma sony toshiba vivitar vivo
xiaomi eastman medion praktica rollei traveler digimax finepix powershot
co company computer corp corporation electronics imaging inc ltd optical technologies
camera dcim default description digital dsc dscf dscn exif file hdr image img imgp jpeg jpg
media mvimg null none pano photo picture png pxl screenshot still stillcamera tif tiff
undefined unknown untitled user comment comments vid
bty cof dav edf fznor hdrpl mde nor oznor oznorco ozedf ptr rbt rhdr rptnbt sdr mpt
"""
_NO_WORDS = set(_FILLED_IN.split())
_PROGRAMS = (
    "(adobe )?photoshop|(adobe )?lightroom|canva|corel\\w*|ezgif|gimp|graphicsmagick|imagemagick"
    "|instagram|irfanview|jpegmini|microsoft office|paint\\.net|picasa|snapseed|vsco|xnview"
)
_WHOLE_TEXTS = [
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # Created with GIMP; File written by Adobe Photoshop 5.2; Processed with VSCO with a4 preset
        r"(created|made|edited|processed|optimi[sz]ed|compressed|generated|converted|resized|saved"
        r"|exported|file written|captured)\b.{0,20}?\b(with|by|using|on|in) .{0,20}?"
        rf"({_PROGRAMS})\b.{{0,60}}",
        rf"({_PROGRAMS})( (cs|cc|elements|lightroom|camera raw))*[\s\d.v]*"
        r"(\((windows|macintosh)\))?",
        r"(creator: )?(acd systems|applemark|gd-jpeg|handmade software|ijg jpeg|intel\(r\) jpeg"
        r"|jpeg-recompress|lavc\d|lead technologies|libjpeg|mozjpeg|u-lead).*",
        r"my beautiful picture",  # of some cheap cameras
    )
]
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_SETTINGS = re.compile(r"(\s*[\w-]+: ?[^;:]*;){3}")  # filter: 0; touch: (-1.0, -1.0); sceneMode: 8;


def words_in(image):
    """What people say about a picture, in its metadata.

    Args:
        image: pyexiv2.ImageData, or pyexiv2.Image.

    Returns:
        dict from the name of the field to str, the first to be shown first; {} where there are
        none but a camera's or a program's own, such as OLYMPUS DIGITAL CAMERA.

    Raises:
        RuntimeError, UnicodeDecodeError: The metadata are damaged.
    """
    exif, iptc, xmp = image.read_exif("latin-1"), image.read_iptc("latin-1"), image.read_xmp()
    texts = {
        XMP: _first(xmp.get(XMP)),
        IPTC: iptc_text(iptc, IPTC),
        EXIF: _decoded(_as_bytes(exif.get(EXIF))),
        _USER_COMMENT: _user_comment(exif.get(_USER_COMMENT, "")),
        **{key: exif.get(key, "") for key in _WINDOWS},
        **{key: _first(xmp.get(key)) for key in _FURTHER_XMP},
        **{key: iptc_text(iptc, key) for key in _FURTHER_IPTC},
        COMMENT: _decoded(_as_bytes(image.read_comment("latin-1"))),
    }
    camera = _parts(f"{exif.get('Exif.Image.Make', '')} {exif.get('Exif.Image.Model', '')}")
    cleaned = {key: text.split("\0")[0].strip() for key, text in texts.items()}
    return {key: text for key, text in cleaned.items() if is_words(text, camera)}


def is_words(text, camera=()):
    """Whether a text was written by a person, as far as can be seen.

    Args:
        text: str.
        camera: set of str. The words of the camera's name. Defaults to none.

    Example:
    >>> is_words("Grandmother at the lake"), is_words("OLYMPUS DIGITAL CAMERA")
    (True, False)
    """
    parts = _parts(text)
    return bool(
        parts - _NO_WORDS - set(camera)
        and not any(pattern.fullmatch(text) for pattern in _WHOLE_TEXTS)
        and not _is_data(text)
    )


def iptc_text(iptc, key):
    """A text of IPTC, in UTF-8 or Latin-1, marked or not.

    Args:
        iptc: dict. As pyexiv2 reads it in Latin-1, in which every byte is a character.
        key: str.
    """
    value = iptc.get(key) or ""
    return _decoded(_as_bytes(" ".join(value) if isinstance(value, list) else value))


def _parts(text):
    """The words of a text; one letter is none, but one Chinese character is."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return {each for each in found if len(each) > 1 or not each.isascii()}


def _is_data(text):
    """Whether it is data, as phones keep in comments."""
    if _CONTROL.search(text) or _SETTINGS.match(text):
        return True
    if text[:1] not in "{[":
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _first(value):
    """The text of an XMP property: in the default language, else in the first."""
    if isinstance(value, dict):
        texts = [value.get(LANGUAGE), *value.values()]
        return next((each for each in texts if each and each.strip()), "")
    if isinstance(value, list):
        return " ".join(value)
    return value or ""


def _as_bytes(text):
    return (text or "").encode("latin-1")


def _decoded(content, encodings=("utf-8", "cp1252", "latin-1")):
    for encoding in encodings[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode(encodings[-1])


def _user_comment(value):
    """The text of EXIF's UserComment, which begins with the name of its encoding.

    Args:
        value: str. As Exiv2 shows it: `charset=Unicode ...`; or the numbers of the bytes, where
            the field has the wrong type.
    """
    if re.fullmatch(r"\d{1,3}( \d{1,3}){8,}", value):
        content = bytes(int(each) & 255 for each in value.split())
        name, content = content[:8].rstrip(b"\0 ").decode("latin-1"), content[8:]
        if name == "UNICODE":
            return _likelier(content.decode("utf-16-le", "replace"))
    else:
        found = re.match(r"charset=(\w+) ", value)
        name, content = (found[1], value[found.end() :]) if found else ("", value)
        content = _as_bytes(content)
        if name == "Unicode":
            return _likelier(content.decode("utf-8", "replace"))
    if name.upper() == "JIS":
        is_escaped = b"\x1b" in content
        return _decoded(content, ("iso2022_jp" if is_escaped else "euc_jp", "shift_jis", "latin-1"))
    return _decoded(content)


def _likelier(text):
    """Text of UTF-16 that may have been read in the wrong order of bytes."""
    swapped = text.encode("utf-16-le", "surrogatepass").decode("utf-16-be", "replace")
    return max(text, swapped, key=lambda each: sum(char < "\u0250" for char in each)).lstrip(
        "\ufeff"
    )
