"""Small random changes to training pictures, which their captions stay true of."""

import re
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

from captioner.images import ImageError, read_images

# English, German, French, Spanish, Portuguese, Italian; Chinese and Japanese.
SIDES = re.compile(
    r"\b(left|right|leftmost|rightmost|links|rechts|linken?|rechten?|gauche|droite|izquierd[ao]"
    r"|derech[ao]|esquerd[ao]|direit[ao]|sinistr[ao]|destr[ao])\b|[左右]",
    re.IGNORECASE,
)
COLOUR_CHANGE = 0.2  # most of brightness, of contrast and of saturation; hues are left as they are


def may_mirror(captions):
    """Whether no caption says left or right, so that the mirrored picture suits them as well."""
    return not any(SIDES.search(caption) for caption in captions)


def augment(pixels, mirror, rng, smallest_crop):
    """A random crop at the old size, a little brighter or paler, mirrored half of the time.

    Args:
        pixels: uint8 array (height, width, 3).
        mirror: bool. Whether the picture may be mirrored.
        rng: numpy Generator.
        smallest_crop: float. Share of the height and of the width that the smallest crop keeps;
            `1` for the whole picture.

    Returns:
        uint8 array (height, width, 3).
    """
    height, width = pixels.shape[:2]
    crop_height, crop_width = rng.uniform(smallest_crop, 1, size=2) * (height, width)
    top, left = rng.uniform(0, 1, size=2) * (height - crop_height, width - crop_width)
    box = (left, top, left + crop_width, top + crop_height)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(1 - COLOUR_CHANGE, 1 + COLOUR_CHANGE))
    changed = np.asarray(image)
    return changed[:, ::-1] if mirror and rng.random() < 0.5 else changed


def read_changed(paths, order, size, mirrored, seed, smallest_crop):
    """Training pictures, read ahead by a few threads, each changed at random by `augment`.

    Args:
        paths: list of str.
        order: int array. Numbers of the pictures, some perhaps more than once.
        size: tuple (height, width) in pixels.
        mirrored: list of bool, for each picture whether it may be mirrored.
        seed: list of int. It and a picture's number decide how the picture is changed.
        smallest_crop: float, as `augment` takes it; or None for the pictures as they are.

    Yields:
        uint8 array (height, width, 3).

    Raises:
        ImageError: A picture cannot be read.
    """

    def change(place, pixels):  # by several threads, in no order: each picture has its own rng
        number = int(order[place])
        rng = np.random.default_rng([*seed, number])
        return augment(pixels, mirrored[number], rng, smallest_crop)

    ordered = (paths[number] for number in order)
    for _, _, pixels in read_images(ordered, size, change if smallest_crop else None):
        if isinstance(pixels, ImageError):
            raise pixels
        yield pixels


class View(NamedTuple):
    """A version of all pictures of a data set, each changed at random, the same every time.

    Attributes:
        number: int. Which version.
        mirrored: list of bool, for each picture whether it may be mirrored.
        seed: int.
        smallest_crop: float. As `augment` takes it.
    """

    number: int
    mirrored: list
    seed: int
    smallest_crop: float

    def __call__(self, picture, pixels):
        """The pixels of a picture, given its number, as this version shows them."""
        rng = np.random.default_rng([self.seed, self.number, picture])
        return augment(pixels, self.mirrored[picture], rng, self.smallest_crop)

    def name(self):
        """What distinguishes this version from every other one, as text."""
        mirrored = "".join("01"[each] for each in self.mirrored)
        return f"{self.seed} {self.number} {self.smallest_crop} {COLOUR_CHANGE} {mirrored}"
