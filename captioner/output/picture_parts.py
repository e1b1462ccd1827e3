"""What a picture file holds besides metadata: still there, to the byte, once these are rewritten.

Many files hold several pictures: a phone's gain map for HDR screens, the pages of a scan, a video
behind the photo. Not every program that rewrites metadata keeps them, so this is checked; and the
places of further pictures in a JPEG are corrected.
"""

import struct
from typing import NamedTuple

_COMMENT, _PIXELS = 0xFE, 0xDA  # segments of JPEG
_XMP_START, _PHOTOSHOP_START = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
_PROFILE_START, _PLACES_START = b"ICC_PROFILE\0", b"MPF\0"
_PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_PNG_METADATA = (b"XML:com.adobe.xmp", b"Raw profile type ", b"Description")
_WEBP_METADATA = {b"VP8X", b"EXIF", b"XMP "}  # VP8X says which of the others there are
_IPTC_BLOCKS = {0x0404, 0x0425}  # IPTC and its checksum, of Photoshop's blocks
_TIFF_METADATA = {270, 700, 33723, 34377, 34665, 34853}
_TIFF_DATA = {273: 279, 324: 325, 513: 514}  # where pixels are -> how long they are
_TIFF_FOLDERS = 330
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
MOST_PAGES = 10_000


class LostPartError(Exception):
    """A part of the file would be lost; the message says which."""


def refitted(before, after):
    """A file with rewritten metadata, in which every other part of the older one is in its place.

    Args:
        before: bytes. The file as it was: JPEG, PNG, WebP, TIFF or JPEG 2000.
        after: bytes. What Exiv2 has made of it.

    Returns:
        bytes.

    Raises:
        LostPartError: A part is not there any more, or the file is of another kind.
    """
    for starts, refit in (
        ((b"\xff\xd8",), _refit_jpeg),
        ((b"\x89PNG\r\n\x1a\n",), _refit_png),
        ((b"RIFF",), _refit_webp),
        ((b"II*\0", b"MM\0*"), _refit_tiff),
        ((b"\0\0\0\x0cjP  ",), _refit_jpeg2000),
    ):
        if before.startswith(starts) and after.startswith(starts):
            try:
                return refit(before, after)
            except (IndexError, struct.error, ValueError) as error:
                raise LostPartError("it is damaged") from error
    raise LostPartError("only JPEG, PNG, WebP, TIFF and JPEG 2000 can be written")


def _require_same(before, after, what):
    if before != after:
        raise LostPartError(f"{what} would be lost")


class _Segment(NamedTuple):
    marker: int
    start: int  # of its data
    data: bytes


def _segments(content):
    """The segments of a JPEG before its pixels, and where these begin."""
    found, place = [], 2
    while True:
        if content[place] != 0xFF:
            raise ValueError("no marker")
        while content[place + 1] == 0xFF:
            place += 1
        marker = content[place + 1]
        if marker == _PIXELS:
            return found, place
        end = place + 2 + struct.unpack_from(">H", content, place + 2)[0]
        found.append(_Segment(marker, place + 4, content[place + 4 : end]))
        place = end


def _refit_jpeg(before, after):
    old, old_pixels = _segments(before)
    new, new_pixels = _segments(after)
    _require_same(before[old_pixels:], after[new_pixels:], "what is behind the header")
    _require_same(*map(_kept_segments, (old, new)), "a part of the header")
    _require_same(*map(_comments, (old, new)), "a comment")
    _require_same(*map(_colour_profile, (old, new)), "the colour profile")
    _require_same(*map(_photoshop_blocks, (old, new)), "Photoshop's data")
    return _with_places_corrected(after, old, new, old_pixels, new_pixels)


def _kept_segments(segments):
    """Those that Exiv2 does not write anew, and may not move."""
    written_anew = (_XMP_START, b"Exif\0\0", _PHOTOSHOP_START, _PROFILE_START)
    return [
        (each.marker, each.data)
        for each in segments
        if each.marker != _COMMENT and not each.data.startswith(written_anew)
    ]


def _comments(segments):
    """Exiv2 writes the first one anew, without zero bytes at its end."""
    return sorted(each.data.rstrip(b"\0") for each in segments if each.marker == _COMMENT)


def _colour_profile(segments):
    """Its pieces, each behind its number and theirs."""
    return b"".join(
        each.data[len(_PROFILE_START) + 2 :]
        for each in segments
        if each.data.startswith(_PROFILE_START)
    )


def _photoshop_blocks(segments):
    """Photoshop's blocks other than IPTC: (number, name and data)."""
    data = b"".join(
        each.data[len(_PHOTOSHOP_START) :]
        for each in segments
        if each.data.startswith(_PHOTOSHOP_START)
    )
    found, place = [], 0
    while data[place : place + 4] == b"8BIM":
        [number, name] = struct.unpack_from(">HB", data, place + 4)
        place += 6 + (name + 2) // 2 * 2
        end = place + 4 + struct.unpack_from(">I", data, place)[0]
        if number not in _IPTC_BLOCKS:
            found.append((number, data[place:end]))
        place = end + end % 2
    return found


