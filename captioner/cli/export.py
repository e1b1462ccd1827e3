"""Write a captioner in a form that runs without Keras: for LiteRT, ONNX, a browser, as SavedModel.

  python -m captioner export --model runs/mine/best.keras --out runs/mine/exported
  python caption.py photo.jpg --model runs/mine/exported
  python -m captioner export --out runs/onnx --format onnx
  python -m captioner export --out site --format web

The first command writes for LiteRT: no TensorFlow, ready in a tenth of a second. The folder holds
three networks, encode, start and step, and manifest.json with the words; examples/ captions with
each kind in plain Python. Training and re-ranking need the .keras file. Exported models do not
report where each word looked.

The format web is a folder of static files: a page that captions photos in the browser, where they
stay. Any web server of files will do, see docs/browser.md. Shipped models and folders exported for
LiteRT become pages as they are; for everything else: pip install '.[train]', for ONNX '.[export]'.
"""

import os
import shlex

from captioner.backend import start_backend
from captioner.cli.common_arguments import add_quiet_argument
from captioner.cli.messages import megabytes, say
from captioner.cli.model_arguments import add_storage_argument
from captioner.errors import require
from captioner.exporting.browser import export_site
from captioner.files import size_of
from captioner.lite_captioner import is_exported
from captioner.presets import DEFAULT_PRESET, exported_form, find_model

LISTED = 5e4  # bytes, of the parts of a page; less would read as 0.0 MB
USE = {  # the formats, and how each is used
    "litert": "python caption.py photo.jpg --model {}",
    "onnx": "python examples/caption_onnx.py {} photo.jpg",
    "saved_model": "python examples/caption_saved_model.py {} photo.jpg",
    "web": "python -m http.server --directory {} 8000, then open http://localhost:8000",
}


def add_arguments(parser):
    parser.add_argument(
        "--model",
        default=DEFAULT_PRESET,
        metavar="NAME|FILE|FOLDER",
        help="captioner; for the format web it may also be a folder exported for LiteRT "
        "(default: %(default)s)",
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
    if options.format == "web":
        _export_site(options)
    else:
        _export(options)
    if not options.quiet:
        for line in _summary(options.out, options.format):
            say(line)
    return 0


def _export(options):
    require(
        not is_exported(find_model(options.model)),
        f"{options.model}: is exported already; give the .keras file",
    )
    start_backend("export", "export" if options.format == "onnx" else "train")
    from captioner.captioner import load_keras
    from captioner.exporting.formats import export

    export(load_keras(options.model), options.out, options.storage, options.format)


def _export_site(options):
    model, name = options.model, None
    if not (exported_form(model) or is_exported(find_model(model))):
        start_backend("export")
        from captioner.captioner import load_keras

        name = os.path.splitext(os.path.basename(model))[0]  # runs/mine/best.keras is "best"
        model = load_keras(model)
    export_site(model, options.out, options.storage, name)


def _summary(folder, format):
    """What was written, and what to do with it."""
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    listed = [each for each in files if format != "web" or size_of(each) >= LISTED]
    sizes = ", ".join(f"{os.path.basename(each)} {megabytes(size_of(each))}" for each in listed)
    yield f"{folder}: {sizes}; {megabytes(size_of(folder))} in all"
    yield f"to use it: {USE[format].format(shlex.quote(folder))}"
