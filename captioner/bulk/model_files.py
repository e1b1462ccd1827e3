"""Model files that travel to machines which do not have them."""

import hashlib
import os
from typing import NamedTuple

from captioner.lite_captioner import is_exported
from captioner.presets import current_name, find_model
from captioner.text_files import read_bytes


class ModelFiles(NamedTuple):
    """A model that can travel to machines which do not have its file.

    Attributes:
        name: str. As given; of a model that was replaced, its successor's.
        content: dict from file names to bytes; or None for a shipped model, which comes with
            captioner.

    Example:
    >>> model = ModelFiles.of("runs/mine/best.keras")
    >>> name = model.unpacked("/tmp")  # on another machine
    """

    name: str
    content: dict | None

    @classmethod
    def of(cls, name):
        """Reads the files of a model.

        Args:
            name: str. As `find_model` takes it.

        Raises:
            CaptionerError: There is no such model, or it cannot be read.
        """
        name = current_name(name)
        if find_model(name) != name:
            return cls(name, None)
        folder, base = os.path.split(os.path.abspath(name))
        files = [base]
        if is_exported(name):
            files = [os.path.join(base, each) for each in sorted(os.listdir(name))]
        return cls(name, {each: read_bytes(os.path.join(folder, each)) for each in files})

    @property
    def digest(self):
        """What shows whether it is still the same; None for a shipped model."""
        if self.content is None:
            return None
        digest = hashlib.sha256()
        for each in self.content.values():
            digest.update(each)
        return digest.hexdigest()[:16]

    def unpacked(self, folder):
        """Its name on this machine, its files written below a folder if it has any."""
        if self.content is None:
            return self.name
        for name, content in self.content.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return os.path.join(folder, next(iter(self.content)).split(os.sep)[0])
