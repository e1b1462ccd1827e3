"""The flags that several commands share: what is read, how much at a time, what computes."""

import os

from captioner.devices import require_device, start_keras
from captioner.errors import require


def add_quiet_argument(parser):
    """Adds the flag that leaves errors and the result only."""
    parser.add_argument(
        "--quiet", action="store_true", help="print no progress, no notes and no summary"
    )


def add_data_arguments(parser):
    """Adds the flags that name a data set and its pictures."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="FOLDER|FILE",
        help="annotation file, or folder of a data set",
    )
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="folder of the pictures (default: beside the annotations)",
    )


def add_data_format_argument(parser):
    """Adds the flag that says what the annotations of --data are."""
    from captioner.datasets import FORMATS  # slow to import, and not for captioning

    parser.add_argument(
        "--data-format",
        "--format",
        choices=FORMATS,
        default="auto",
        help="format of the annotations (default: auto)",
    )


def add_batch_size_argument(parser, default=32):
    """Adds the flag that says how many pictures are captioned at a time."""
    parser.add_argument(
        "--batch-size",
        type=int,
        default=default,
        metavar="N",
        help="pictures at a time (default: %(default)s)",
    )


def add_compute_arguments(parser):
    """Adds the flags that say how many threads compute, and where."""
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=f"threads that compute (default: one for each core, {os.cpu_count()} here)",
    )
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="where Keras computes: cpu, gpu, one GPU of several such as gpu:1, or auto (default: "
        "auto)",
    )


def check_compute_arguments(options):
    """Raises CaptionerError for a number of threads or a device that cannot be."""
    require(
        options.threads is None or options.threads >= 1,
        f"--threads {options.threads}: must be 1 or more",
    )
    require_device(options.device or "auto")


def start_keras_for(options, what, extra="train"):
    """Starts Keras as the flags say, which takes seconds; `what` needs it, and the extra."""
    check_compute_arguments(options)
    bars = not getattr(options, "quiet", False)
    start_keras(what, options.device or "auto", options.threads, bars, extra)
