"""Opening captioners by LiteRT or Keras: one, the average of several, or one that is re-ranked."""

import os
import warnings
from dataclasses import dataclass

from captioner.backend import start_backend
from captioner.decoder_settings import DECODER_SETTINGS
from captioner.ensemble import Ensemble
from captioner.errors import CaptionerError, CaptionerWarning, require, require_choice
from captioner.lite_captioner import THREADS, LiteCaptioner, LiteRTMissingError, is_exported
from captioner.presets import DEFAULT_PRESET, current_name, exported_form, find_model
from captioner.reranked import WEIGHT, Reranked

RUNTIMES = ("auto", "litert", "keras")


@dataclass(frozen=True)
class ModelChoice:
    """Which captioner to open, and what runs it; what --model, --runtime and --rerank say.

    Attributes:
        names: str, or sequence of str. Names of shipped models, .keras files, exported folders;
            several are averaged at every word. Kept as a tuple. Defaults to the shipped model.
        runtime: `"auto"` (LiteRT where possible), `"litert"` or `"keras"`. Defaults to `"auto"`.
        rerank: str or None. A captioner that re-ranks, see `Reranked`. Defaults to `None`.
        rerank_weight: float or None. How much it counts, 0 to 1. Defaults to `None`, which is 0.5.
        threads: int. How many compute, where LiteRT does. Defaults to as many as there are cores.

    Example:
    >>> ModelChoice(["runs/a/best.keras", "runs/b/best.keras"]).open()
    """

    names: str | tuple = DEFAULT_PRESET
    runtime: str = "auto"
    rerank: str | None = None
    rerank_weight: float | None = None
    threads: int = THREADS

    def __post_init__(self):
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        object.__setattr__(self, "names", names)

    def open(self, threads=None):
        """The captioner, see `load_models`."""
        threads = threads or self.threads
        return load_models(self.names, self.runtime, self.rerank, self.rerank_weight, threads)

    def runtimes(self):
        """What runs the models, a set of `"litert"` and `"keras"`."""
        by_litert = [
            self.runtime != "keras" and bool(is_exported(name) or exported_form(name))
            for name in self.names
        ]
        found = {"litert" if each else "keras" for each in by_litert}
        return found | {"keras"} if self.rerank else found

    def identity(self):
        """What captions depend on here: a dict to keep with them, equal for the same models."""
        names = [current_name(name) for name in self.names]
        return {
            "model": names,
            "rerank": self.rerank,
            "rerank_weight": self.rerank_weight,
            "files": [_change_of(name) for name in [*names, self.rerank] if name],
        }


def load(name, implementation=None, runtime="auto", threads=THREADS):
    """Opens one captioner.

    A shipped one and an exported folder are run by LiteRT, which needs neither Keras nor TensorFlow
    and is ready in a tenth of a second. A `.keras` file is opened by Keras, which takes seconds to
    start; only that model has an encoder and a decoder, and can be trained further.

    Args:
        name: str. The name of a shipped model, a .keras file, or a folder that
            `python -m captioner export` wrote.
        implementation: `"custom"`, `"keras"` or None. Which recurrent layers Keras runs it with,
            whichever it was trained with; a choice implies `runtime="keras"`. Defaults to `None`,
            those it was trained with.
        runtime: `"auto"`, `"litert"` or `"keras"`. What runs it. Defaults to `"auto"`, LiteRT where
            possible.
        threads: int. How many compute, where LiteRT does. Defaults to as many as there are cores.

    Returns:
        LiteCaptioner, or Captioner where Keras runs it.

    Raises:
        CaptionerError: No such model, not a captioner, damaged, or not for this runtime; or what
            runs it is not installed.

    Example:
    >>> captioner.load("everyday").generate("data/samples/horses.jpg")
    'a group of horses grazing in a field'
    >>> model = captioner.load("everyday", runtime="keras")  # for further training
    """
    require_choice("runtime", runtime, RUNTIMES)
    require(
        not implementation or runtime != "litert",
        f"implementation {implementation!r}: is for Keras; leave out runtime='litert'",
    )
    if implementation is not None:
        require_choice(
            "implementation",
            implementation,
            DECODER_SETTINGS["implementation"].metadata["choices"],
        )
    if implementation or runtime == "keras":
        return _load_keras(name, implementation)
    folder = name if is_exported(name) else exported_form(name)
    if folder is None:
        path = find_model(name)
        require(
            runtime == "auto",
            f"{path}: is not exported for LiteRT; run `python -m captioner export --model {name} "
            "--out FOLDER` and give that folder",
        )
        return _load_keras(name)
    try:
        return LiteCaptioner(folder, threads)
    except LiteRTMissingError as error:
        if runtime == "litert" or is_exported(name):
            raise
        warnings.warn(f"{error}; Keras is used", CaptionerWarning, stacklevel=1)
        return _load_keras(name)


def load_models(names, runtime="auto", backward=None, weight=None, threads=THREADS):
    """One captioner for one name, an ensemble for several.

    Keras, which is slow to start, is imported only if one of them needs it.

    Args:
        names: sequence of str. Names of shipped models, .keras files, exported folders.
        runtime: `"auto"`, `"litert"` or `"keras"`. Defaults to `"auto"`.
        backward: str or None. A captioner that re-ranks, see `Reranked`. Defaults to `None`.
        weight: float or None. Its weight. Defaults to `None`, which is 0.5.
        threads: int. How many compute, where LiteRT does. Defaults to as many as there are cores.

    Returns:
        LiteCaptioner, Captioner, Ensemble or Reranked.

    Raises:
        CaptionerError: A model cannot be opened, or not with this runtime; or there is a weight
            and no captioner that re-ranks.

    Example:
    >>> load_models(["everyday"]).generate("data/samples/horses.jpg")
    'a group of horses grazing in a field'
    """
    if backward is None and weight is not None:
        raise CaptionerError(f"--rerank-weight {weight}: is for --rerank, which is not given")
    models = [load(name, runtime=runtime, threads=threads) for name in names]
    model = models[0] if len(models) == 1 else Ensemble(models)
    if backward is None:
        return model
    return Reranked(model, _load_keras(backward), WEIGHT if weight is None else weight)


def opened(model):
    """A captioner: the one given, or what a `ModelChoice` opens."""
    return model.open() if isinstance(model, ModelChoice) else model


def _load_keras(name, implementation=None):
    find_model(name)  # a wrong name is reported before Keras starts
    start_backend(name if os.path.isfile(name) else f"{name} with runtime keras")
    from captioner.captioner import load_keras

    return load_keras(name, implementation)


def _change_of(path):
    """What shows whether a model file is still the same one; None for a shipped model."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
