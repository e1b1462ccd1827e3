"""Every setting of a training run: the flags, the config file and config.json are this class."""

import dataclasses
import json
import math
import sys
import typing

from captioner.datasets import FORMATS
from captioner.errors import CaptionerError, require_choice
from captioner.text_files import read_json


def _setting(default, help_text, choices=None):
    return dataclasses.field(default=default, metadata={"help": help_text, "choices": choices})


WEIGHTS_TOLERANCE = 0.001  # of the sum of `data_weights`, which people round

# How runs learned before there were these settings, which their config.json lacks.
AS_BEFORE = {"smallest_crop": 0.8, "text_weight": 0.0, "word_targets": 0}

# What `python -m captioner tune` searches: how each setting is drawn, and from what.
SEARCH_SPACE = {
    "units": ("choice", (128, 256, 512, 768)),
    "learning_rate": ("log", (3e-4, 5e-3)),
    "batch_size": ("choice", (32, 64, 128, 256)),
    "dropout": ("range", (0.0, 0.6)),
    "layers": ("choice", (1, 2)),
}


@dataclasses.dataclass
class TrainConfig:
    """The settings of `captioner.train`.

    Example:
    >>> config = TrainConfig(data="data/shapes", out="runs/shapes", units=256)
    """

    data: str | list[str] = _setting(
        "",
        "annotation file, or folder of a data set; given several, training learns from all and "
        "validates on each",
    )
    data_weights: list[float] = _setting(
        (),
        "share of each data set in the training captions, summing to 1: a small set is used "
        "several times in an epoch, of a large one each epoch takes another part; empty: every "
        "caption is used once",
    )
    images: str | list[str] = _setting(
        "",
        "folder of the pictures, one for each data set; empty: search beside the annotations",
    )
    format: str = _setting(
        "auto",
        "format of the annotations",
        FORMATS,
    )
    more_data: str = _setting(
        "",
        "another data set whose train split is added to that of the first --data; its format is "
        "detected",
    )
    out: str = _setting("", "run folder to create, e.g. runs/mine")

    encoder: str = _setting("efficientnet_v2_b0", "the CNN: a name of captioner.encoder.BACKBONES")
    encoder_weights: str = _setting(
        "preset",
        "where its weights come from: preset (the shipped model's), imagenet (downloaded by "
        "Keras), none (random), a weights file, or a captioner's .keras file",
    )
    picture_size: int = _setting(
        0,
        "height and width in pixels at which the CNN sees pictures; 0: the size it was made for, "
        "or that of the model of --init-from",
    )
    fine_tune_from: str = _setting(
        "none", "train the CNN too, starting at this layer: a layer's name, all, or none"
    )

    cell: str = _setting("lstm", "recurrent cell", ("rnn", "lstm", "gru"))
    implementation: str = _setting(
        "custom", "our own loop, or Keras' recurrent layers", ("custom", "keras")
    )
    layers: int = _setting(1, "number of stacked recurrent layers")
    units: int = _setting(512, "size of the hidden state")
    embedding: int = _setting(256, "size of a word's vector")
    image_units: int = _setting(512, "size of the picture's vector; 0: the CNN's own size")

    direction: str = _setting(
        "forward",
        "order in which words are written; a backward model re-ranks (caption.py --rerank)",
        ("forward", "backward"),
    )

    attention: str = _setting(
        "none",
        "what the recurrence sees: none, one vector of the whole picture; additive, the regions "
        "that it looks at for each word",
        ("none", "additive"),
    )
    attention_units: int = _setting(
        256, "size of the vectors in which regions and hidden state are compared"
    )
    attention_penalty: float = _setting(
        1.0, "weight of the loss for regions that a caption does not look at"
    )

    dropout: float = _setting(0.5, "share of the recurrent layers' output that is dropped")
    word_dropout: float = _setting(0.2, "share of the word vectors that is dropped")
    image_dropout: float = _setting(0.2, "share of the picture's vector that is dropped")
    recurrent_dropout: float = _setting(
        0.0, "share of the hidden state that is dropped in the recurrence"
    )
    l2: float = _setting(0.0, "weight in the loss of the squared recurrent matrices")
    label_smoothing: float = _setting(0.1, "share of each target spread over all words")

    scheduled_sampling: float = _setting(
        0.0,
        "share of the input words that are replaced, by the end, with the model's own predictions",
    )
    ema: float = _setting(
        0.0, "momentum of the moving average of the weights, which is kept; 0: no averaging"
    )
    init_from: str = _setting(
        "", "captioner to start from: its words, sizes and CNN are used, and new words are added"
    )

    text: str | list[str] = _setting(
        "", "text files of captions without pictures, one per line, to learn from too"
    )
    text_epochs: int = _setting(
        2, "passes over the captions of --text before everything else, without any picture"
    )
    text_weight: float = _setting(
        0.5,
        "weight of the captions of --text in the loss of --epochs, and of --self-critical with "
        "--teacher-weight: each step uses as many as there are captions with pictures, each with a "
        "vector imagined from its words; 0: use them in --text-epochs only",
    )
    imagined_noise: float = _setting(
        0.6,
        "random distance of imagined vectors from what their words predict; 1: as far as the "
        "vectors of real pictures, 0: none",
    )
    epochs: int = _setting(15, "passes over the captions with the CNN frozen")
    batch_size: int = _setting(128, "captions per step")
    learning_rate: float = _setting(2e-3, "largest step of Adam")
    fine_tune_epochs: int = _setting(6, "passes over the pictures in which the CNN learns too")
    fine_tune_batch_size: int = _setting(
        16, "pictures per step in those passes, each with all its captions"
    )
    fine_tune_learning_rate: float = _setting(
        3e-4, "largest step of Adam for the decoder, while the CNN learns"
    )
    encoder_learning_rate: float = _setting(1e-4, "largest step of Adam for the CNN")
    self_critical: int = _setting(
        0, "last passes over the pictures, with the CIDEr-D of sampled captions as reward"
    )
    self_critical_learning_rate: float = _setting(
        1e-4, "largest step of Adam in --self-critical passes"
    )
    teacher_weight: float = _setting(
        0.0, "weight of the loss of people's captions in --self-critical passes, beside the rewards"
    )
    word_targets: int = _setting(
        1000,
        "number of most frequent words; while the CNN learns, it also predicts the share of a "
        "picture's captions that contain each of them; 0: none",
    )
    word_weight: float = _setting(0.1, "weight of --word-targets in the loss")
    augment: bool = _setting(
        True, "crop, mirror and recolour pictures at random while the CNN learns", (True, False)
    )
    smallest_crop: float = _setting(
        0.6,
        "share of the height and of the width that the smallest random crop keeps; 1: no cropping",
    )
    views: int = _setting(
        1,
        "randomly changed versions of each training picture, which the epochs with a frozen CNN "
        "use in turn; the first is the picture itself",
    )
    schedule: str = _setting(
        "cosine",
        "learning rate after the warm-up; plateau halves it after 2 epochs without a better score",
        ("cosine", "plateau", "constant"),
    )
    warmup: float = _setting(0.05, "share of the steps over which the learning rate rises")
    clip_norm: float = _setting(5.0, "largest norm of all gradients together")
    patience: int = _setting(5, "epochs without a better score before stopping; 0: never stop")
    validation_pictures: int = _setting(
        1000, "pictures of each data set captioned after each epoch to choose the best model"
    )

    min_count: int = _setting(5, "words seen less often in training are left out of the vocabulary")
    max_length: int = _setting(40, "words of a caption that training uses, at most")
    seed: int = _setting(0, "seed of all random numbers")
    distribute: str = _setting(
        "none",
        "where to train: none, on one device; mirrored, on all GPUs of this machine; multiworker, "
        "in the processes that TF_CONFIG lists; each takes --batch-size captions of every batch",
        ("none", "mirrored", "multiworker"),
    )
    cache: str = _setting("", "folder of cached CNN features; empty: ~/.cache/captioner")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _converted(getattr(self, field.name), field)
            setattr(self, field.name, value)
        self._check_ranges()
        self._check_data_sets()

    def _check_ranges(self):
        at_least = {"layers": 1, "units": 1, "embedding": 1, "image_units": 0, "epochs": 0,
                    "text_epochs": 0,
                    "batch_size": 1, "fine_tune_epochs": 0, "fine_tune_batch_size": 1,
                    "patience": 0, "attention_units": 1, "attention_penalty": 0,
                    "validation_pictures": 1, "min_count": 1, "picture_size": 0, "max_length": 1,
                    "seed": 0, "views": 1, "l2": 0, "clip_norm": 0, "learning_rate": 0,
                    "self_critical": 0, "teacher_weight": 0, "text_weight": 0,
                    "imagined_noise": 0, "word_targets": 0, "word_weight": 0,
                    "self_critical_learning_rate": 0, "fine_tune_learning_rate": 0,
                    "encoder_learning_rate": 0}  # fmt: skip
        for name, least in at_least.items():
            if not getattr(self, name) >= least:
                raise CaptionerError(f"{flag(name)} {getattr(self, name)}: must be {least} or more")
        for name in ("dropout", "word_dropout", "image_dropout", "recurrent_dropout",
                     "label_smoothing", "warmup", "scheduled_sampling", "ema"):  # fmt: skip
            if not 0 <= getattr(self, name) < 1:
                raise CaptionerError(
                    f"{flag(name)} {getattr(self, name)}: must be at least 0 and below 1"
                )
        if not 0 < self.smallest_crop <= 1:
            raise CaptionerError(
                f"--smallest-crop {self.smallest_crop}: must be above 0 and at most 1"
            )

    def _check_data_sets(self):
        sets, folders, weights = as_list(self.data), as_list(self.images), self.data_weights
        if self.images and len(folders) != len(sets):
            raise CaptionerError(
                f"--images: {_counted(len(folders), 'folder')} for "
                f"{_counted(len(sets), 'data set')}; give one for each, or none"
            )
        if not weights:
            return
        told = f"--data-weights {_shown(weights)}"
        if len(weights) != len(sets):
            raise CaptionerError(
                f"{told}: {_counted(len(weights), 'weight')} for "
                f"{_counted(len(sets), 'data set')}; give one for each, in the order of --data"
            )
        if not all(weight > 0 for weight in weights):
            raise CaptionerError(
                f"{told}: each must be more than 0; leave out of --data what is not learned from"
            )
        total = sum(weights)
        if round(abs(total - 1), 6) > WEIGHTS_TOLERANCE:
            shares = _shown(round(weight / total, 4) for weight in weights)
            raise CaptionerError(f"{told}: sum to {total:g}, must sum to 1; give {shares}")

    def adopt(self, settings, source):
        """Takes settings over from a captioner.

        Args:
            settings: dict.
            source: str. Where they are from, for the error.

        Raises:
            CaptionerError: One of them has been given, and differently.
        """
        for field in dataclasses.fields(self):
            if field.name not in settings:
                continue
            given, settled = getattr(self, field.name), settings[field.name]
            if given not in (field.default, settled):
                raise CaptionerError(
                    f"{flag(field.name)} {given}: {source} has {settled}; leave the flag out, or "
                    "leave out --init-from"
                )
            setattr(self, field.name, settled)

    def to_json(self):
        """The settings as readable JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_file(cls, path, **overrides):
        """The settings of a JSON file, with some replaced.

        Raises:
            CaptionerError: The file is missing, is no JSON object, or names an unknown setting.
        """
        return cls(**{**read_config_file(path), **overrides})


def read_config_file(path):
    """The settings that a JSON file gives: a dict, its names checked."""
    given = read_json(path)
    if not isinstance(given, dict):
        raise CaptionerError(f"{path}: expected a JSON object of settings")
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    given = {name.replace("-", "_"): value for name, value in given.items()}
    unknown = sorted(set(given) - known)
    if unknown:
        raise CaptionerError(f"{path}: unknown setting {', '.join(unknown)}; see train.py --help")
    return given


def read_run_settings(path):
    """The settings of a run's config.json; those that it is too old to have, as they were then."""
    return {**AS_BEFORE, **read_config_file(path)}


