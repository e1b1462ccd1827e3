"""The flags of the search for a caption, shared by caption and evaluate."""

from captioner.errors import CaptionerError
from captioner.generation import SEARCH_SETTINGS

SETTINGS = sorted(set.union({"method"}, *SEARCH_SETTINGS.values()))


def add_search_arguments(parser):
    """Adds the flags; a flag not given leaves the choice to the model."""
    group = parser.add_argument_group(
        "search", "without these flags: the settings that worked best in validation"
    )
    methods = ("greedy", "beam", "sample")
    group.add_argument("--method", choices=methods, help="how words are chosen")
    group.add_argument("--beam-size", type=int, metavar="N", help="hypotheses kept by beam search")
    group.add_argument(
        "--length-penalty",
        type=float,
        metavar="A",
        help="beam: divide scores by length to this power (0: favour short captions)",
    )
    group.add_argument("--n-best", type=int, metavar="N", help="beam: captions per picture")
    group.add_argument("--max-length", type=int, metavar="N", help="most words in a caption")
    group.add_argument(
        "--no-repeat-ngram",
        type=int,
        metavar="N",
        help="never repeat the same N words in the same order; 0: allow it",
    )
    group.add_argument(
        "--no-repeat-word",
        action="store_true",
        default=None,
        help="never repeat a word that people hardly ever repeat in a caption",
    )
    group.add_argument(
        "--repeat-word",
        dest="no_repeat_word",
        action="store_false",
        default=None,
        help="turn --no-repeat-word off, for models whose own settings include it",
    )
    group.add_argument(
        "--temperature", type=float, metavar="T", help="sample: below 1 bolder, above 1 more varied"
    )
    group.add_argument("--top-k", type=int, metavar="K", help="sample: among the K best words")
    group.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="sample: among the best words that together have this probability",
    )
    group.add_argument(
        "--rerank",
        metavar="NAME|FILE",
        help="beam: captioner trained with --direction backward that helps to choose the best",
    )
    group.add_argument(
        "--rerank-weight",
        type=float,
        metavar="W",
        help="beam: how much --rerank counts, 0 to 1 (default: 0.5)",
    )
    group.add_argument("--seed", type=int, metavar="N", help="sample: same seed, same captions")


def search_settings(options):
    """The flags that were given, as arguments of `Captioner.generate`."""
    given = {name: getattr(options, name) for name in SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    if settings.get("seed", 0) < 0:
        raise CaptionerError(f"--seed {settings['seed']}: must be 0 or more")
    return settings
