"""Captions beside their pictures: photo.txt beside photo.jpg, one caption per line."""

import os
import re

from captioner.errors import CaptionerError, require
from captioner.finding import CAPTION_ENDINGS, is_picture
from captioner.images import describe
from captioner.text_files import replacing_text

ENDING = CAPTION_ENDINGS[0]


class SidecarError(CaptionerError):
    """A caption file that cannot be written beside its picture."""


def sidecar_ending(ending):
    """The ending of caption files, with its dot.

    Args:
        ending: str. With or without the dot.

    Raises:
        CaptionerError: It is empty, has other characters than a name's, or is that of a picture.

    Example:
    >>> sidecar_ending("caption")
    '.caption'
    """
    made = "." + ending.removeprefix(".")
    require(
        re.fullmatch(r"(\.[\w-]+)+", made) and not is_picture("name" + made),
        f"--caption-extension {ending!r}: give an ending of text files, such as .txt or .caption",
    )
    return made


def sidecar_of(picture, ending=ENDING):
    """The path of the caption file beside a picture."""
    return os.path.splitext(picture)[0] + ending


def has_sidecar(picture, ending=ENDING):
    """Whether there is a caption file beside a picture."""
    return os.path.lexists(sidecar_of(picture, ending))


def write_sidecar(picture, captions, ending=ENDING):
    """Writes a picture's captions beside it, a list of `Caption`, or leaves an older file whole.

    Raises:
        SidecarError: It cannot be written.
    """
    try:
        with replacing_text(sidecar_of(picture, ending), encoding="utf-8", newline="\n") as file:
            file.writelines(each.text + "\n" for each in captions)
    except CaptionerError as error:
        raise SidecarError(str(error)) from error


def pictures_to_do(pictures, existing, ending=ENDING):
    """The pictures to caption where captions go beside them.

    A caption file that is there may be people's work. Of two pictures that would have the same
    caption file the second is refused.

    Args:
        pictures: iterable of str.
        existing: str. What happens to a picture that has a caption file: `"refuse"`; `"skip"`, it
            is done; `"keep"`, it is captioned and its file stays; or `"replace"`.

    Returns:
        (list of str, list of str): the pictures, each once; and lines about those that are refused.

    Example:
    >>> pictures_to_do(["a.jpg", "a.png"], existing="skip")  # and there is no a.txt
    (['a.jpg'], ['a.png: a.txt is of a.jpg, which has the same name'])
    """
    todo, refused, have_one, owners = [], [], [], {}
    for picture in dict.fromkeys(pictures):
        beside = sidecar_of(picture, ending)
        owner = owners.setdefault(beside, picture)
        has_one = has_sidecar(picture, ending)
        if owner != picture:
            refused.append(
                f"{describe(picture)}: {describe(beside)} is of {describe(owner)}, which has the "
                "same name"
            )
        elif has_one and existing == "refuse":
            have_one.append(f"{describe(picture)}: {describe(beside)}")
        elif not (has_one and existing == "skip"):
            todo.append(picture)
    if len(have_one) == 1:
        refused += [
            f"{have_one[0]} exists already; --overwrite replaces it, --resume skips the picture"
        ]
    elif have_one:
        refused += [
            f"{len(have_one)} pictures have a caption file already; --overwrite replaces them, "
            "--resume skips them"
        ]
    return todo, refused
