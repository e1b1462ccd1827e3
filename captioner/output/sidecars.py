"""Captions beside their pictures: photo.txt beside photo.jpg, a caption a line."""

import os

from captioner.errors import CaptionerError
from captioner.text_files import replacing_text


class SidecarError(CaptionerError):
    """A caption file that cannot be written beside its picture."""


def sidecar_of(picture):
    """The path of the caption file beside a picture."""
    return os.path.splitext(picture)[0] + ".txt"


def has_sidecar(picture):
    """Whether there is a caption file beside a picture."""
    return os.path.lexists(sidecar_of(picture))


def write_sidecar(picture, captions):
    """Writes a picture's captions beside it, a list of `Caption`, or leaves an older file whole.

    Raises:
        SidecarError: It cannot be written.
    """
    try:
        with replacing_text(sidecar_of(picture), encoding="utf-8", newline="\n") as file:
            file.writelines(each.text + "\n" for each in captions)
    except CaptionerError as error:
        raise SidecarError(str(error)) from error
