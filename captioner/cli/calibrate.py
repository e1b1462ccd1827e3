"""Measure how often a captioner is right, and store it in the model as its confidence.

  python -m captioner calibrate --model runs/mine/best.keras --data annotations.json
  python -m captioner calibrate --model runs/exported --data flickr8k --data coco --out runs/new

The captioner captions the validation pictures. A caption counts as right if its CIDEr against
people's captions is 0.7 or more. From then on --scores shows with each caption how often captions
like it were right. The printed table is of pictures that the confidence has not learned from
(cross-validation). train.py does the same by itself after every epoch.
"""

from captioner.cli.common_arguments import (
    add_batch_size_argument,
    add_data_format_argument,
    add_quiet_argument,
)
from captioner.cli.messages import note
from captioner.cli.model_arguments import add_runtime_argument, chosen_model
from captioner.datasets import load_dataset
from captioner.errors import require
from captioner.metrics.calibration import RIGHT
from captioner.output.calibration import calibrate_model, require_storable, store_confidence
from captioner.presets import find_model
from captioner.progress import ProgressBar


def add_arguments(parser):
    parser.add_argument(
        "--model", required=True, metavar="NAME|FILE|FOLDER", help="captioner to calibrate"
    )
    add_runtime_argument(parser)
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="FOLDER|FILE",
        help="annotation file, or folder of a data set; may be repeated: each counts the same",
    )
    parser.add_argument(
        "--images",
        action="append",
        metavar="FOLDER",
        help="folder of the pictures, once for each --data (default: beside the annotations)",
    )
    add_data_format_argument(parser)
    parser.add_argument(
        "--split", default="val", help="pictures to calibrate with (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        metavar="FILE|FOLDER",
        help="write the model with its confidence here (default: into the model itself; needed "
        "for a shipped model)",
    )
    add_batch_size_argument(parser)
    add_quiet_argument(parser)


def run(options):
    path = find_model(options.model)  # the name itself, unless it is a shipped model's
    require(
        options.out or path == options.model,
        f"{options.model}: is a shipped model, which stays as it is; give --out FILE.keras",
    )
    out = options.out or path
    require_storable(path, out)
    datasets = _datasets(options)
    model = chosen_model(options)
    with ProgressBar(sum(map(len, datasets)), "picture", shown=not options.quiet) as bar:
        found = calibrate_model(model, datasets, options.batch_size, bar.each)
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
            note(line, options.quiet)
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
