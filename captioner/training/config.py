"""Every setting of a training run: the flags, the config file and config.json are this class."""

import dataclasses
import json
import math
import operator
import sys
import typing

from captioner.datasets import FORMATS
from captioner.decoder_settings import DECODER_SETTINGS, DecoderSettings, setting
from captioner.errors import CaptionerError, counted, flag, require_choice, suggestion
from captioner.text_files import read_json

# How a range is checked, and what an error says of it.
_LIMITS = {
    "least": (operator.ge, "{} or more"),
    "above": (operator.gt, "above {}"),
    "most": (operator.le, "at most {}"),
    "below": (operator.lt, "below {}"),
}

# The headings of the settings in --help, and what is under each.
GROUPS = {
    "data": "what the captioner learns from",
    "model": "the CNN, and the decoder that writes",
    "training": "how the captioner learns",
    "fine-tuning": "passes in which the CNN learns too, with --fine-tune-from",
    "self-critical": "last passes, in which sampled captions are rewarded",
    "text": "words, and captions without pictures",
    "output": "what is written where",
}

WEIGHTS_TOLERANCE = 0.001  # of the sum of `data_weights`, which people round

# How runs learned before there were these settings, which their config.json lacks.
AS_BEFORE = {
    "smallest_crop": 0.8, "teacher_weight": 0.0, "text_weight": 0.0, "word_targets": 0,
    "adapt_to_few": False,
}  # fmt: skip

# What `python -m captioner tune` searches: how each setting is drawn, and from what.
SEARCH_SPACE = {
    "units": ("choice", (128, 256, 512, 768)),
    "learning_rate": ("log", (3e-4, 5e-3)),
    "batch_size": ("choice", (32, 64, 128, 256)),
    "dropout": ("range", (0.0, 0.6)),
    "layers": ("choice", (1, 2)),
}


@dataclasses.dataclass
class InputSettings:
    """What a run learns from, where it goes, and its CNN."""

    data: str | list[str] = setting(
        "",
        "annotation file, or folder of a data set; given several, training learns from all and "
        "validates on each",
        group="data",
        metavar="FOLDER|FILE",
    )
    val_data: str | list[str] = setting(
        "",
        "annotation file or folder whose pictures are validated on, one for all data sets or one "
        "for each; then all of --data is learned from, or its train split if it has splits",
        group="data",
        metavar="FOLDER|FILE",
    )
    data_weights: list[float] = setting(
        (),
        "share of each data set in the training captions, summing to 1: a small set is used "
        "several times in an epoch, of a large one each epoch takes another part; empty: every "
        "caption is used once",
        group="data",
        metavar="SHARE",
    )
    images: str | list[str] = setting(
        "",
        "folder of the pictures, one for each data set; empty: search beside the annotations",
        group="data",
        metavar="FOLDER",
    )
    format: str = setting(
        "auto",
        "format of the annotations",
        group="data",
        choices=FORMATS,
    )
    more_data: str = setting(
        "",
        "another data set whose train split is added to that of the first --data; its format is "
        "detected",
        group="data",
        metavar="FOLDER|FILE",
    )
    out: str = setting("", "run folder to create, e.g. runs/mine", group="output", metavar="FOLDER")

    encoder: str = setting(
        "efficientnet_v2_b0",
        "the CNN, such as mobilenet_v2; an unknown name is answered with all names",
        group="model",
        metavar="NAME",
    )
    encoder_weights: str = setting(
        "preset",
        "where its weights come from: preset (the shipped model's), imagenet (downloaded by "
        "Keras), none (random), a weights file, or a captioner's .keras file",
        group="model",
        metavar="NAME|FILE",
    )
    picture_size: int = setting(
        0,
        "height and width in pixels at which the CNN sees pictures; 0: the size it was made for, "
        "or that of the model of --init-from",
        group="model",
        metavar="PIXELS",
        least=0,
    )
    fine_tune_from: str = setting(
        "none",
        "train the CNN too, starting at this layer: a layer's name, all, or none",
        group="fine-tuning",
        metavar="LAYER",
    )


