"""Write a captioner in the form that LiteRT runs: no TensorFlow, ready in a tenth of a second.

  python -m captioner export --model runs/mine/best.keras --out runs/mine/exported
  python caption.py photo.jpg --model runs/mine/exported

The folder holds encode.tflite, start.tflite, step.tflite and manifest.json. Training and re-ranking
need the .keras file. Where each word looked is not told by exported models.
"""

from captioner.cli.backend import start_backend
from captioner.cli.models import add_storage_argument
from captioner.errors import require
from captioner.lite_captioner import is_exported
from captioner.presets import find_model


def add_arguments(parser):
    parser.add_argument(
        "--model", default="flickr8k", metavar="NAME|FILE", help="captioner (default: flickr8k)"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    add_storage_argument(
        parser,
        "float16",
        more=("int8",),
        more_help="; int8 has the CNN in bytes: half again, quicker, and a little less exact",
    )


def run(options):
    require(
        not is_exported(find_model(options.model)),
        f"{options.model}: is exported already; give the .keras file",
    )
    start_backend()
    from captioner.captioner import load
    from captioner.lite_export import export

    export(load(options.model), options.out, options.storage)
    return 0
