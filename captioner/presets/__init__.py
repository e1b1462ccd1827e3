"""The shipped captioners, each in two forms: NAME.keras, and NAME.litert for LiteRT."""

import os

from captioner.errors import CaptionerError
from captioner.lite_captioner import is_exported

FOLDER = os.path.dirname(os.path.abspath(__file__))


def find_model(name):
    """The path of a model given as a file, as an exported folder or as the name of a shipped one.

    Args:
        name: str.

    Raises:
        CaptionerError: There is no such model.
    """
    name = os.fspath(name)
    if os.path.isfile(name) or is_exported(name):
        return name
    shipped = sorted(each[:-6] for each in os.listdir(FOLDER) if each.endswith(".keras"))
    if name in shipped:
        return os.path.join(FOLDER, name + ".keras")
    what = "is a folder, not a model file" if os.path.isdir(name) else "no such model"
    raise CaptionerError(
        f"{name}: {what}; give a .keras file or one of the shipped: {', '.join(shipped) or 'none'}"
    )


def exported_form(name):
    """The folder with the LiteRT form of a shipped captioner, or None."""
    path = os.path.join(FOLDER, name + ".litert")
    return path if is_exported(path) and not os.path.exists(name) else None