def flag(name):
    """The command-line flag of a setting."""
    return "--" + name.replace("_", "-")


def setting_type(field):
    """The Python type of a field of `TrainConfig`; where it takes several values, of each."""
    hint = _hint(field)
    return typing.get_args(hint)[0] if takes_several(field) else hint


def takes_several(field):
    """Whether a field of `TrainConfig` may be a list."""
    return bool(typing.get_args(_hint(field)))


def as_list(value):
    """The values of a setting that is one or a list of them."""
    return value if isinstance(value, list) else [value]


def _hint(field):
    return typing.get_type_hints(TrainConfig)[field.name]


def _counted(count, what):
    return f"{count} {what}" + "s" * (count != 1)


def _shown(values):
    return " ".join(f"{value:g}" for value in values)


def _converted(value, field):
    """The value as its type, so that 1 serves for 1.0, or a clear error.

    Where one or a list of several is wanted, a list of one is that one: the same settings are
    equal, however they were written.
    """
    if not takes_several(field):
        return _converted_one(value, field)
    given = list(value) if isinstance(value, (list, tuple)) else [value]
    values = [_converted_one(each, field) for each in given]
    if typing.get_origin(_hint(field)) is list:
        return values
    if len(values) > 1:
        return values
    return values[0] if values else field.default


def _converted_one(value, field):
    wanted = setting_type(field)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is float and is_number and abs(value) <= sys.float_info.max:
        value = float(value)
    is_wanted = isinstance(value, wanted) and (is_number or wanted not in (int, float))
    if not is_wanted or (wanted is float and not math.isfinite(value)):
        kinds = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise CaptionerError(f"{flag(field.name)} {value!r}: must be {kinds[wanted]}")
    choices = field.metadata["choices"]
    if choices:
        require_choice(flag(field.name), value, choices)
    return value
