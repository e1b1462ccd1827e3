"""Write a captioner in a form that runs without Keras: for LiteRT, ONNX, or as a SavedModel.

  python -m captioner export --model runs/mine/best.keras --out runs/mine/exported
  python caption.py photo.jpg --model runs/mine/exported
  python -m captioner export --out runs/onnx --format onnx

The first command writes for LiteRT: no TensorFlow, ready in a tenth of a second. The folder holds
three networks, encode, start and step, and manifest.json with the words; examples/ captions with
each kind in plain Python. Training and re-ranking need the .keras file. Exported models do not
report where each word looked. Needs: pip install '.[train]', and for ONNX '.[export]'.
"""

import os
import shlex

from captioner.backend import start_backend
from captioner.cli.common_arguments import add_quiet_argument
from captioner.cli.messages import megabytes, say
from captioner.cli.model_arguments import add_storage_argument
from captioner.errors import require
from captioner.files import size_of
from captioner.lite_captioner import is_exported
from captioner.presets import DEFAULT_PRESET, find_model

USE = {  # the formats, and how each is used
    "litert": "python caption.py photo.jpg --model {}",
    "onnx": "python examples/caption_onnx.py {} photo.jpg",
    "saved_model": "python examples/caption_saved_model.py {} photo.jpg",
}


def add_arguments(parser):
    parser.add_argument(
        "--model",
        default=DEFAULT_PRESET,
        metavar="NAME|FILE",
        help="captioner (default: %(default)s)",
    )
    add_quiet_argument(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument(
        "--format",
        default="litert",
        choices=tuple(USE),
        help="what will run the model (default: litert)",
    )
    add_storage_argument(
        parser,
        None,
        more=("int8",),
        more_help="; int8 computes most of the CNN in bytes: faster, slightly less exact",
    )


def run(options):
    require(
        not is_exported(find_model(options.model)),
        f"{options.model}: is exported already; give the .keras file",
    )
    start_backend("export", "export" if options.format == "onnx" else "train")
    from captioner.captioner import load_keras
    from captioner.exporting.formats import export

    export(load_keras(options.model), options.out, options.storage, options.format)
    if not options.quiet:
        for line in _summary(options.out, options.format):
            say(line)
    return 0


def _summary(folder, format):
    """What was written, and what to do with it."""
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    sizes = ", ".join(f"{os.path.basename(each)} {megabytes(size_of(each))}" for each in files)
    yield f"{folder}: {sizes}; {megabytes(size_of(folder))} in all"
    yield f"to use it: {USE[format].format(shlex.quote(folder))}"
