"""The flags that say which captioner, shared by the commands."""

from captioner.cli.common_arguments import (
    add_compute_arguments,
    check_compute_arguments,
    start_keras_for,
)
from captioner.devices import use_threads
from captioner.errors import require
from captioner.lite_captioner import THREADS
from captioner.models import RUNTIMES, ModelChoice
from captioner.presets import DEFAULT_PRESET, find_model


def add_model_arguments(parser, help_text=f"captioner (default: {DEFAULT_PRESET})"):
    """Adds the flags that say which captioner, and what runs it."""
    parser.add_argument("--model", action="append", metavar="NAME|FILE|FOLDER", help=help_text)
    add_runtime_argument(parser)


def add_runtime_argument(parser):
    """Adds the flag that says what runs the captioner."""
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="what runs the model: litert (starts fast; for shipped and exported models), keras, "
        "or auto, litert where possible (default: auto)",
    )
    add_compute_arguments(parser)


def add_storage_argument(parser, default, more=(), more_help=""):
    """Adds the flag that says how the weights of a file to write are stored."""
    parser.add_argument(
        "--storage",
        choices=("float16", "float32", *more),
        default=default,
        help=f"how weights are stored; float16 is half as large{more_help} "
        f"(default: {default or 'float16 for litert, float32 for the other formats'})",
    )


def chosen_model(options):
    """What the flags say of the captioner, and of --rerank where the command has it.

    Keras is started if a device was chosen for it.

    Returns:
        ModelChoice.

    Raises:
        CaptionerError: There is no such device, or LiteRT would have to run on a GPU.
    """
    check_compute_arguments(options)
    choice = ModelChoice(
        options.model or DEFAULT_PRESET,
        options.runtime,
        getattr(options, "rerank", None),
        getattr(options, "rerank_weight", None),
        options.threads or THREADS,
    )
    if options.threads:
        use_threads(options.threads)
    if (options.device or "auto") != "auto":
        _choose_device(options, choice)
    return choice


def _choose_device(options, choice):
    for name in choice.names:
        find_model(name)  # a wrong name is reported before Keras starts
    runtimes = choice.runtimes()
    require(
        options.device == "cpu" or "litert" not in runtimes,
        f"--device {options.device}: LiteRT runs on the CPU; give --runtime keras too",
    )
    if "keras" in runtimes:
        start_keras_for(options, ", ".join(choice.names))
