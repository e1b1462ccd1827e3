"""Measure how often a captioner is right, and store it in the model as its confidence.

  python -m captioner calibrate --model runs/mine/best.keras --data annotations.json
  python -m captioner calibrate --model runs/exported --data flickr8k --data coco --out runs/new

The captioner captions the validation pictures. A caption counts as right if its CIDEr against
people's captions is 0.7 or more. From then on --scores shows with each caption how often captions
like it were right. The printed table is of pictures that the confidence has not learned from
(cross-validation). train.py does the same by itself after every epoch.
"""

import functools
import sys

from tqdm import tqdm

from captioner.cli.model_arguments import add_runtime_argument
from captioner.datasets import FORMATS, load_dataset
from captioner.errors import require
from captioner.metrics.calibration import RIGHT
from captioner.models import ModelChoice
from captioner.output.calibration import calibrate_model, require_storable, store_confidence
from captioner.presets import find_model


def add_arguments(parser):
    parser.add_argument(
        "--model", required=True, metavar="FILE|FOLDER|NAME", help="captioner to calibrate"
    )
    add_runtime_argument(parser)
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        help="annotation file, or folder of a data set; may be repeated: each counts the same",
    )
    parser.add_argument(
        "--images", action="append", help="folder of the pictures; once for each --data"
    )
    parser.add_argument(
        "--data-format",
        choices=FORMATS,
        default="auto",
        help="format of the annotations (default: auto)",
    )
    parser.add_argument(
        "--split", default="val", help="pictures to calibrate with (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        metavar="FILE|FOLDER",
        help="write the model with its confidence here (default: into the model itself; needed "
        "for a shipped model)",
    )
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")


def run(options):
    path = find_model(options.model)  # the name itself, unless it is a shipped model's
    require(
        options.out or path == options.model,
        f"{options.model}: is a shipped model, which stays as it is; give --out FILE.keras",
    )
    out = options.out or path
    require_storable(path, out)
    datasets = _datasets(options)
    watch = functools.partial(tqdm, unit="picture", disable=not sys.stderr.isatty(), leave=False)
    model = ModelChoice(options.model, options.runtime)
    found = calibrate_model(model, datasets, options.batch_size, watch)
    _print(found, len(datasets))
    store_confidence(path, found.confidence, out)
    print(f"stored in {out}")
    return 0


def _datasets(options):
    images = options.images or [None] * len(options.data)
    require(
        len(images) == len(options.data),
        f"--images: {len(images)} given for {len(options.data)} of --data; give one for each",
    )
    datasets = [
        load_dataset(path, folder, options.split, options.data_format)
        for path, folder in zip(options.data, images, strict=True)
    ]
    for dataset in datasets:
        for line in dataset.warnings:
            print(f"note: {line}", file=sys.stderr)
    return datasets


def _print(found, sets):
    each = "; each data set counts the same" if sets > 1 else ""
    print(
        f"{len(found.is_right)} captions, {found.share_right():.0%} right (CIDEr {RIGHT} or more)"
        f"{each}"
    )
    print(f"AUC {found.auc():.3f}, log loss {found.log_loss():.3f}, on pictures not learned from")
    print("confidence  captions  right")
    for lowest, highest, count, share in found.reliability():
        right = "-" if share is None else f"{share:.0%}"
        print(f"{lowest:.1f} to {highest:.1f}  {count:8}  {right:>5}")