def _with_places_corrected(content, old, new, old_pixels, new_pixels):
    """The JPEG with right places of its further pictures (Multi-Picture Format of CIPA DC-007).

    A place counts from the start of the segment that names it, so it changes with what is between
    them; the length of the first picture changes, too.
    """
    content = bytearray(content)
    starts = [_start_of_places(segments) for segments in (old, new)]
    if starts[0] is None:
        return bytes(content)
    moved = (new_pixels - starts[1]) - (old_pixels - starts[0])
    for entry in _place_entries(content, starts[1]):
        order, place = entry
        length, offset = struct.unpack_from(order + "II", content, place + 4)
        if offset == 0:
            struct.pack_into(order + "I", content, place + 4, length + new_pixels - old_pixels)
        elif starts[0] + offset < old_pixels:
            raise LostPartError("a picture in the header")
        else:
            struct.pack_into(order + "I", content, place + 8, offset + moved)
    return bytes(content)


def _start_of_places(segments):
    for each in segments:
        if each.data.startswith(_PLACES_START):
            return each.start + len(_PLACES_START)
    return None


def _place_entries(content, start):
    """Where the entries of the pictures are: (order of bytes, place) of each."""
    order = "<" if content[start : start + 2] == b"II" else ">"
    folder = start + struct.unpack_from(order + "I", content, start + 4)[0]
    for n in range(struct.unpack_from(order + "H", content, folder)[0]):
        tag, _, size, value = struct.unpack_from(order + "HHII", content, folder + 2 + 12 * n)
        if tag == 0xB002:
            yield from ((order, start + value + 16 * picture) for picture in range(size // 16))


def _refit_png(before, after):
    old, old_end = _png_chunks(before)
    new, new_end = _png_chunks(after)
    for texts in (False, True):
        kept = [
            [each for each in chunks if (each[0] in _PNG_TEXTS) == texts] for chunks in (old, new)
        ]
        _require_same(*map(sorted if texts else list, kept), "a part of the picture")
    return after[:new_end] + before[old_end:]  # Exiv2 leaves out what is behind the end


def _png_chunks(content):
    """The chunks that are not metadata, (kind, data) of each, and where the last one ends."""
    found, place = [], 8
    while True:
        [length, kind] = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length]
        place += 12 + length
        is_metadata = kind == b"eXIf" or (kind in _PNG_TEXTS and data.startswith(_PNG_METADATA))
        if not is_metadata:
            found.append((kind, data))
        if kind == b"IEND":
            return found, place


def _refit_webp(before, after):
    old, old_end = _riff_chunks(before)
    new, new_end = _riff_chunks(after)
    _require_same(old, new, "a part of the picture")
    return after[:new_end] + before[old_end:]


def _riff_chunks(content):
    end = 8 + struct.unpack_from("<I", content, 4)[0]
    found, place = [], 12
    while place < end:
        [kind, length] = struct.unpack_from("<4sI", content, place)
        if kind not in _WEBP_METADATA:
            found.append((kind, content[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    return found, end


def _refit_jpeg2000(before, after):
    _require_same(*map(_boxes, (before, after)), "a part of the picture")
    return after


def _boxes(content):
    found, place = [], 0
    while place < len(content):
        [length, kind] = struct.unpack_from(">I4s", content, place)
        if length == 1:
            [length] = struct.unpack_from(">Q", content, place + 8)
        if kind != b"uuid":
            found.append((kind, content[place + 8 : place + length if length else None]))
        if length < 8:  # the last
            break
        place += length
    return found


def _refit_tiff(before, after):
    _require_same(*map(_pages, (before, after)), "a page")
    return after


def _pages(content):
    """The pages of a TIFF with the pictures that belong to each: their fields and pixels."""
    order = "<" if content.startswith(b"II") else ">"
    found, places, seen = [], [struct.unpack_from(order + "I", content, 4)[0]], set()
    while places:
        place = places.pop(0)
        if place == 0 or place in seen:
            continue
        if len(seen) > MOST_PAGES:
            raise ValueError("too many pages")
        seen.add(place)
        fields, following = _fields(content, place, order)
        places += [*_numbers(fields.pop(_TIFF_FOLDERS, (4, b"")), order), following]
        for where, how_long in _TIFF_DATA.items():
            if where in fields and how_long in fields:
                pieces = zip(
                    *(_numbers(fields[tag], order) for tag in (where, how_long)), strict=True
                )
                fields[where] = [content[start : start + length] for start, length in pieces]
        found.append(fields)
    return found


def _fields(content, place, order):
    """The fields of a page that are not metadata, (type, bytes) by number; and the next page."""
    fields = {}
    [count] = struct.unpack_from(order + "H", content, place)
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, count_of_values, start = struct.unpack_from(order + "HHII", content, entry)
        length = _TIFF_SIZES.get(kind, 1) * count_of_values
        start = start if length > 4 else entry + 8
        if tag not in _TIFF_METADATA:
            fields[tag] = (kind, content[start : start + length])
    [following] = struct.unpack_from(order + "I", content, place + 2 + 12 * count)
    return fields, following


def _numbers(field, order):
    """Whole numbers of two or four bytes."""
    kind, content = field
    size, letter = (2, "H") if kind == 3 else (4, "I")
    return struct.unpack(f"{order}{len(content) // size}{letter}", content)
