"""Hyper-parameter search: which settings of a captioner suit a data set, by Optuna.

Reference: the document, section 6.2; Akiba et al. 2019, "Optuna"; Bergstra et al. 2011,
"Algorithms for hyper-parameter optimization" (the sampler, TPE).
"""

import csv
import dataclasses
import io
import json
import math
import os
from statistics import mean

import numpy as np

from captioner.decoder_settings import ARCHITECTURE
from captioner.errors import CaptionerError, needs_extra, require
from captioner.text_files import replace_text
from captioner.training.choosing import FEWEST_PICTURES, goodness
from captioner.training.config import AS_BEFORE, SEARCH_SPACE, TrainConfig
from captioner.training.run import train
from captioner.training.sources import load_split

STARTUP_TRIALS = 5  # before the first is cut short


def tune(config, folder, trials=20, folds=0, log=print, progress=True):
    """Searches for the settings with the best validation CIDEr; of equal ones, the lowest loss.

    Each trial is a run of train.py in a folder of its own. With `init_from` the sizes are those of
    that captioner, and the search varies the other settings. A trial that after an epoch is worse
    than the median of the other trials at that epoch is cut short. All trials are kept in the
    folder; called again, the search continues until there are `trials` of them.

    Args:
        config: TrainConfig. The settings that are not searched; `out` is not used.
        folder: str. Where the study and the runs go.
        trials: int. Settings to try in all. Defaults to `20`.
        folds: int. With 2 or more, each trial is the mean of that many runs, each validated on
            another part of the train and validation splits together (cross-validation). Defaults
            to `0`, the splits as they are.
        log: callable. Takes each line of the report. Defaults to `print`.
        progress: bool. Whether training shows progress bars. Defaults to `True`.

    Returns:
        dict: the best settings found. `best.json` in the folder has them with all other settings,
        for `train.py --config`; `trials.csv` has all trials.

    Raises:
        CaptionerError: Optuna is missing, or the settings or data cannot be used.

    Example:
    >>> best = tune(TrainConfig(data="data/shapes"), "runs/tune", trials=10)
    """
    optuna = _optuna()
    require(trials >= 1, f"trials {trials}: must be 1 or more")
    require(folds == 0 or folds >= 2, f"folds {folds}: must be 0, or 2 or more")
    os.makedirs(folder, exist_ok=True)
    names = _searched(config)
    study = _open_study(optuna, folder, config, folds)
    data = _folds(config, folds) if folds else [None]
    while (count := len(_ended(study))) < trials:
        trial = study.ask()
        settings = {name: _suggest(trial, name) for name in names}
        log(f"trial {count + 1} of {trials}: {_shown(settings)}")
        try:
            runs = [
                _run(config, settings, trial, folder, number, pair, optuna, progress)
                for number, pair in enumerate(data)
            ]
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            log("  cut short")
        else:
            found = [mean(values) for values in zip(*runs, strict=True)]
            trial.set_user_attr("found", found)
            study.tell(trial, found[0])
            log(f"  CIDEr {found[0]:.4f}, best so far {_best(study).value:.4f}")
        _write_trials(study, names, os.path.join(folder, "trials.csv"))
    best = {name: _best(study).params[name] for name in names}
    _write_best(config, best, os.path.join(folder, "best.json"))
    log(f"best CIDEr {_best(study).value:.4f}: {_shown(best)}")
    return best


def _searched(config):
    """The settings to vary: not those that a captioner to start from settles."""
    return [name for name in SEARCH_SPACE if not (config.init_from and name in ARCHITECTURE)]


