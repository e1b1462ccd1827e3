"""Small random changes to training pictures, which their captions stay true of."""

import re

import numpy as np
from PIL import Image

SIDES = re.compile(r"\b(left|right|leftmost|rightmost)\b", re.IGNORECASE)
SMALLEST_CROP = 0.8  # of the height and of the width


def may_mirror(captions):
    """Whether no caption says left or right, so that the mirrored picture suits them as well."""
    return not any(SIDES.search(caption) for caption in captions)


def augment(pixels, mirror, rng):
    """A random crop at the old size, mirrored half of the time where that is allowed.

    Args:
        pixels: uint8 array (height, width, 3).
        mirror: bool. Whether the picture may be mirrored.
        rng: numpy Generator.

    Returns:
        uint8 array (height, width, 3).
    """
    height, width = pixels.shape[:2]
    crop_height, crop_width = rng.uniform(SMALLEST_CROP, 1, size=2) * (height, width)
    top, left = rng.uniform(0, 1, size=2) * (height - crop_height, width - crop_width)
    box = (left, top, left + crop_width, top + crop_height)
    cropped = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box)
    cropped = np.asarray(cropped)
    return cropped[:, ::-1] if mirror and rng.random() < 0.5 else cropped
