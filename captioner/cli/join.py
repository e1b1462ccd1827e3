"""Make one model of several that were trained on the same CNN, averaging them at every word.

  python train.py --data photos --out runs/a
  python train.py --data photos --out runs/b --cell gru
  python -m captioner join --model runs/a/best.keras --model runs/b/best.keras --out joint.keras

It captions like `--model A --model B`, but encodes each picture once and is one file. Models whose
CNN was fine-tuned separately cannot be joined.
"""

from captioner.backend import start_backend
from captioner.cli.model_arguments import add_storage_argument
from captioner.errors import require


def add_arguments(parser):
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="NAME|FILE",
        help="captioner; give two or more; the search settings of the first are kept",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".keras file to write")
    add_storage_argument(parser, "float32")


def run(options):
    require(len(options.model) > 1, "one model cannot be joined; give --model twice or more")
    start_backend()
    from captioner.captioner import join, load

    join([load(name) for name in options.model]).save(options.out, storage=options.storage)
    return 0