def _in_a_run(name, default):
    """A setting of the decoder with the default of a run."""
    metadata = DECODER_SETTINGS[name].metadata
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass
class TrainConfig(DecoderSettings, InputSettings):
    """The settings of `captioner.train`; those of the inputs come first, then the decoder's.

    Example:
    >>> config = TrainConfig(data="data/shapes", out="runs/shapes", units=256)
    """

    # A decoder by itself drops nothing, like any layer; a run has the values of the recipes.
    attention_penalty: float = _in_a_run("attention_penalty", 1.0)
    dropout: float = _in_a_run("dropout", 0.5)
    word_dropout: float = _in_a_run("word_dropout", 0.2)
    image_dropout: float = _in_a_run("image_dropout", 0.2)
    seed: int = _in_a_run("seed", 0)

    direction: str = setting(
        "forward",
        "order in which words are written; a backward model re-ranks (caption.py --rerank)",
        group="model",
        choices=("forward", "backward"),
    )

    label_smoothing: float = setting(
        0.1,
        "share of each target spread over all words",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )

    scheduled_sampling: float = setting(
        0.0,
        "share of the input words that are replaced, by the end, with the model's own predictions",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    ema: float = setting(
        0.0,
        "momentum of the moving average of the weights, which is kept; 0: no averaging",
        group="training",
        metavar="MOMENTUM",
        least=0,
        below=1,
    )
    init_from: str = setting(
        "",
        "captioner to start from: its words, sizes and CNN are used, and new words are added",
        group="model",
        metavar="NAME|FILE",
    )

    text: str | list[str] = setting(
        "",
        "text files of captions without pictures, one per line, to learn from too",
        group="text",
        metavar="FILE",
    )
    text_epochs: int = setting(
        2,
        "passes over the captions of --text before everything else, without any picture",
        group="text",
        metavar="EPOCHS",
        least=0,
    )
    text_weight: float = setting(
        0.5,
        "weight of the captions of --text in the loss of --epochs, and of --self-critical with "
        "--teacher-weight: each step uses as many as there are captions with pictures, each with a "
        "vector imagined from its words; 0: use them in --text-epochs only",
        group="text",
        metavar="WEIGHT",
        least=0,
    )
    imagined_noise: float = setting(
        0.6,
        "random distance of imagined vectors from what their words predict; 1: as far as the "
        "vectors of real pictures, 0: none",
        group="text",
        metavar="DISTANCE",
        least=0,
    )
    epochs: int = setting(
        15,
        "passes over the captions with the CNN frozen",
        group="training",
        metavar="EPOCHS",
        least=0,
    )
    batch_size: int = setting(
        128, "captions per step", group="training", metavar="CAPTIONS", least=1
    )
    learning_rate: float = setting(
        2e-3, "largest step of Adam", group="training", metavar="RATE", least=0
    )
    fine_tune_epochs: int = setting(
        6,
        "passes over the pictures in which the CNN learns too",
        group="fine-tuning",
        metavar="EPOCHS",
        least=0,
    )
    fine_tune_batch_size: int = setting(
        16,
        "pictures per step in those passes, each with all its captions",
        group="fine-tuning",
        metavar="PICTURES",
        least=1,
    )
    fine_tune_learning_rate: float = setting(
        3e-4,
        "largest step of Adam for the decoder, while the CNN learns",
        group="fine-tuning",
        metavar="RATE",
        least=0,
    )
    encoder_learning_rate: float = setting(
        1e-4, "largest step of Adam for the CNN", group="fine-tuning", metavar="RATE", least=0
    )
    self_critical: int = setting(
        0,
        "last passes over the pictures, with the CIDEr-D of sampled captions as reward",
        group="self-critical",
        metavar="EPOCHS",
        least=0,
    )
    self_critical_learning_rate: float = setting(
        1e-4,
        "largest step of Adam in --self-critical passes",
        group="self-critical",
        metavar="RATE",
        least=0,
    )
    teacher_weight: float = setting(
        0.2,
        "weight of the loss of people's captions in --self-critical passes, beside the rewards",
        group="self-critical",
        metavar="WEIGHT",
        least=0,
    )
    word_targets: int = setting(
        1000,
        "number of most frequent words; while the CNN learns, it also predicts the share of a "
        "picture's captions that contain each of them; 0: none",
        group="fine-tuning",
        metavar="WORDS",
        least=0,
    )
    word_weight: float = setting(
        0.1, "weight of --word-targets in the loss", group="fine-tuning", metavar="WEIGHT", least=0
    )
    augment: bool = setting(
        True,
        "crop, mirror and recolour pictures at random while the CNN learns",
        group="fine-tuning",
        choices=(True, False),
    )
    smallest_crop: float = setting(
        0.6,
        "share of the height and of the width that the smallest random crop keeps; 1: no cropping",
        group="fine-tuning",
        metavar="SHARE",
        above=0,
        most=1,
    )
    views: int = setting(
        1,
        "randomly changed versions of each training picture, which the epochs with a frozen CNN "
        "use in turn; the first is the picture itself",
        group="training",
        metavar="N",
        least=1,
    )
    schedule: str = setting(
        "cosine",
        "learning rate after the warm-up; plateau halves it after 2 epochs without progress, see "
        "--patience",
        group="training",
        choices=("cosine", "plateau", "constant"),
    )
    warmup: float = setting(
        0.05,
        "share of the steps over which the learning rate rises",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    clip_norm: float = setting(
        5.0, "largest norm of all gradients together", group="training", metavar="NORM", least=0
    )
    patience: int = setting(
        5,
        "epochs without a better score or a lower validation loss before stopping; 0: never stop",
        group="training",
        metavar="EPOCHS",
        least=0,
    )
    validation_pictures: int = setting(
        1000,
        "pictures of each data set captioned after each epoch to choose the best model",
        group="training",
        metavar="PICTURES",
        least=1,
    )

    min_count: int = setting(
        5,
        "words seen less often in training are left out of the vocabulary",
        group="text",
        metavar="N",
        least=1,
    )
    max_length: int = setting(
        40, "words of a caption that training uses, at most", group="text", metavar="WORDS", least=1
    )
    adapt_to_few: bool = setting(
        True,
        "where there are few captions, lower the defaults of --min-count and --batch-size",
        group="training",
        choices=(True, False),
    )
    precision: str = setting(
        "float32",
        "type of the numbers in matrix products while the CNN is frozen; bfloat16 is faster on "
        "CPUs with AMX (amx_bf16 in /proc/cpuinfo); weights, and a CNN that learns, stay float32",
        group="training",
        choices=("float32", "bfloat16"),
    )
    distribute: str = setting(
        "none",
        "where to train: none, on one device; mirrored, on all GPUs of this machine; multiworker, "
        "in the processes that TF_CONFIG lists; each takes --batch-size captions of every batch",
        group="training",
        choices=("none", "mirrored", "multiworker"),
    )
    cache: str = setting(
        "",
        "folder of cached CNN features; empty: ~/.cache/captioner",
        group="output",
        metavar="FOLDER",
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _converted(getattr(self, field.name), field)
            _require_in_range(value, field)
            setattr(self, field.name, value)
        self._check_data_sets()

    def _check_data_sets(self):
        sets, folders, weights = as_list(self.data), as_list(self.images), self.data_weights
        if self.images and len(folders) != len(sets):
            raise CaptionerError(
                f"--images: {counted(len(folders), 'folder')} for "
                f"{counted(len(sets), 'data set')}; give one for each, or none"
            )
        validated = as_list(self.val_data)
        if len(validated) not in (1, len(sets)):
            raise CaptionerError(
                f"--val-data: {counted(len(validated), 'data set')} for "
                f"{counted(len(sets), 'data set')}; give one for each, or one for all"
            )
        if not weights:
            return
        shown = f"--data-weights {_shown(weights)}"
        if len(weights) != len(sets):
            raise CaptionerError(
                f"{shown}: {counted(len(weights), 'weight')} for "
                f"{counted(len(sets), 'data set')}; give one for each, in the order of --data"
            )
        if not all(weight > 0 for weight in weights):
            raise CaptionerError(
                f"{shown}: each must be more than 0; leave an unused data set out of --data"
            )
        total = sum(weights)
        if round(abs(total - 1), 6) > WEIGHTS_TOLERANCE:
            shares = _shown(round(weight / total, 4) for weight in weights)
            raise CaptionerError(f"{shown}: sum to {total:g}, must sum to 1; give {shares}")

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
            CaptionerError: The file is missing, is not a JSON object, or names an unknown setting.
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
        meant = suggestion(unknown[0], known)
        raise CaptionerError(
            f"{path}: unknown setting {', '.join(unknown)}; {meant}see train.py --help"
        )
    return given


def read_run_settings(path):
    """The settings of a run's config.json; those that it is too old to have, as they were then."""
    return {**AS_BEFORE, **read_config_file(path)}


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


def _shown(values):
    return " ".join(f"{value:g}" for value in values)


def _require_in_range(value, field):
    found = {name: field.metadata[name] for name in _LIMITS if field.metadata[name] is not None}
    if not all(_LIMITS[name][0](value, limit) for name, limit in found.items()):
        wanted = " and ".join(_LIMITS[name][1].format(limit) for name, limit in found.items())
        raise CaptionerError(f"{flag(field.name)} {value}: must be {wanted}")


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
