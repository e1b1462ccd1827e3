"""Train a captioner on pictures with captions.

  python train.py --data data/shapes --out runs/shapes
  python train.py --data annotations.json --images photos --out runs/mine
  python train.py --data flickr8k coco --data-weights 0.5 0.5 --out runs/both
  python train.py --out runs/mine --resume

The run folder then holds best.keras (for caption.py --model), last.keras, config.json,
history.csv, curves.png and TensorBoard events. --resume continues a run that was stopped. Needs:
pip install '.[train]'.
"""

import argparse
import dataclasses
import os

from captioner.backend import start_backend
from captioner.errors import require
from captioner.training.config import (
    TrainConfig,
    flag,
    read_config_file,
    read_run_settings,
    setting_type,
    takes_several,
)


def add_arguments(parser):
    parser.add_argument("--config", metavar="FILE", help="JSON file of settings; flags override it")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    add_settings(parser)


def add_settings(parser, without=()):
    """Adds a flag for each setting of TrainConfig but some."""
    for field in dataclasses.fields(TrainConfig):
        if field.name not in without:
            _add_setting(parser, field)


def _add_setting(parser, field):
    help_text = field.metadata["help"].replace("%", "%%")
    if field.default not in ("", ()):
        help_text += f" (default: {field.default})"
    kind = setting_type(field)
    shape = {"choices": field.metadata["choices"]} if kind is str else {}
    if kind is bool:
        shape = {"action": argparse.BooleanOptionalAction}
    elif not shape.get("choices"):
        shape = {"type": kind, "metavar": kind.__name__.upper()[:5]}
    if takes_several(field):
        shape["nargs"] = "+"
    parser.add_argument(flag(field.name), default=None, help=help_text, **shape)


def run(options):
    given = settings_given(options)
    base = {}
    if options.config:
        base = read_config_file(options.config)
    elif options.resume and os.path.exists(os.path.join(given.get("out", ""), "config.json")):
        base = read_run_settings(os.path.join(given["out"], "config.json"))
    config = TrainConfig(**{**base, **given})
    require(config.out, "no run folder given; add --out runs/NAME")
    start_backend("train")  # slow, so a wrong setting is reported before it
    from captioner.training.run import train

    train(config, resume=options.resume)
    return 0


def settings_given(options):
    """The settings of TrainConfig that were given as flags: a dict."""
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}
