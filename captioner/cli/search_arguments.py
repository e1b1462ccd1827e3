"""The flags of the search for a caption, shared by caption, evaluate and alt."""

import functools

from captioner.decoding import METHODS, SETTINGS, check_settings
from captioner.errors import CaptionerError, flag
from captioner.lite_captioner import manifest_of
from captioner.presets import DEFAULT_PRESET, exported_form
from captioner.reranked import WEIGHT


def add_search_arguments(parser):
    """Adds a flag for each setting; a flag that is not given leaves the choice to the model."""
    group = parser.add_argument_group(
        "search", "without these flags: the settings that worked best in validation"
    )
    for name, setting in SETTINGS.items():
        on = flag(name)
        if setting.kind is bool:
            off = on.replace("--no-", "--")
            group.add_argument(on, action="store_true", default=None, help=_help(setting))
            group.add_argument(
                off,
                dest=name,
                action="store_false",
                default=None,
                help=f"turn {on} off, for models whose own settings include it",
            )
        elif setting.choices:
            group.add_argument(on, choices=setting.choices, help=_help(setting))
        else:
            metavar = "N" if setting.kind is int else "X"
            group.add_argument(on, type=setting.kind, metavar=metavar, help=_help(setting))
    group.add_argument(
        "--rerank",
        metavar="NAME|FILE",
        help="beam: captioner trained with --direction backward that helps to choose the best",
    )
    group.add_argument(
        "--rerank-weight",
        type=float,
        metavar="X",
        help=f"beam: how much --rerank counts, 0 to 1 (default: {WEIGHT})",
    )


def search_settings(options):
    """The flags that were given, as arguments of `Captioner.generate`.

    Raises:
        CaptionerError: A value is out of range.
    """
    given = {name: getattr(options, name) for name in SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    check_settings(settings)
    return settings


def _help(setting):
    """What a setting does, for which methods, and what applies without it."""
    methods = "" if setting.methods in ((), METHODS) else f"{', '.join(setting.methods)}: "
    default = str(setting.default)
    if setting.is_stored:
        default = "the model's own"
        if setting.name in _shipped():
            default += f"; {DEFAULT_PRESET}: {_shown(_shipped()[setting.name])}"
    return f"{methods}{setting.help} (default: {default})"


def _shown(value):
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


@functools.cache
def _shipped():
    """The search settings of the shipped captioner, read without Keras; {} without its folder."""
    folder = exported_form(DEFAULT_PRESET)
    try:
        return manifest_of(folder)["generation"] if folder else {}
    except CaptionerError:
        return {}
