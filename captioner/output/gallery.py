"""A page to look at captions: one HTML file with everything in it, thumbnails too."""

import base64
import io
import json

import numpy as np
from PIL import Image

from captioner.images import ImageError, describe, read_image

THUMBNAIL = 256  # pixels, of the longer side
QUALITY = 70  # of the thumbnails' JPEG; one takes about 8 kB

_PLACE_OF_DATA = '{"about": {}, "entries": [], "failures": []}'


class Gallery:
    """Writes the page piece by piece, so that thousands of pictures need no memory.

    Args:
        file: text file to write to.
        title: str. Defaults to `"captions"`.
        scores: dict from name to float or str. Of the whole set, shown above. Defaults to None.

    Example:
    >>> with open("gallery.html", "w", encoding="utf-8") as file:
    ...     gallery = Gallery(file)
    ...     for _, path, captions in model.generate_all(["a.jpg", "b.jpg"]):
    ...         gallery.add(path, captions)
    ...     gallery.close(failures=[])
    """

    def __init__(self, file, title="captions", scores=None):
        from importlib import resources  # slow to import, and not for every captioning

        page = resources.files("captioner.output").joinpath("gallery.html").read_text("utf-8")
        before, self._after = page.split(_PLACE_OF_DATA)
        self._file = file
        about = {"title": title} | ({"scores": scores} if scores else {})
        self._file.write(f'{before}{{"about": {json_in_script(about)},\n"entries": [')
        self._count = 0

    def add(self, path, captions, references=None, scores=None):
        """Adds a picture.

        Args:
            path: str. Its file.
            captions: list of `Caption`, best first.
            references: list of str or None. What people say. Defaults to `None`.
            scores: dict from name to float or None. Of this picture. Defaults to `None`.
        """
        entry = {
            "image": describe(path),
            "thumbnail": _thumbnail(path),
            "captions": [_entry_of(each) for each in captions],
        }
        if references is not None:
            entry["references"] = references
        if scores is not None:
            entry["scores"] = scores
        self._file.write((",\n" if self._count else "\n") + json_in_script(entry))
        self._count += 1

    def close(self, failures):
        """Ends the page.

        Args:
            failures: list of str. What could not be captioned, a line each.
        """
        self._file.write(f'],\n"failures": {json_in_script(failures)}}}{self._after}')


def _entry_of(caption):
    entry = {
        "text": caption.text,
        "score": round(caption.score, 4),
        "words": caption.words,
        "word_scores": [round(score, 4) for score in caption.word_scores],
    }
    if caption.confidence is not None:
        entry["confidence"] = round(caption.confidence, 4)
    if caption.attention is not None:
        entry["attention"] = as_bytes(caption.attention).tolist()
    return entry


def as_bytes(attention):
    """Where each word looked (words, height, width), from 0 to 255 where it looked most."""
    most = np.max(attention, axis=(1, 2), keepdims=True)
    return np.round(255 * np.asarray(attention) / np.maximum(most, 1e-9)).astype(np.uint8)


def _thumbnail(path):
    buffer = io.BytesIO()
    try:
        pixels = read_image(path, THUMBNAIL)
    except ImageError:  # gone since it was captioned
        return ""
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def json_in_script(value):
    """JSON that may stand in a script element: nothing in it can end the element."""
    return json.dumps(value).replace("<", "\\u003c")
