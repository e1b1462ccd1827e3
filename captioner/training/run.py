"""Training: from a data set and settings to a trained captioner.

A run has up to four stages, see `captioner.training.stages`. With `text` the decoder first learns
from captions without pictures. In the next, the main one, the CNN stays as it is, so its features
are computed once and the decoder learns from them, and from captions without pictures too, see
`captioner.training.imagined`. In the third, with `fine_tune_from`, CNN and decoder learn together
from pixels. In the last, with `self_critical`, the decoder learns from the scores of its own
captions. After every epoch the validation pictures are captioned, and the model with the best CIDEr
is kept; where that says nothing, as in the text stage, the one with the lowest validation loss (see
`captioner.training.choosing`). On several devices or machines (`distribute`) the same is done
by workers that share every batch, see `captioner.training.distribution`.
"""

import dataclasses
import time

import keras
from keras import ops

from captioner.errors import require
from captioner.presets import current_name
from captioner.training.choosing import waits
from captioner.training.data import TrainingData
from captioner.training.distribution import devices_for
from captioner.training.few import ADAPTED, adapted, note
from captioner.training.resuming import Record
from captioner.training.run_folder import open_folder
from captioner.training.set_scores import scores_line
from captioner.training.sources import first_of_each_set, load_sources, require_known_words
from captioner.training.stages import STAGES
from captioner.training.starting_point import new_captioner
from captioner.training.summary import summary
from captioner.training.validation import Validation


def train(
    config, resume=False, log=print, progress=True, after_epoch=None, data=None, encoder=None
):
    """Trains a captioner.

    Args:
        config: TrainConfig. Without an `out` the run leaves no files (but cached features of
            pictures), and cannot be resumed.
        resume: bool. Whether to continue the run in `config.out`. Defaults to `False`.
        log: callable. Takes each line of the run's report. Defaults to `print`.
        progress: bool. Whether to show progress bars. Defaults to `True`.
        after_epoch: callable or None. Called with the epoch's line of history.csv, a dict, when all
            is saved; what it raises ends the run. Defaults to `None`.
        data: (CaptionDataset, CaptionDataset) or None. Training and validation pictures instead of
            those of `config.data`. Defaults to `None`.
        encoder: Encoder or None. The CNN, instead of a new one, so that several runs that leave it
            as it is load it only once. Not for `init_from` and `fine_tune_from`. Defaults to
            `None`.

    Returns:
        Captioner, the best of the run, also in `config.out`/best.keras.

    Raises:
        CaptionerError: Settings or data that cannot be used; a loss that is not a finite number.

    Example:
    >>> config = captioner.TrainConfig(data="data/shapes", out="runs/shapes")
    >>> model = captioner.train(config)
    """
    config = dataclasses.replace(config, init_from=current_name(config.init_from))
    devices = devices_for(config.distribute)
    if not devices.is_chief:
        log, progress = _no_log, False
    with devices.together():
        training, validation = data or load_sources(config)
        for line in [*training.warnings, *validation.warnings]:
            log(f"note: {line}")
        validation = first_of_each_set(validation, config.validation_pictures)
        folder = open_folder(config, resume, devices.is_chief)
    config, given = _adapted(config, training, log)
    config = _with_encoder(config, encoder)
    stages = [stage for stage in STAGES if stage.epochs_in(config)]
    keras.utils.set_random_seed(config.seed)
    with devices.scope():
        captioner = new_captioner(config, training, encoder)
    try:
        with devices.together():
            _require_usable(config, captioner, stages)
            folder.begin(dataclasses.replace(config, **given))
            record = Record(config, folder, devices, stages, training, validation)
            captioner = record.start_from(captioner, devices)
            # Only now: a wrong setting must not leave a run behind.
            folder.keep_settings(dataclasses.replace(config, **given))
        devices.require_same(record.shared_by_workers())
        with devices.together():
            data = TrainingData(config, captioner, training, validation, log, progress)
        for line in summary(config, captioner, data, stages, devices):
            log(line)
        evaluation = Validation(captioner, data, devices)
        for kind in record.stages_to_come():
            stage = kind(config, captioner, data, devices, log, progress)
            record.begin(stage)
            for epoch in range(len(record.scores(stage)), stage.epochs):
                if _is_stuck(record.scores(stage), config.patience):
                    log(
                        f"no better score and no lower validation loss for {config.patience} "
                        "epochs: stage ends early"
                    )
                    break
                row = _run_epoch(stage, epoch, record, evaluation)
                if after_epoch:
                    after_epoch(row)
            stage.after()
        where = f": {folder.best}" if config.out else ""
        log(f"{record.best_line()}{where}")
        return folder.best_captioner(captioner)
    finally:
        folder.end()


def _run_epoch(stage, epoch, record, evaluation):
    """Learns for an epoch, measures the result and saves it; returns the history's row."""
    start = time.time()
    learned = stage.run_epoch(epoch, record.scores(stage))
    trained = time.time()
    with stage.averaged_weights():
        row = {
            "epoch": len(record.history) + 1,
            "stage": stage.name,
            "train_loss": "",
            "reward": "",
            **learned,
            **dict(evaluation.evaluate(stage)),
            "learning_rate": float(ops.convert_to_numpy(stage.optimizer.learning_rate)),
            "train_seconds": round(trained - start, 3),
            "seconds": round(time.time() - start, 1),
        }
        [(name, value)] = learned.items()
        stage.log(
            f"epoch {row['epoch']} ({stage.name}): {name.removeprefix('train_')} {value:.3f}, "
            f"validation loss {row['val_loss']:.3f}, {scores_line(stage.data.validation, row)}, "
            f"{row['seconds']:.0f} s"
        )
        with stage.devices.together():  # the other workers read what the chief has written
            record.add(row, stage)
    with stage.devices.together():
        record.save(stage)
    return row


def _is_stuck(scores, patience):
    """Whether the last progress is that many epochs ago; patience 0 never ends a stage."""
    return bool(patience and scores and waits(scores)[-1] >= patience)


def _adapted(config, training, log):
    """The settings that suit as few captions as there are, and those that they replace, a dict."""
    captions = [text for texts in training.captions for text in texts]
    given, config = config, adapted(config, captions)
    if line := note(given, config, captions):
        log(f"note: {line}")
    return config, {name: getattr(given, name) for name in ADAPTED}


def _with_encoder(config, encoder):
    """The settings, with those of a CNN that is given."""
    if not encoder:
        return config
    require(
        not config.init_from and config.fine_tune_from == "none",
        "encoder: given for runs that leave it as it is, without init_from and fine_tune_from",
    )
    return dataclasses.replace(config, encoder=encoder.backbone, picture_size=encoder.size)


def _require_usable(config, captioner, stages):
    """Raises CaptionerError for a setting that would fail only in a later stage."""
    if config.fine_tune_from != "none":
        captioner.encoder.require_layer(config.fine_tune_from)
    if config.text:
        require_known_words(config.text, captioner.vocabulary)
    require(stages, "0 epochs: nothing to train; give --epochs 1 or more")


def _no_log(line):
    """The log of a worker beside the chief."""
