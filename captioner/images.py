"""Picture files to pixel arrays: every hazard of real files is handled here, once."""

import contextlib
import functools
import io
import os
import stat
import time
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from captioner import heif
from captioner.colours import prepared
from captioner.errors import CaptionerError, cannot_be, reason_of

TURNS = {  # EXIF's orientation -> what turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
THREADS = min(32, max(4, os.cpu_count() or 1))  # Pillow decodes without holding Python's lock
READ_AHEAD = max(16, 2 * THREADS)  # pictures decoded ahead of their use
COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # Pillow has these ready; 40 more take a while
LARGE = 2**24  # pixels; larger pictures are decoded one at a time, to save memory
MOST_AT_ONCE = 2**29  # bytes of a file that are read into memory at once
MOST_SECONDS = 30  # for the decoding of one picture

# Between Pillow's two limits, 89 and 179 megapixels, it only warns; beyond the second it refuses.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Pillow also warns of damaged tags in pictures that it can read all the same.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# One thread, because memory that a thread has freed is seldom used again by another thread.
_large_pictures = ThreadPoolExecutor(1)


class ImageError(CaptionerError):
    """A picture that cannot be read; the message names it and the reason in one line."""


def read_image(source, size):
    """One picture as the encoder takes it.

    The whole picture is resized to the shape, not cropped. It is turned upright as its EXIF data
    say. Of an animation the first frame is taken, and of several pages the first. Transparent areas
    become white, 16-bit values are scaled to 8 bits, and colours are converted to sRGB as the
    picture's colour profile says. Every format is read that Pillow decodes itself, and HEIC with
    the package pillow-heif; PostScript (.eps) is refused, because Pillow would start another
    program for it.

    Args:
        source: a path; the bytes of a picture file; an object whose `read()` returns them, and
            whose `name` is used in messages; a PIL image; or an array (height, width),
            (height, width, 1), (..., 3) or (..., 4): uint8, uint16, or float from 0 to 1 or from
            0 to 255.
        size: tuple (height, width) in pixels; or int, the most pixels of the longer side: the
            picture then keeps its proportions and is never enlarged.

    Returns:
        uint8 array (height, width, 3), RGB, 0 to 255.

    Raises:
        ImageError: The picture cannot be read.

    Example:
    >>> read_image("data/samples/coffee.jpg", (224, 224)).shape
    (224, 224, 3)
    """
    if isinstance(source, Image.Image):
        return _guarded(_pixels, source, size, name=describe(source))
    if isinstance(source, (str, os.PathLike)):
        return _guarded(_read_file, source, size, name=describe(source))
    if isinstance(source, bytes):
        return _guarded(_read_bytes, source, size, name=describe(source))
    if hasattr(source, "read"):
        return _guarded(_read_object, source, size, name=describe(source))
    return _pixels(_from_array(source), size)


def read_images(sources, size, change=None):
    """Any number of pictures, decoded ahead by a few threads; a broken one does not stop it.

    Args:
        sources: iterable of what `read_image` takes. It is read only a little ahead.
        size: tuple (height, width) in pixels.
        change: callable or None. Takes a picture's index and pixels, and returns what to yield in
            their place; the threads call it, in any order. Defaults to `None`.

    Yields:
        (index, source, uint8 array (height, width, 3) or the `ImageError`), in order.

    Example:
    >>> [pixels.shape for _, _, pixels in read_images(["data/samples/cat.jpg"], (224, 224))]
    [(224, 224, 3)]
    """

    def read(index, source):
        try:
            pixels = read_image(source, size)
        except ImageError as error:
            return error
        return pixels if change is None else change(index, pixels)

    waiting = deque()
    with ThreadPoolExecutor(THREADS) as threads:
        try:
            for index, source in enumerate(sources):
                waiting.append((index, source, threads.submit(read, index, source)))
                if len(waiting) >= READ_AHEAD:
                    yield _finished(waiting.popleft())
            while waiting:
                yield _finished(waiting.popleft())
        finally:
            for _, _, future in waiting:
                future.cancel()


def describe(source):
    """The name of a picture in messages: its path in one printable line, or what it is."""
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        return path if path.isprintable() else repr(path)[1:-1]
    if isinstance(source, bytes):
        return f"file of {len(source)} bytes"
    if isinstance(source, Image.Image):
        return getattr(source, "filename", "") or f"{source.width}x{source.height} PIL image"
    if hasattr(source, "read"):
        return describe(str(getattr(source, "name", "file without a name")))
    return f"array of shape {getattr(source, 'shape', '?')}"


def _finished(job):
    index, source, future = job
    return index, source, future.result()


def _guarded(read, source, size, name):
    """`read(source, size)`; whatever goes wrong in it is reported in one line."""
    try:
        return read(source, size)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture, or of a kind that Pillow cannot read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name}: more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} megapixels; make it smaller"
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name}: too large for the memory") from error
    except OSError as error:
        raise ImageError(cannot_be("read", name, error)) from error
    except Exception as error:  # on damaged files decoders raise errors of all kinds
        reason = f"{type(error).__name__}: {reason_of(error)}"
        raise ImageError(cannot_be("decoded", name, reason)) from error


