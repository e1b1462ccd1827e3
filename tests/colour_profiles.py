"""Colour profiles (ICC, version 2), built here from the numbers of their standards."""

import struct

import numpy as np

D50 = (0.9642, 1, 0.8249)  # the white of every profile
# To CIE XYZ of D50, a column for each of red, green and blue.
SRGB_COLOURS = (
    (0.43607, 0.38515, 0.14307),
    (0.22249, 0.71687, 0.06061),
    (0.01392, 0.09708, 0.7141),
)
P3_COLOURS = ((0.51512, 0.29198, 0.1571), (0.2412, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))
ADOBE_COLOURS = (
    (0.60974, 0.20528, 0.14919),
    (0.31111, 0.62567, 0.06322),
    (0.01947, 0.06087, 0.74457),
)
PROPHOTO_COLOURS = ((0.7977, 0.1352, 0.0313), (0.288, 0.7119, 0.0001), (0, 0, 0.8249))


def srgb_curve(values):
    """Linear light of sRGB's values, 0 to 1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_values(light):
    """The other way."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def as_srgb(values, colours, gamma):
    """RGB values 0 to 255 of a colour space as values of sRGB, by the definition of both."""
    light = (np.asarray(values) / 255.0) ** gamma @ np.array(colours).T
    return 255 * srgb_values(light @ np.linalg.inv(np.array(SRGB_COLOURS)).T)


def rgb_profile(colours, gamma):
    """A profile of three colours and a curve: a power, or an array of linear values."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    columns = dict(zip(names, map(_xyz, zip(*colours, strict=True)), strict=True))
    curves = {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {b"wtpt": _xyz(D50), **columns, **curves})


def grey_profile(curve):
    """A profile of grey, by a curve."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(D50), b"kTRC": _curve(curve)})


def cmyk_profile():
    """A profile of a press whose inks are ideal, but for its black, which prints half as dark.

    A table of two steps from CMYK to CIE Lab is enough for that: white paper is L = 100, and the
    inks take away from it in equal parts.
    """
    straight = struct.pack(">HH", 0, 65535)
    steps = []
    for inks in np.ndindex(2, 2, 2, 2):
        cyan, magenta, yellow, black = inks
        lightness = 100 - 25 * (cyan + magenta + yellow) - 12.5 * black
        a, b = 60 * (magenta - cyan), 60 * (yellow - (cyan + magenta) / 2)
        steps += [round(lightness * 652.8), round((a + 128) * 256), round((b + 128) * 256)]
    head = b"mft2" + bytes(4) + bytes([4, 3, 2, 0])
    identity = struct.pack(">9i", *(65536 * int(n in (0, 4, 8)) for n in range(9)))
    table = head + identity + struct.pack(">HH", 2, 2) + 4 * straight
    table += struct.pack(f">{len(steps)}H", *np.clip(steps, 0, 65535)) + 3 * straight
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": table})


def _profile(kind, space, connection, tags):
    name = b"made by a test"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(79)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + b"none\0", **tags}
    start, table, data = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for key, value in tags.items():
        value += bytes(-len(value) % 4)
        table += key + struct.pack(">II", start + len(data), len(value))
        data += value
    length = struct.pack(">I", 128 + len(table) + len(data))
    head = length + b"lcms" + struct.pack(">I", 0x02100000) + kind + space + connection
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, D50))
    return head.ljust(128, b"\0") + table + data


def _fixed(value):
    return struct.pack(">i", round(value * 65536))


def _xyz(values):
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _curve(curve):
    if np.ndim(curve):
        return (
            b"curv"
            + bytes(4)
            + struct.pack(">I", len(curve))
            + np.rint(np.asarray(curve) * 65535).astype(">u2").tobytes()
        )
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(curve * 256)) + bytes(2)


SRGB = rgb_profile(SRGB_COLOURS, srgb_curve(np.linspace(0, 1, 1024)))
DISPLAY_P3 = rgb_profile(P3_COLOURS, 2.2)
ADOBE_RGB = rgb_profile(ADOBE_COLOURS, 2.2)
PROPHOTO = rgb_profile(PROPHOTO_COLOURS, 1.8)
