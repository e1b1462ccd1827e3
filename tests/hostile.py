"""Files as strangers and broken disks leave them: pictures of every wrong kind, and mutations."""

import copy
import io
import json
import os
import re
import struct

import numpy as np
from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def photo(size=(60, 40)):
    """A picture with something in it, always the same."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x * y) % 256], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(image, format, **settings):
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **settings)
    return buffer.getvalue()


def good_pictures(folder):
    """Writes pictures that are unusual, but whole; returns their paths."""
    red, blue = Image.new("RGB", (40, 30), RED), Image.new("RGB", (40, 30), BLUE)
    several = {"save_all": True, "append_images": [blue]}
    palette = red.convert("P")
    palette.info["transparency"] = 1
    pictures = {
        "one.png": (Image.new("RGB", (1, 1), RED), {}),
        "strip.png": (Image.new("L", (65535, 1), 9), {}),
        "tower.jpg": (Image.new("RGB", (2, 65500), RED), {}),
        "cmyk.jpg": (red.convert("CMYK"), {}),
        "lab.tif": (Image.new("LAB", (40, 30), (50, 128, 128)), {}),
        "grey_alpha.png": (red.convert("LA"), {}),
        "sixteen.png": (Image.fromarray(np.full((30, 40), 40000, np.uint16)), {}),
        "float.tif": (Image.fromarray(np.full((30, 40), 0.5, np.float32)), {}),
        "ints.tif": (Image.fromarray(np.full((30, 40), 70000, np.int32)), {}),
        "one_bit.tif": (Image.new("1", (40, 30), 1), {"compression": "group4"}),
        "palette.png": (palette, {}),
        "moving.gif": (red, several),
        "moving.webp": (red, several),
        "moving.png": (red, several),
        "pages.tif": (red, several),
        "wide.qoi": (red, {}),
        "large.jp2": (red, {}),
        "new.avif": (red, {}),
        "icon.ico": (red, {}),
        "old.pcx": (red, {}),
        "two\nlines.png": (red, {}),
        "a\ttab.png": (red, {}),
        "'quotes\" & $HOME.png": (red, {}),
        os.fsdecode(b"not utf-8 \xff\xfe.png"): (red, {}),
        "-dash.png": (red, {}),
        "naïve 猫 🐈.png": (red, {}),
    }
    paths = []
    for name, (image, settings) in pictures.items():
        path = os.path.join(folder, name)
        image.save(path, **settings)
        paths.append(path)
    for name, format in (("liar.jpg", "PNG"), ("no_ending", "WEBP"), ("CAPITALS.JPG", "JPEG")):
        paths.append(os.path.join(folder, name))
        red.save(paths[-1], format)
    # A CMYK file of Adobe's is YCCK where its marker says so.
    content = encoded(red.convert("CMYK"), "JPEG")
    marker = content.index(b"Adobe")
    paths.append(os.path.join(folder, "ycck.jpg"))
    with open(paths[-1], "wb") as file:
        file.write(content[: marker + 11] + b"\x02" + content[marker + 12 :])
    return paths


def bad_pictures(folder):
    """Writes files that cannot be captioned; returns a dict from path to part of the reason."""
    whole = encoded(photo(), "JPEG")
    files = {
        "empty.jpg": (b"", "file is empty"),
        "zeros.png": (bytes(5000), "not a picture"),
        "text.jpg": (b"dear diary", "not a picture"),
        "page.html.png": (b"<html><body>404</body></html>", "not a picture"),
        "half.jpg": (whole[: len(whole) // 2], "(?i)truncated"),
        "head.jpg": (whole[:30], "not a picture|cannot be"),
        "svg.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture"),
        "bomb.png": (encoded(Image.new("1", (20000, 20000)), "PNG"), "megapixels"),
        "nan.tif": (
            encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"),
            "not numbers",
        ),
        "script.eps": (encoded(Image.new("RGB", (9, 9)), "EPS"), "not a picture"),
        "script.jpg": (encoded(Image.new("RGB", (9, 9)), "EPS"), "not a picture"),
        "huge.ppm": (b"P6 99999 99999 255\n" + bytes(999), "megapixels"),
    }
    expected = {}
    for name, (content, reason) in files.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        expected[path] = reason
    for name, make, reason in (
        ("folder.jpg", os.mkdir, "folder"),
        ("pipe.jpg", os.mkfifo, "not a regular file"),
        ("loop.jpg", lambda path: os.symlink(path, path), "symbolic link"),
        ("gone.jpg", lambda path: os.symlink(path + ".not", path), "No such file"),
    ):
        path = os.path.join(folder, name)
        make(path)
        expected[path] = reason
    return expected


def in_iptc(content):
    """A picture file wrapped as IPTC/NAA: Pillow opens by itself what is in it."""

    def field(record, dataset, data):
        return struct.pack(">BBBH", 0x1C, record, dataset, len(data)) + data

    size = struct.pack(">I", 8)
    head = field(3, 60, b"\x01\x00") + field(3, 20, size) + field(3, 30, size)
    parts = [field(8, 10, content[n : n + 30000]) for n in range(0, len(content), 30000)]
    return head + field(3, 120, b"\x01") + b"".join(parts) + bytes(5)


def many_scans(scans):
    """A JPEG of a few kilobytes that takes long: a large picture in very many scans."""
    content = encoded(Image.new("L", (3000, 3000), 128), "JPEG", progressive=True)
    starts = [found.start() for found in re.finditer(b"\xff\xda", content)]
    last = content[starts[-1] : -2]
    return content[:-2] + scans * last + content[-2:]


ODD_VALUES = (
    None, True, False, 0, -1, 1.5, 2**70, float("nan"), float("inf"), "", " ", "\0", "\ud800",
    "a\nb", "../../etc/passwd", "/etc/passwd", "C:\\x", "é" * 300, "\u202e", [], [[]], {}, {"": 0},
)  # fmt: skip
ODD_BYTES = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b"\t", b"#",
    b"[" * 5000, b"{", b"\\u", b"9" * 5000, b"\x1b[2J", b"|||", b"<end>",
)  # fmt: skip


def mutated_json(document, rng):
    """A JSON document with some of its parts replaced, taken out, doubled or exchanged; bytes."""
    document = copy.deepcopy(document)
    for _ in range(rng.integers(1, 4)):
        holders = list(_holders(document))
        holder = holders[rng.integers(len(holders))]
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            continue
        key = keys[rng.integers(len(keys))]
        change = rng.integers(4)
        if change == 0:
            holder[key] = ODD_VALUES[rng.integers(len(ODD_VALUES))]
        elif change == 1:
            del holder[key]
        elif change == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            other = keys[rng.integers(len(keys))]
            holder[key], holder[other] = holder[other], holder[key]
    return json.dumps(document).encode()


def _holders(value):
    """The objects and lists of a JSON document."""
    if isinstance(value, (dict, list)):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)


def mutated_bytes(content, rng):
    """Bytes with some changed, cut out, put in, or written twice."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = rng.integers(len(content) + 1)
        change = rng.integers(5)
        if change == 0 and place < len(content):
            content[place] ^= 1 << rng.integers(8)
        elif change == 1:
            content[place:place] = ODD_BYTES[rng.integers(len(ODD_BYTES))]
        elif change == 2:
            del content[place : place + rng.integers(1, 40)]
        elif change == 3:
            content[place:place] = content[place : place + rng.integers(1, 200)]
        else:
            del content[place + rng.integers(2000) :]
    return bytes(content)
