"""Captions beside their pictures: photo.txt beside photo.jpg, one caption per line."""

import os

from captioner.errors import CaptionerError
from captioner.images import describe
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


def pictures_to_do(pictures, existing):
    """The pictures to caption where captions go beside them.

    A caption file that is there may be people's work. Of two pictures that would have the same
    caption file the second is refused.

    Args:
        pictures: iterable of str.
        existing: str. What happens to a picture that has a caption file: `"refuse"`; `"skip"`, it
            is done; `"keep"`, it is captioned and its file stays; or `"replace"`.

    Returns:
        (list of str, list of str): the pictures, each once; and a line for each that is refused.

    Example:
    >>> pictures_to_do(["a.jpg", "a.png"], existing="skip")  # and there is no a.txt
    (['a.jpg'], ['a.png: a.txt is of a.jpg, which has the same name'])
    """
    todo, refused, owners = [], [], {}
    for picture in dict.fromkeys(pictures):
        owner = owners.setdefault(sidecar_of(picture), picture)
        problem = None
        if owner != picture:
            problem = f"is of {describe(owner)}, which has the same name"
        elif has_sidecar(picture) and existing == "skip":
            continue
        elif has_sidecar(picture) and existing == "refuse":
            problem = "exists already; --overwrite replaces it, --resume skips the picture"
        if problem:
            refused.append(f"{describe(picture)}: {describe(sidecar_of(picture))} {problem}")
        else:
            todo.append(picture)
    return todo, refused
