"""Every setting of a decoder, declared once.

The decoder's constructor, attributes and config, the flags and checks of train.py, and what a
captioner that learns further keeps, are all made of the fields of `DecoderSettings`.
"""

import dataclasses


def setting(default, help_text, *, group="", metavar=None, choices=None, least=None, above=None,
            most=None, below=None, is_architecture=False):  # fmt: skip
    """A field of a dataclass of settings.

    Args:
        default: the value where none is given.
        help_text: str. What the setting means, for `--help`.
        group: str. Under which heading `--help` has it, see `training.config.GROUPS`. Defaults to
            `""`, no heading of its own.
        metavar: str or None. What its value is, in a word, for `--help`. Defaults to `None`, for
            settings that have `choices`.
        choices: tuple or None. All its values. Defaults to `None`.
        least, above, most, below: number or None. Its range: both ends included with `least` and
            `most`, excluded with `above` and `below`. Defaults to `None`.
        is_architecture: bool. Whether the weights of a decoder settle it, so that it cannot change
            when training continues. Defaults to `False`.
    """
    metadata = {
        "help": help_text,
        "group": group,
        "metavar": metavar,
        "choices": choices,
        "least": least,
        "above": above,
        "most": most,
        "below": below,
        "is_architecture": is_architecture,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass
class DecoderSettings:
    """What a decoder is, beside its vocabulary and its encoder. A new one drops nothing.

    Example:
    >>> DecoderSettings(units=256, cell="gru").embedding
    256
    """

    cell: str = setting(
        "lstm",
        "recurrent cell",
        group="model",
        choices=("rnn", "lstm", "gru"),
        is_architecture=True,
    )
    implementation: str = setting(
        "custom",
        "our own loop, or Keras' recurrent layers",
        group="model",
        choices=("custom", "keras"),
    )
    layers: int = setting(
        1,
        "number of stacked recurrent layers",
        group="model",
        metavar="N",
        least=1,
        is_architecture=True,
    )
    units: int = setting(
        512, "size of the hidden state", group="model", metavar="N", least=1, is_architecture=True
    )
    embedding: int = setting(
        256, "size of a word's vector", group="model", metavar="N", least=1, is_architecture=True
    )
    image_units: int = setting(
        512,
        "size to which the picture's vector is brought before it enters the recurrence; 0: the "
        "CNN's own size",
        group="model",
        metavar="N",
        least=0,
        is_architecture=True,
    )
    attention: str = setting(
        "none",
        "what the recurrence sees: none, one vector of the whole picture; additive, the regions "
        "that it looks at for each word",
        group="model",
        choices=("none", "additive"),
        is_architecture=True,
    )
    attention_units: int = setting(
        256,
        "size of the vectors in which regions and hidden state are compared",
        group="model",
        metavar="N",
        least=1,
        is_architecture=True,
    )
    attention_penalty: float = setting(
        0.0,
        "weight of the loss for regions that a caption does not look at",
        group="training",
        metavar="WEIGHT",
        least=0,
    )
    dropout: float = setting(
        0.0,
        "share of the recurrent layers' output that is dropped",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    word_dropout: float = setting(
        0.0,
        "share of the word vectors that is dropped",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    image_dropout: float = setting(
        0.0,
        "share of the picture's vector that is dropped",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    recurrent_dropout: float = setting(
        0.0,
        "share of the hidden state that is dropped in the recurrence",
        group="training",
        metavar="SHARE",
        least=0,
        below=1,
    )
    l2: float = setting(
        0.0,
        "weight in the loss of the squared recurrent matrices",
        group="training",
        metavar="WEIGHT",
        least=0,
    )
    seed: int | None = setting(
        None, "seed of all random numbers", group="training", metavar="N", least=0
    )


DECODER_SETTINGS = {field.name: field for field in dataclasses.fields(DecoderSettings)}
# What the weights settle, and what may change when training continues.
ARCHITECTURE = tuple(
    name for name, field in DECODER_SETTINGS.items() if field.metadata["is_architecture"]
)
CHANGEABLE = tuple(name for name in DECODER_SETTINGS if name not in ARCHITECTURE)
SIZES = tuple(name for name in ARCHITECTURE if DECODER_SETTINGS[name].type is int)