def _read_file(path, size):
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise ImageError(f"{describe(path)}: {kind}")
    with _TimedFile(io.FileIO(path), describe(path), status.st_size) as file:
        return _decoded(file, size)


def _read_bytes(content, size):
    return _decode_bytes(content, describe(content), size)


def _read_object(source, size):
    return _decode_bytes(source.read(), describe(source), size)


def _decode_bytes(content, name, size):
    with _TimedFile(io.BytesIO(content), name, len(content)) as file:
        return _decoded(file, size)


def _decoded(file, size):
    if not file.length:
        raise ImageError(f"{file.name_shown}: file is empty")
    with _opened(file) as image:
        # A JPEG is decoded at a half, a quarter or an eighth where that is still twice the size
        # wanted: large photos cost a fraction of the time and memory, and look the same.
        height, width = (size, size) if isinstance(size, int) else size
        image.draft(None, (2 * width, 2 * height))
        image.decodermaxblock = 4096  # bytes read between two looks at the clock
        is_large = image.width * image.height > LARGE
        if not is_large:
            return _pixels(image, size)
        return _large_pictures.submit(_large_pixels, file, image, size).result()


def _opened(file):
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(file, formats=COMMON)
    file.seek(0)
    try:
        return Image.open(file, formats=_formats())
    except UnidentifiedImageError:
        file.seek(0)
        if not heif.is_heif(file.read(heif.HEAD)):
            raise
    if not heif.is_installed():
        raise ImageError(f"{file.name_shown}: a HEIC picture needs pillow-heif; {heif.INSTALL}")
    heif.register()
    file.seek(0)
    return Image.open(file, formats=["HEIF"])


def _large_pixels(file, image, size):
    file.start_clock()  # it has waited for its turn
    with contextlib.closing(image):  # its memory is free again before the next one starts
        return _pixels(image, size)


class _TimedFile(io.BufferedReader):
    """A picture file that can use up neither the time nor the memory.

    A JPEG of some hundred kilobytes can take hours (scan after scan of a huge picture), and some
    decoders read a file of any length at once. The other decoders read piece by piece, and can be
    stopped between two pieces. Because Pillow gets a file and no path, it also maps none into
    memory: reading a mapped file that becomes shorter kills the process.
    """

    def __init__(self, raw, name_shown, length):
        super().__init__(raw)
        self.name_shown, self.length = name_shown, length
        self.start_clock()

    def start_clock(self):
        """Starts its time again."""
        self._end = time.monotonic() + MOST_SECONDS

    def read(self, size=-1):
        if time.monotonic() > self._end:
            raise ImageError(f"{self.name_shown}: takes more than {MOST_SECONDS} seconds to decode")
        is_all = size is None or size < 0 or size > MOST_AT_ONCE
        if is_all and self.length > MOST_AT_ONCE:
            raise ImageError(
                f"{self.name_shown}: would have to be read at once, and is larger than "
                f"{MOST_AT_ONCE // 2**20} MiB; make it smaller, or a PNG or JPEG"
            )
        return super().read(size)


@functools.cache
def _formats():
    """The formats that Pillow may open: all but those that evade the limits set here.

    PostScript is a program, which Pillow has Ghostscript run. The other ones contain whole pictures
    in further formats, PostScript among them, which Pillow opens by itself.
    """
    Image.init()
    return sorted(set(Image.OPEN) - {"EPS", "IPTC", "BLP", "ICNS", "FPX", "MIC", "WMF"})


def _pixels(image, size):
    image, to_srgb = prepared(_upright(image))
    if isinstance(size, int):
        share = min(1, size / max(image.size))
        size = [max(1, round(share * side)) for side in (image.height, image.width)]
    if image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    if to_srgb is not None:
        image = to_srgb(image)
    return np.asarray(image)  # (height, width, 3)


def _upright(image):
    """The picture turned upright as EXIF says; itself, not a copy, where it is upright already."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _from_array(array):
    array = np.asarray(array)
    name = f"array of shape {array.shape} and type {array.dtype}"
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))
    if not is_picture or not array.size or array.dtype.kind not in "buif":
        raise ImageError(f"{name}: expected numbers, (height, width) or (height, width, 3 or 4)")
    if array.dtype == np.uint8:
        return Image.fromarray(array)
    values = array.astype(np.float32)
    if array.dtype == np.uint16:
        values *= 255 / 65535
    elif array.dtype.kind in "bf" and values.max() <= 1:
        values *= 255  # as matplotlib and scikit-image keep pictures
    if not (values.min() >= 0 and values.max() <= 255):
        raise ImageError(f"{name}: values must be 0 to 255, or 0 to 1 as floats")
    return Image.fromarray((values + 0.5).astype(np.uint8))
