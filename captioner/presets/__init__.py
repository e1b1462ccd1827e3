"""The shipped captioners, each in two forms: NAME.keras, and NAME.litert for LiteRT.

It belongs to the road: it may import modules of `captioner` itself, and any module may import it.
"""

import os
import warnings

from captioner.errors import CaptionerError, ReplacedModelWarning
from captioner.lite_captioner import is_exported

FOLDER = os.path.dirname(os.path.abspath(__file__))
DEFAULT_PRESET = "everyday"
REPLACED = {"flickr8k": "everyday"}  # the name of a former model -> the one used instead


def current_name(name):
    """The name as given; for a model that has been replaced its successor's, with a warning."""
    name = os.fspath(name)
    if _is_there(name) or name not in REPLACED:
        return name
    successor = REPLACED[name]
    # Always from this line: Python shows a warning once for each line that raises it.
    warnings.warn(
        f"{name}: this model has been replaced by {successor}, which is used instead",
        ReplacedModelWarning,
        stacklevel=1,
    )
    return successor


def find_model(name):
    """The path of a model given as a file, as an exported folder or as the name of a shipped one.

    Args:
        name: str.

    Raises:
        CaptionerError: There is no such model.

    Example:
    >>> os.path.basename(find_model("everyday"))
    'everyday.keras'
    """
    name = current_name(name)
    if _is_there(name):
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
    name = current_name(name)
    path = os.path.join(FOLDER, name + ".litert")
    return path if is_exported(path) and not _is_there(name) else None


def _is_there(name):
    """Whether it is a file or an exported folder, which take precedence over shipped names."""
    return os.path.isfile(name) or is_exported(name)
