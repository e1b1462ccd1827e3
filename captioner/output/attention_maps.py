"""Where each word of a caption looked, as a picture for each picture."""

import itertools
import os

from captioner.errors import CaptionerError, cannot_be, require
from captioner.files import replacing
from captioner.images import read_image

SHOWN = 448  # pixels of the longer side of the picture under each word


class AttentionMaps:
    """Writes FOLDER/NAME.png for each picture NAME.jpg; NAME-2.png where that name is taken.

    Args:
        folder: str. Made if need be; older maps of the same names are replaced.

    Raises:
        CaptionerError: The folder cannot be made.

    Example:
    >>> maps = AttentionMaps("maps")
    >>> for _, path, captions in model.generate_all(["a.jpg"], with_attention=True):
    ...     maps.write(path, captions[0])
    """

    def __init__(self, folder):
        self._folder = folder
        self._taken = set()
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise CaptionerError(cannot_be("made", folder, error)) from error

    def write(self, picture, caption):
        """Writes where a `Caption` looked.

        Raises:
            CaptionerError: The model has no attention, or the file cannot be written.
        """
        require(
            caption.attention is not None,
            "--attention-maps: this captioner does not report where it looks; train one with "
            "--attention additive, and give its .keras file, not an exported folder",
        )
        # matplotlib takes half a second to import.
        from captioner.output import reports

        path = os.path.join(self._folder, self._name(picture) + ".png")
        figure = reports.attention(read_image(picture, SHOWN), caption)
        try:
            with replacing(path) as unfinished:
                figure.savefig(unfinished, format="png")
        except OSError as error:
            raise CaptionerError(cannot_be("written", path, error)) from error

    def _name(self, picture):
        stem = os.path.splitext(os.path.basename(picture))[0]
        names = itertools.chain([stem], (f"{stem}-{count}" for count in itertools.count(2)))
        name = next(each for each in names if each not in self._taken)
        self._taken.add(name)
        return name
