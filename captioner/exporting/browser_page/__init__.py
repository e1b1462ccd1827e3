"""The page that captions photos in the browser: a folder of static files, and no server of ours.

`engine/` computes the captions. The export writes the model and what runs it beside the page.
"""

import importlib.resources
import os

OF_SERVER = ("page.css", "parts")  # what the page has in common with that of `captioner.web`


def write_page(folder):
    """Writes the page's files into a folder.

    Args:
        folder: str. It must exist.

    Example:
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_page(folder)
    >>> os.path.exists(os.path.join(folder, "index.html"))
    True
    """
    own = importlib.resources.files(__name__)
    shared = importlib.resources.files("captioner.web")
    for source in [*own.iterdir(), *(shared.joinpath(name) for name in OF_SERVER)]:
        _copy(source, folder)


def _copy(source, folder):
    """Copies a file, or a folder with all in it, except Python's own."""
    target = os.path.join(folder, source.name)
    if source.is_file() and not source.name.endswith(".py"):
        with open(target, "wb") as file:
            file.write(source.read_bytes())
    elif source.is_dir() and source.name != "__pycache__":
        os.makedirs(target, exist_ok=True)
        for each in source.iterdir():
            _copy(each, target)
