"""Search for the settings that suit a data set, with Optuna.

  python -m captioner tune --data annotations.json --out runs/tune
  python -m captioner tune --data annotations.json --out runs/tune --trials 50 --folds 5
  python train.py --config runs/tune/best.json --out runs/mine

The search varies units, learning rate, batch size, dropout and layers, to find the best validation
CIDEr. All other settings are train.py's, and can be given as flags. With --init-from, units and
layers are those of that captioner, and are not varied. A trial that does badly is cut short. Call
the command again to continue a search that was stopped, or to add trials with a larger --trials.
The folder then holds trials.csv, and best.json for train.py. Needs:
pip install '.[tune]'.
"""

import argparse
import dataclasses

from captioner.cli.common_arguments import (
    add_compute_arguments,
    add_quiet_argument,
    start_keras_for,
)
from captioner.cli.train import add_settings, reporting, settings_given
from captioner.errors import flag, require
from captioner.training.config import SEARCH_SPACE, TrainConfig, read_config_file
from captioner.training.sources import require_data


def add_arguments(parser):
    parser.add_argument("--config", metavar="FILE", help="JSON file of settings; flags override it")
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="settings to try (default: 20)"
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="K",
        help="judge each trial by K runs on different pictures (default: 0, the val split)",
    )
    add_quiet_argument(parser)
    add_compute_arguments(parser)
    add_settings(parser, without={*SEARCH_SPACE, "distribute"})
    for name in SEARCH_SPACE:  # known, so that `run` can say why they are not taken
        parser.add_argument(flag(name), help=argparse.SUPPRESS)


def run(options):
    for name in SEARCH_SPACE:
        require(getattr(options, name) is None, f"{flag(name)}: is what tune varies; leave it out")
    base = read_config_file(options.config) if options.config else {}
    config = TrainConfig(**{**base, **settings_given(options)})
    require(config.out, "no folder given; add --out runs/NAME")
    require_data(config)
    start_keras_for(options, "tune", "tune")  # slow, so a wrong setting is reported before it
    from captioner.study.tuning import tune

    settings = dataclasses.replace(config, out="")
    tune(settings, config.out, options.trials, options.folds, **reporting(options))
    return 0
