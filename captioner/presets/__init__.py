"""The shipped captioners, each in two forms: NAME.keras, and NAME.litert for LiteRT.

It belongs to the road: it may import modules of `captioner` itself, and any module may import it.
"""

import os
import warnings

from captioner.errors import CaptionerError, ReplacedModelWarning, require_downloaded
from captioner.files import size_of
from captioner.lite_captioner import is_exported, manifest_of

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
    require_downloaded(name)
    name = current_name(name)
    if _is_there(name):
        return name
    shipped = shipped_names()
    if name in shipped:
        return os.path.join(FOLDER, name + ".keras")
    what = "is a folder, not a model file" if os.path.isdir(name) else "no such model"
    raise CaptionerError(
        f"{name}: {what}; give a .keras file or one of the shipped: {', '.join(shipped) or 'none'}"
    )


def shipped_names():
    """The names of the shipped captioners, a list of str."""
    return sorted(each[:-6] for each in os.listdir(FOLDER) if each.endswith(".keras"))


def facts_of(name):
    """What a shipped captioner is, read without Keras.

    Args:
        name: str. One of `shipped_names()`.

    Returns:
        dict: its name, whether it is the default, its files with their sizes in bytes; and, from
        its form for LiteRT, how it looks at pictures, what it learned from, and its scores.

    Raises:
        CaptionerError: Its form for LiteRT is damaged.

    Example:
    >>> facts_of("everyday")["cell"]
    'lstm'
    """
    files = [each for each in (f"{name}.keras", f"{name}.litert")
             if os.path.exists(os.path.join(FOLDER, each))]  # fmt: skip
    facts = {
        "name": name,
        "is_default": name == DEFAULT_PRESET,
        "files": {each: size_of(os.path.join(FOLDER, each)) for each in files},
    }
    folder = os.path.join(FOLDER, f"{name}.litert")
    if not is_exported(folder):
        return facts
    manifest = manifest_of(folder)
    learned = manifest["about"].get("trained_with", {})
    names = ("encoder", "cell", "layers", "units", "attention", "data", "text")
    return {
        **facts,
        "picture_size": manifest["picture_size"],
        **{each: learned.get(each) for each in names},
        "validation": manifest["about"].get("validation", {}),
    }


def exported_form(name):
    """The folder with the LiteRT form of a shipped captioner, or None."""
    name = current_name(name)
    path = os.path.join(FOLDER, name + ".litert")
    return path if is_exported(path) and not _is_there(name) else None


def _is_there(name):
    """Whether it is a file or an exported folder, which take precedence over shipped names."""
    return os.path.isfile(name) or is_exported(name)