def _optuna():
    try:
        import optuna
    except ImportError as error:
        raise CaptionerError(needs_extra("tune needs Optuna", "tune", error)) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _open_study(optuna, folder, config, folds):
    """The study of the folder, new or with what was tried before."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(os.path.join(folder, "study.log")))
    study = optuna.create_study(
        storage=storage,
        study_name="captioner",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS),
    )
    # A search that continues must not draw the same settings again.
    study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
    fixed = {**dataclasses.asdict(config), "folds": folds, "out": "", "cache": ""}
    fixed = {name: value for name, value in fixed.items() if name not in SEARCH_SPACE}
    # Settings that an older search lacks had these values then.
    before = dataclasses.asdict(TrainConfig(**AS_BEFORE))
    known = {**before, **study.user_attrs.get("fixed", fixed)}
    changed = [name for name in fixed if known[name] != fixed[name]]
    require(
        not changed,
        f"{folder}: holds a search with a different {', '.join(changed)}; give another --out",
    )
    study.set_user_attr("fixed", fixed)
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # it was killed
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={"folder": _run_name(trial)})
    return study


def _ended(study):
    """The trials that came to an end."""
    return [trial for trial in study.get_trials() if trial.state.name in ("COMPLETE", "PRUNED")]


def _goodness(trial):
    """How good a trial is; of those of older searches only CIDEr is known."""
    only_score = trial.value or 0.0, math.inf, FEWEST_PICTURES
    score, loss, pictures = trial.user_attrs.get("found", only_score)
    return goodness({"CIDEr": score, "val_loss": loss}, pictures)


def _best(study):
    """The best of the trials that were not cut short."""
    return max((each for each in _ended(study) if each.state.name == "COMPLETE"), key=_goodness)


def _run_name(trial):
    """The run folder of a trial; one that was killed continues in the folder it had."""
    return trial.user_attrs.get("folder", f"trial-{trial.number}")


def _suggest(trial, name):
    kind, values = SEARCH_SPACE[name]
    if kind == "choice":
        return trial.suggest_categorical(name, values)
    return trial.suggest_float(name, *values, log=kind == "log")


def _run(config, settings, trial, folder, number, data, optuna, progress):
    """Trains once; returns the best epoch's CIDEr and validation loss, and of how many pictures."""
    out = os.path.join(folder, _run_name(trial) + (f"-fold-{number}" if data else ""))
    cache = config.cache or os.path.join(folder, "features")

    def after_epoch(row):
        if number == 0:  # the first fold decides whether the other folds are run
            trial.report(row["CIDEr"], row["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

    model = train(
        dataclasses.replace(config, **settings, out=out, cache=cache),
        resume=os.path.exists(os.path.join(out, "config.json")),
        log=lambda line: None,
        progress=progress,
        after_epoch=after_epoch,
        data=data,
    )
    about = model.about
    loss = about.get("validation_loss", math.inf)  # earlier models do not say it
    pictures = about.get("validation_pictures", FEWEST_PICTURES)
    return about["validation"]["CIDEr"], loss, pictures


def _folds(config, folds):
    """(training, validation) of each fold: parts of both splits together, drawn at random."""
    whole = load_split(config, "train").joined(load_split(config, "val"))
    require(len(whole) >= folds, f"folds {folds}: there are {len(whole)} pictures only")
    order = np.random.default_rng(config.seed).permutation(len(whole))
    parts = np.array_split(order, folds)
    return [
        (
            whole.subset(np.concatenate(parts[:number] + parts[number + 1 :])),
            whole.subset(parts[number]),
        )
        for number in range(folds)
    ]


def _write_trials(study, names, path):
    """All trials so far, the best first."""
    rows = [
        {
            "trial": trial.number,
            "CIDEr": "" if trial.value is None else trial.value,
            "state": trial.state.name.lower(),
            **trial.params,
        }
        for trial in sorted(_ended(study), key=_goodness, reverse=True)
    ]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, ["trial", "CIDEr", "state", *names])
    writer.writeheader()
    writer.writerows(rows)
    replace_text(path, table.getvalue())


def _write_best(config, best, path):
    settings = {**dataclasses.asdict(config), **best, "out": ""}
    replace_text(path, json.dumps(settings, indent=2) + "\n")


def _shown(settings):
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    )
