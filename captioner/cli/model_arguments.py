"""The flags that say which captioner, shared by the commands."""

from captioner.models import RUNTIMES, ModelChoice
from captioner.presets import DEFAULT_PRESET


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


def chosen_model(options):
    """What --model and --runtime say, and --rerank where the command has it: a `ModelChoice`."""
    return ModelChoice(
        options.model or DEFAULT_PRESET,
        options.runtime,
        getattr(options, "rerank", None),
        getattr(options, "rerank_weight", None),
    )
