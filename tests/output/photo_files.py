"""Photos as cameras, phones and archives write them, built byte by byte."""

import struct

from tests.hostile import encoded, photo

ASCII, BYTE, LONG, UNDEFINED = 2, 1, 4, 7  # types of TIFF
DESCRIPTION, COMMENT = 0x010E, 0x9286  # EXIF's ImageDescription and UserComment
TITLE, XP_COMMENT, SUBJECT, KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9F, 0x9C9E  # Windows' own, in UTF-16
MAKE, MODEL = 0x010F, 0x0110
_EXIF_FOLDER = 0x8769
_TYPES = {COMMENT: UNDEFINED, TITLE: BYTE, XP_COMMENT: BYTE, SUBJECT: BYTE, KEYWORDS: BYTE}


def exif(fields, order="<"):
    """EXIF data of fields, a dict from tag to bytes; `order` is "<" or ">"."""
    inner = {tag: value for tag, value in fields.items() if tag == COMMENT}
    outer = {tag: value for tag, value in fields.items() if tag != COMMENT}
    first = _folder(outer | ({_EXIF_FOLDER: 0} if inner else {}), 8, order)
    if inner:
        outer[_EXIF_FOLDER] = 8 + len(first)
        first = _folder(outer, 8, order) + _folder(inner, 8 + len(first), order)
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8) + first


def _folder(fields, start, order):
    entries, data = b"", b""
    end = start + 2 + 12 * len(fields) + 4
    for tag, value in sorted(fields.items()):
        kind = LONG if isinstance(value, int) else _TYPES.get(tag, ASCII)
        if isinstance(value, int):
            count, value = 1, struct.pack(order + "I", value)
        else:
            count = len(value)
        if len(value) > 4:
            value, data = struct.pack(order + "I", end + len(data)), data + value + bytes(count % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    return struct.pack(order + "H", len(fields)) + entries + bytes(4) + data


def iptc(fields):
    """IPTC data of (record, data set, bytes), as Photoshop's block has it."""
    data = b"".join(struct.pack(">BBBH", 28, *each[:2], len(each[2])) + each[2] for each in fields)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)
    return b"Photoshop 3.0\0" + block


def xmp(body="", attributes=""):
    """An XMP packet around properties."""
    return (
        b"http://ns.adobe.com/xap/1.0/\0"
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        + attributes.encode()
        + b">"
        + body.encode()
        + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def dc(name, text, language="x-default"):
    """A property of Dublin Core in XMP."""
    return (
        f'<dc:{name}><rdf:Alt><rdf:li xml:lang="{language}">{text}</rdf:li></rdf:Alt></dc:{name}>'
    )


def segment(marker, data):
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(*segments, behind=b"", image=None):
    """A JPEG with segments before its tables, and bytes behind its end."""
    content = encoded(image or photo((320, 240)), "JPEG")
    return content[:2] + b"".join(segments) + content[2:] + behind


def with_exif(fields, order="<"):
    """A segment of EXIF data."""
    return segment(0xE1, b"Exif\0\0" + exif(fields, order))


def with_iptc(*fields):
    """A segment of IPTC data."""
    return segment(0xED, iptc(fields))


def with_xmp(body="", attributes=""):
    """A segment of XMP."""
    return segment(0xE1, xmp(body, attributes))


def comment(text):
    """A segment of a comment."""
    return segment(0xFE, text)


def several_pictures(before, behind, count, order="<", further=None):
    """A JPEG with further pictures behind it, and the table of their places in its header.

    Args:
        before: list of bytes. Segments before the table.
        behind: list of bytes. Segments behind it.
        count: int. Pictures.
        order: str. Of the table's bytes.
        further: list of bytes. The further pictures. Defaults to some made here.
    """
    further = further or [encoded(photo((100 + n, 80)), "JPEG") for n in range(count - 1)]
    table = segment(0xE2, b"MPF\0" + _places(order, [(0, 0)] * count))
    first = jpeg(*before, table, *behind)
    start = first.index(b"MPF\0") + 4
    entries, end = [(len(first), 0)], len(first)
    for each in further:
        entries.append((len(each), end - start))
        end += len(each)
    table = segment(0xE2, b"MPF\0" + _places(order, entries))
    return b"".join([jpeg(*before, table, *behind), *further])


def _places(order, entries):
    """The table of the Multi-Picture Format, of (length, place) of each picture."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    fields = struct.pack(order + "HHHI4s", 3, 0xB000, UNDEFINED, 4, b"0100")
    fields += struct.pack(order + "HHII", 0xB001, LONG, 1, len(entries))
    fields += struct.pack(order + "HHII", 0xB002, UNDEFINED, 16 * len(entries), 50)
    kinds = [0x030000] + [0x020002] * (len(entries) - 1)
    table = b"".join(
        struct.pack(order + "IIIHH", kind, length, place, 0, 0)
        for kind, (length, place) in zip(kinds, entries, strict=True)
    )
    return head + fields + bytes(4) + table
