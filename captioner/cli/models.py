"""What --model, --rerank and --runtime name, as one captioner."""

import sys

from captioner.cli.backend import only_failures_heard, start_backend
from captioner.ensemble import Ensemble
from captioner.errors import CaptionerError, require
from captioner.lite_captioner import THREADS, LiteCaptioner, LiteRTMissingError, is_exported
from captioner.presets import DEFAULT_PRESET, current_name, exported_form, find_model
from captioner.reranked import WEIGHT, Reranked

RUNTIMES = ("auto", "litert", "keras")


def add_model_arguments(parser, help_text=f"captioner (default: {DEFAULT_PRESET})"):
    """Adds the flags that say which captioner, and what runs it."""
    parser.add_argument("--model", action="append", metavar="NAME|FILE|FOLDER", help=help_text)
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="what runs the model: litert (starts fast; for shipped and exported models), keras, "
        "or auto: litert where possible (default)",
    )


def add_storage_argument(parser, default, more=(), more_help=""):
    """Adds the flag that says how the weights of a file to write are stored."""
    parser.add_argument(
        "--storage",
        choices=("float16", "float32", *more),
        default=default,
        help=f"how weights are stored; float16 is half as large{more_help} "
        f"(default: {default or 'float16 for litert, float32 for the others'})",
    )


def model_names(options):
    """The captioners that --model names, or the shipped one."""
    return [current_name(name) for name in options.model or [DEFAULT_PRESET]]


def load_models(names, runtime="auto", backward=None, weight=None, threads=THREADS):
    """One captioner for one name, an ensemble for several.

    Keras, which is slow to start, is imported only if one of them needs it.

    Args:
        names: list of str. Names of shipped models, .keras files, exported folders.
        runtime: `"auto"`, `"litert"` or `"keras"`. Defaults to `"auto"`.
        backward: str or None. A captioner that re-ranks, see `Reranked`. Defaults to `None`.
        weight: float or None. Its weight. Defaults to `None`, which is 0.5.
        threads: int. How many compute, where LiteRT does. Defaults to as many as there are cores.

    Raises:
        CaptionerError: A model cannot be opened or not be run so, or there is a weight, and no
            captioner that re-ranks.
    """
    if backward is None and weight is not None:
        raise CaptionerError(f"--rerank-weight {weight}: is for --rerank, which is not given")
    models = [_load(name, runtime, threads) for name in names]
    model = models[0] if len(models) == 1 else Ensemble(models)
    if backward is None:
        return model
    return Reranked(model, _load_keras(backward), WEIGHT if weight is None else weight)


def _load(name, runtime, threads):
    if runtime == "keras":
        require(
            not is_exported(name), f"{name}: is exported for LiteRT; Keras needs the .keras file"
        )
        return _load_keras(name)
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
        with only_failures_heard():
            return LiteCaptioner(folder, threads)
    except LiteRTMissingError as error:
        if runtime == "litert" or is_exported(name):
            raise
        print(f"note: {error}; Keras is used", file=sys.stderr)
        return _load_keras(name)


def _load_keras(name):
    find_model(name)  # a wrong name is told at once
    start_backend()
    from captioner.captioner import load

    with only_failures_heard():  # TensorFlow 2.20 tells of the first thing it compiles
        return load(name)
