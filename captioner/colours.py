"""Pictures of any kind of pixels to sRGB: what their colour profiles say, eight bits, on white."""

import functools
import io

import numpy as np
from PIL import Image

LARGEST_PROFILE = 2**23  # bytes; those of printing presses take some 2**21
KEPT = 8  # profiles of the last pictures: most pictures of a folder have the same
EXACT = 0x100  # LittleCMS' flag against shortcuts, which are wrong by up to 10 in dark greys
ROUNDING = 2  # of 255; a profile that changes no colour by more is sRGB
# The colour space that a profile names -> the mode in which its pixels are kept until they are
# converted.
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


def prepared(image):
    """A picture to be resized, and what then converts its colours.

    That order is for speed: a conversion takes seconds for the pixels of a large photo, and none
    for those that are left. A profile that is broken, or does not belong to the picture's kind of
    pixels, is ignored; so is that of sRGB itself, so that the pixels stay as they are.

    Args:
        image: PIL image.

    Returns:
        (PIL image, callable or None): the picture without transparency; and what makes an sRGB
        picture of it at any size, or None where it is one already.

    Example:
    >>> image, to_srgb = prepared(Image.open("data/samples/cat.jpg"))
    >>> image.mode, to_srgb
    ('RGB', None)
    """
    mode, to_srgb = _conversion(image)
    if to_srgb is None:
        return as_rgb(image), None
    if mode == image.mode:
        return image, to_srgb
    image = as_rgb(image)
    return image.getchannel(0) if mode == "L" else image, to_srgb


def as_rgb(image):
    """A PIL image as RGB on white; 16-bit and float values are scaled to 8 bits."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image)
        return page
    return image.convert("RGB")


def _eight_bits(image):
    """A grey picture of 16-bit, 32-bit or float values, scaled to 0..255."""
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise OSError("it holds values that are not numbers")
    if image.mode.startswith("I;16"):
        most = 65535
    elif image.mode == "F" and values.max() <= 1:
        most = 1
    else:
        most = 255 if values.max() <= 255 else max(65535, values.max())
    return Image.fromarray(np.clip(values * (255 / most) + 0.5, 0, 255).astype(np.uint8))


def _conversion(image):
    """The mode to keep a picture in, and what converts it; (None, None) where nothing does."""
    profile = image.info.get("icc_profile") or b""
    mode = _MODES.get(profile[16:20])
    is_grey = image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
    is_of_its_pixels = {
        None: False,
        "RGB": image.mode not in ("CMYK", "LAB"),
        "L": is_grey,
        "CMYK": image.mode == "CMYK",
    }[mode]
    if not is_of_its_pixels or len(profile) > LARGEST_PROFILE:
        return None, None
    return mode, _transform(profile, mode)


@functools.lru_cache(KEPT)
def _transform(profile, mode):
    """What converts pictures of a mode; None where the profile is broken or is that of sRGB."""
    try:
        from PIL import ImageCms  # an ImportError where Pillow was built without it

        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        if mode == "L":
            return _grey_table(ImageCms.buildTransform(own, srgb, "L", "RGB", flags=EXACT))
        transform = ImageCms.buildTransform(own, srgb, mode, "RGB")
        if mode == "RGB" and _changes_little(transform, _grid()):
            return None
    except Exception:  # broken profiles raise errors of all kinds
        return None
    return transform.apply


def _grey_table(transform):
    """A transform of grey as a table: as exact as can be, and quicker."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if _changes_little(transform, levels):
        return None
    table = np.asarray(transform.apply(levels))[0]  # (level, channel)
    return lambda image: Image.fromarray(table[np.asarray(image)])


def _grid():
    """Every fifteenth level of red with every fifteenth of green and of blue."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3))


def _changes_little(transform, colours):
    changed = np.asarray(transform.apply(colours)).astype(int)
    return np.abs(changed - np.asarray(colours.convert("RGB"))).max() <= ROUNDING
