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

from captioner.cli.common_arguments import (
    add_compute_arguments,
    add_quiet_argument,
    start_keras_for,
)
from captioner.cli.messages import note
from captioner.errors import flag, require, suggestion
from captioner.training.config import (
    GROUPS,
    TrainConfig,
    read_config_file,
    read_run_settings,
    setting_type,
    takes_several,
)
from captioner.training.sources import require_data

CONFIG = "config.json"  # in a run folder
NEEDED = ("data", "out")  # settings that have no default


def add_arguments(parser):
    parser.add_argument("--config", metavar="FILE", help="JSON file of settings; flags override it")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    add_quiet_argument(parser)
    add_compute_arguments(parser)
    add_settings(parser)


def add_settings(parser, without=()):
    """Adds a flag for each setting of TrainConfig but some, under the headings of their groups."""
    groups = {name: parser.add_argument_group(name, summary) for name, summary in GROUPS.items()}
    for field in dataclasses.fields(TrainConfig):
        if field.name not in without:
            _add_setting(groups.get(field.metadata["group"], parser), field)


def _add_setting(group, field):
    kind, choices = setting_type(field), field.metadata["choices"]
    if kind is bool:
        shape = {"action": argparse.BooleanOptionalAction}
    elif choices:
        shape = {"choices": choices}
    else:
        shape = {"type": kind, "metavar": field.metadata["metavar"]}
    if takes_several(field):
        shape["nargs"] = "+"
    group.add_argument(flag(field.name), default=None, help=_help(field), **shape)


def _help(field):
    """What a setting means, and its default, except for what every run has to be given."""
    text, default = field.metadata["help"], field.default
    if field.name not in NEEDED:
        if default in ("", ()):
            default = "empty" if "empty: " in text else "none"
        if setting_type(field) is bool:
            default = "on" if default else "off"
        text += f" (default: {default})"
    return text.replace("%", "%%")


def run(options):
    given = settings_given(options)
    config = TrainConfig(**{**_stored_settings(options, given), **given})
    require(config.out, "no run folder given; add --out runs/NAME")
    require_data(config)
    start_keras_for(options, "train")  # slow, so a wrong setting is reported before it
    from captioner.training.run import train

    train(config, options.resume, **reporting(options))
    return 0


def _stored_settings(options, given):
    """The settings of --config, or else of the run to resume."""
    if options.config:
        return read_config_file(options.config)
    if not options.resume:
        return {}
    out = given.get("out")
    require(out, "--resume: no run folder given; add --out with the folder of the run")
    if os.path.exists(os.path.join(out, CONFIG)):
        return read_run_settings(os.path.join(out, CONFIG))
    line = f"{out}: holds no run to resume"
    require("data" in given, f"{line}; {_run_meant(out)}to begin one, give --data")
    note(f"{line}; a new one begins", options.quiet)
    return {}


def _run_meant(out):
    """Which run folder was probably meant by one that holds no run, see `suggestion`."""
    parent, name = os.path.split(out.rstrip(os.sep))
    names = sorted(os.listdir(parent or os.curdir)) if os.path.isdir(parent or os.curdir) else []
    runs = [each for each in names if os.path.exists(os.path.join(parent, each, CONFIG))]
    return suggestion(name, runs, lambda each: os.path.join(parent, each))


def reporting(options):
    """What `train` and its like are to report, as their arguments: nothing with --quiet."""
    return {"log": lambda line: None, "progress": False} if options.quiet else {}


def settings_given(options):
    """The settings of TrainConfig that were given as flags: a dict."""
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}
