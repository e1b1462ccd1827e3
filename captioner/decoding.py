"""From next-word probabilities to captions: greedy search, beam search and sampling.

Nothing here knows a network. A search sees `step(words, state) -> (log_probs, state)`, where words
is an int array (rows,), log_probs an array (rows, vocabulary) and state a list of arrays with one
row for each caption. A search chooses which rows continue, so everything that belongs to a picture
must be in the state, or be found from it. A finished picture has no rows any more, because a step
takes time in proportion to its rows. The bookkeeping is NumPy on the CPU: it costs little beside
the step, and works the same whatever computed the step.

Every hypothesis ends with the end word: one that has `max_length` words can only end. So hypotheses
are compared on equal terms, and there is always an answer.

The settings of the searches are rows of one table, `SETTINGS`. The signatures below, the flags of
the command line, the parameters of the server, the defaults of a model and every check of a value
derive from it.
"""

from numbers import Integral, Real
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from captioner.errors import require
from captioner.vocabulary import END, PAD, START, UNKNOWN

IMPOSSIBLE = -1e9  # in place of -inf, which would turn into NaN where it meets a zero
NEVER_SAID = (PAD, START, UNKNOWN)
METHODS = ("greedy", "beam", "sample")  # the searches, by the names of their functions
KINDS = {  # kind of value -> (the types accepted, the words for it in an error)
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    bool: (bool, "true or false"),
    str: (str, "a name"),
}
JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


class Setting(NamedTuple):
    """One setting of the searches.

    Attributes:
        name: str. Of the argument, of the HTTP parameter and, with hyphens, of the flag.
        kind: type. int, float, bool, or str for one of `choices`.
        default: the value where neither the caller nor the model gives one.
        methods: tuple of str. The searches that take it; none for `method` itself.
        help: str. What it does.
        least, most: number or None. The range, both ends included. Defaults to `None`, no end.
        above: number or None. Lower end of the range, not included. Defaults to `None`.
        choices: tuple of str. Defaults to `()`.
        is_stored: bool. Whether every model stores a value of its own. Defaults to `False`.
        stored_most: number or None. The most that a model's file may store: it can come from
            anyone. Defaults to `None`, no further limit.
        http_most: number or None. The most that the server lets its visitors choose. Defaults to
            `None`, no further limit.

    Example:
    >>> SETTINGS["beam_size"].check(0)
    Traceback (most recent call last):
    captioner.errors.CaptionerError: beam size 0: must be 1 or more
    """

    name: str
    kind: type
    default: object
    methods: tuple
    help: str
    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: tuple = ()
    is_stored: bool = False
    stored_most: float | None = None
    http_most: float | None = None

    @property
    def label(self):
        """The name in an error line."""
        return self.name.replace("_", " ")

    def schema(self, default):
        """The JSON schema of a value that a visitor of a server or a page may choose, a dict.

        Args:
            default: what counts where none is given.

        Example:
        >>> SETTINGS["n_best"].schema(1)
        {'type': 'integer', 'default': 1, 'minimum': 1, 'maximum': 20}
        """
        most = [each for each in (self.most, self.http_most) if each is not None]
        bounds = {
            "enum": list(self.choices) or None,
            "minimum": self.least,
            "exclusiveMinimum": self.above,
            "maximum": min(most, default=None),
        }
        schema = {"type": JSON_TYPES[self.kind], "default": default}
        return schema | {name: value for name, value in bounds.items() if value is not None}

    def check(self, value, most=None, origin=""):
        """Raises CaptionerError unless the value is of this kind and in this range.

        Args:
            value: object.
            most: number or None. A limit besides the setting's own. Defaults to `None`.
            origin: str. Begins the error line, to say where the value is from. Defaults to `""`.
        """
        what = f"{origin}{self.label} {value!r}"
        types, kind = KINDS[self.kind]
        # To Python, True is a whole number; here it is not.
        is_of_kind = isinstance(value, types) and isinstance(value, bool) == (self.kind is bool)
        require(is_of_kind, f"{what}: must be {kind}")
        known = not self.choices or value in self.choices
        require(known, f"{what}: no such {self.label}; choose {', '.join(self.choices)}")
        require(self._is_in_range(value), f"{what}: must be {self._range()}")
        require(most is None or value <= most, f"{what}: must be {most} or less")

    def _is_in_range(self, value):
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
        )

    def _range(self):
        if self.above is not None:
            return f"above {self.above} and at most {self.most}"
        if self.most is None:
            return f"{self.least} or more"
        return f"from {self.least} to {self.most}"


SETTINGS = {
    each.name: each
    for each in (
        Setting(
            "method", str, "beam", (), "how words are chosen", choices=METHODS, is_stored=True
        ),
        Setting(
            "beam_size", int, 3, ("beam",), "hypotheses kept side by side",
            least=1, is_stored=True, stored_most=1000, http_most=20,
        ),
        Setting(
            "length_penalty", float, 1.0, ("beam",),
            "divide scores by length to this power; 0: favour short captions",
            least=-10, most=10, is_stored=True,
        ),
        Setting(
            "n_best", int, 1, ("beam",), "captions per picture, best first", least=1, http_most=20
        ),
        Setting(
            "max_length", int, 30, METHODS, "most words in a caption",
            least=1, is_stored=True, stored_most=10_000, http_most=60,
        ),
        Setting(
            "no_repeat_ngram", int, 0, METHODS,
            "never repeat the same N words in the same order; 0: allow it",
            least=0, is_stored=True, stored_most=10_000,
        ),
        Setting(
            "no_repeat_word", bool, False, METHODS,
            "never repeat a word that people rarely repeat in a caption", is_stored=True,
        ),
        Setting(
            "temperature", float, 1.0, ("sample",),
            "below 1 safer (closer to greedy), above 1 more varied", least=0.01, most=100,
        ),
        Setting(
            "top_k", int, 0, ("sample",), "draw among the N best words; 0: among all", least=0
        ),
        Setting(
            "top_p", float, 1.0, ("sample",),
            "draw among the best words that together have this probability", above=0, most=1,
        ),
        Setting("seed", int, 0, ("sample",), "same seed, same captions", least=0),
    )
}  # fmt: skip
DEFAULT = SimpleNamespace(**{name: each.default for name, each in SETTINGS.items()})


def settings_of(method):
    """The names of the settings that a search takes, a list of str in the order of the table."""
    return [name for name, each in SETTINGS.items() if method in each.methods]


def check_settings(settings):
    """Raises CaptionerError unless each setting is of its kind and in its range.

    Args:
        settings: dict from names in `SETTINGS` to values.
    """
    for name, value in settings.items():
        SETTINGS[name].check(value)
    n_best, beam_size = settings.get("n_best", DEFAULT.n_best), settings.get("beam_size")
    require(
        beam_size is None or n_best <= beam_size,
        f"n best {n_best}: must be at most the beam size, {beam_size}",
    )


def stored_settings(given):
    """The search settings that a model stores: those given, and defaults for the rest.

    Args:
        given: dict. From a model's file; names that are not in `SETTINGS` are kept as they are.

    Returns:
        dict.

    Raises:
        CaptionerError: A value is not one that a search can have.

    Example:
    >>> stored_settings({"beam_size": 5})["beam_size"]
    5
    """
    require(isinstance(given, dict), "stored search settings: must be names with values")
    settings = {name: each.default for name, each in SETTINGS.items() if each.is_stored} | given
    for name, setting in SETTINGS.items():
        if name in settings:
            setting.check(settings[name], setting.stored_most, "stored ")
    return settings


class Hypothesis(NamedTuple):
    """One caption as word ids.

    Attributes:
        words: tuple of int. The words, without start and end.
        word_scores: tuple of float. The log-probability of each word, the end word's last.
        score: float. Their sum divided by (number of words, end included) ** length_penalty.
    """

    words: tuple
    word_scores: tuple
    score: float


def greedy(
    step,
    state,
    max_length=DEFAULT.max_length,
    no_repeat_ngram=DEFAULT.no_repeat_ngram,
    no_repeat_word=None,
):
    """The most probable word at every step.

    Args:
        step: callable. `step(words, state) -> (log_probs, state)`, see the top of this module.
        state: list of arrays with one row for each picture.
        max_length: int. Most words in a caption. Defaults to `30`.
        no_repeat_ngram: int. No caption has the same n words in the same order twice; 0 for no
            such rule. Defaults to `0`.
        no_repeat_word: int array (vocabulary,) or None. How many words later each word may be used
            again, see `Vocabulary.least_distances`. Defaults to `None`, no such rule.

    Returns:
        list (pictures) of lists of one Hypothesis.

    Raises:
        CaptionerError: A setting is out of range.

    Example:
    >>> def step(words, state):                # says word 4 twice, then ends
    ...     count = state[0]
    ...     log_probs = np.where(count[:, None] < 2, [[-9, -9, -9, -9, 0]], [[-9, -9, 0, -9, -9]])
    ...     return log_probs, [count + 1]
    >>> greedy(step, [np.zeros(1)])[0][0].words
    (4, 4)
    """

    def choose(log_probs, pictures):
        return np.argmax(log_probs, axis=-1)

    return _one_by_one(step, state, choose, max_length, no_repeat_ngram, no_repeat_word)


def sample(
    step,
    state,
    max_length=DEFAULT.max_length,
    temperature=DEFAULT.temperature,
    top_k=DEFAULT.top_k,
    top_p=DEFAULT.top_p,
    seed=DEFAULT.seed,
    no_repeat_ngram=DEFAULT.no_repeat_ngram,
    no_repeat_word=None,
    pictures=None,
):
    """A word drawn at every step, more probable words more often.

    Args:
        step, state, max_length, no_repeat_ngram, no_repeat_word: as in `greedy`.
        temperature: float from 0.01 to 100. Log-probabilities are divided by it: captions are
            safer (closer to greedy search) below 1, and more varied above 1. Defaults to `1.0`.
        top_k: int. Draw among the k most probable words; 0 for all (Fan et al. 2018, section 5).
            Defaults to `0`.
        top_p: float in (0, 1]. Draw among the fewest words that together have this probability
            (nucleus sampling, Holtzman et al. 2020, section 3.1). Defaults to `1.0`.
        seed: int. The same seed gives the same captions. Defaults to `0`.
        pictures: list of int or None. A number that identifies each picture. Each picture has a
            random stream of its own, so that its caption does not depend on the other pictures.
            Defaults to `None`: 0, 1, 2 and so on.

    Returns:
        list (pictures) of lists of one Hypothesis; word scores are the model's own.

    Raises:
        CaptionerError: A setting is out of range.
    """
    check_settings({"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed})
    pictures = range(len(state[0])) if pictures is None else pictures
    streams = [np.random.default_rng([seed, picture]) for picture in pictures]

    def choose(log_probs, pictures):
        log_probs = _nucleus(_top(log_probs / temperature, top_k), top_p)
        weights = np.exp(log_probs - log_probs.max(axis=-1, keepdims=True))
        reach = np.cumsum(weights, axis=-1)
        draws = np.array([streams[each].random() for each in pictures]) * reach[:, -1]
        return (reach > draws[:, None]).argmax(axis=-1)

    return _one_by_one(step, state, choose, max_length, no_repeat_ngram, no_repeat_word)


def beam(
    step,
    state,
    beam_size=DEFAULT.beam_size,
    length_penalty=DEFAULT.length_penalty,
    n_best=DEFAULT.n_best,
    max_length=DEFAULT.max_length,
    no_repeat_ngram=DEFAULT.no_repeat_ngram,
    no_repeat_word=None,
):
    """Beam search: the best of many hypotheses kept side by side.

    At every step the live hypotheses of a picture are extended by every word. Those of the
    `beam_size` best extensions that end are finished and set aside; the best of the rest fill the
    beam again. A picture is done when it has `beam_size` finished hypotheses, and its answers are
    those with the best normalised score. With `beam_size=1` this is `greedy`.

    Args:
        step, state, max_length, no_repeat_ngram, no_repeat_word: as in `greedy`. Step sees a row
            for each live hypothesis, at most beam_size for each picture, whose rows are neighbours.
        beam_size: int. Hypotheses kept. Defaults to `3`.
        length_penalty: float from -10 to 10. The summed log-probability is divided by the length
            to this power: 0 compares sums, which favours short captions; 1 compares means.
            Defaults to `1.0`.
        n_best: int, at most beam_size. Hypotheses returned for each picture. Defaults to `1`.

    Returns:
        list (pictures) of lists of n_best Hypothesis, best first; fewer only where there are not
        so many captions.

    Raises:
        CaptionerError: A setting is out of range.

    Reference: Graves 2012, "Sequence transduction with recurrent neural networks", algorithm 1;
    length normalisation as in Wu et al. 2016, section 7.
    """
    check_settings({"beam_size": beam_size, "length_penalty": length_penalty, "n_best": n_best})
    check_settings({"max_length": max_length, "no_repeat_ngram": no_repeat_ngram})
    finished = [[] for _ in state[0]]
    pictures = np.arange(len(finished))  # of each row; a picture's rows are neighbours
    words = np.full(len(pictures), START, np.int32)
    said = np.empty((len(pictures), 0), np.int32)  # (rows, length)
    word_scores = np.empty((len(pictures), 0))
    for length in range(max_length + 1):
        log_probs, state = step(words, state)
        log_probs = _permitted(log_probs, must_end=length == max_length)
        _forbid_repeats(log_probs, said, no_repeat_ngram, no_repeat_word)
        sums = word_scores.sum(axis=1)
        rows, words, scores = _best_extensions(log_probs, sums, pictures, beam_size)
        pictures, said = pictures[rows], np.column_stack([said[rows], words])
        word_scores = np.column_stack([word_scores[rows], scores])
        for row in np.flatnonzero(words == END):
            finished[pictures[row]].append(_ended(said[row], word_scores[row], length_penalty))
        is_done = np.array([len(found) >= beam_size for found in finished])
        live = (words != END) & ~is_done[pictures]
        if not live.any():
            break
        state = [np.asarray(each)[rows[live]] for each in state]
        pictures, words, said, word_scores = (
            each[live] for each in (pictures, words, said, word_scores)
        )
    return [sorted(found, key=lambda each: -each.score)[:n_best] for found in finished]


def _best_extensions(log_probs, sums, pictures, size):
    """The best extensions of each picture's hypotheses by one word.

    They are the picture's `size` best extensions that do not end, and those that end and are among
    its `size` best of all. The best are taken one after another: each time only the row that it was
    taken from must be searched again, instead of sorting every row (`python -m benchmarks.searches`
    measures the whole search). Of equal extensions the one of the earlier row, then of the lower
    word id comes first.

    Args:
        log_probs: array (rows, vocabulary), of the next words. It is changed.
        sums: array (rows,). The summed log-probability of each hypothesis.
        pictures: int array (rows,), in ascending order. The picture of each hypothesis.
        size: int. The width of the beam.

    Returns:
        (rows, words, scores), arrays with one entry for each extension: the hypothesis that it
        continues, its new word, and that word's log-probability. A picture's extensions are
        neighbours, best first.
    """
    first_rows = np.searchsorted(pictures, np.arange(pictures[-1] + 1))  # of each picture
    all_rows = np.arange(len(pictures))
    all_places = all_rows - first_rows[pictures]  # of each row among its picture's
    best_words = log_probs.argmax(axis=1)  # of each row, among those not yet taken
    totals = np.full((len(first_rows), all_places.max() + 1), -np.inf)  # of those words
    totals[pictures, all_places] = sums + log_probs[all_rows, best_words]
    missing = np.full(len(first_rows), size)  # how many that do not end each picture still needs
    searched, found = np.unique(pictures), []  # the pictures that still need some
    for rank in range(2 * size):  # each hypothesis can end in one way only
        places = totals[searched].argmax(axis=1)
        rows = first_rows[searched] + places
        words, is_possible = best_words[rows], totals[searched, places] > IMPOSSIBLE / 2
        ends = words == END
        missing[searched] -= is_possible & ~ends
        taken = is_possible & (~ends | (rank < size))
        found.append((searched[taken], rows[taken], words[taken], log_probs[rows, words][taken]))
        continues = is_possible & (missing[searched] > 0)
        searched, places, rows = searched[continues], places[continues], rows[continues]
        if not len(searched):
            break
        log_probs[rows, words[continues]] = -np.inf
        best_words[rows] = log_probs[rows].argmax(axis=1)
        totals[searched, places] = sums[rows] + log_probs[rows, best_words[rows]]
    owners, *found = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(owners, kind="stable")
    return tuple(each[order] for each in found)


def _ended(said, word_scores, length_penalty):
    """A hypothesis from arrays of its words and their scores, both with the end."""
    word_scores = tuple(word_scores.tolist())
    score = sum(word_scores) / len(word_scores) ** length_penalty
    return Hypothesis(tuple(said[:-1].tolist()), word_scores, score)


def _one_by_one(step, state, choose, max_length, no_repeat_ngram, no_repeat_word):
    """The loop of greedy search and sampling: one hypothesis for each picture."""
    check_settings({"max_length": max_length, "no_repeat_ngram": no_repeat_ngram})
    found = [None for _ in state[0]]
    pictures = np.arange(len(found))  # of each row
    words = np.full(len(pictures), START, np.int32)
    said = np.empty((len(pictures), 0), np.int32)  # (rows, length)
    word_scores = np.empty((len(pictures), 0))
    for length in range(max_length + 1):
        log_probs, state = step(words, state)
        log_probs = _permitted(log_probs, must_end=length == max_length)
        _forbid_repeats(log_probs, said, no_repeat_ngram, no_repeat_word)
        words = choose(log_probs, pictures).astype(np.int32)
        said = np.column_stack([said, words])
        scores = log_probs[np.arange(len(words)), words]
        word_scores = np.column_stack([word_scores, scores])
        for row in np.flatnonzero(words == END):
            found[pictures[row]] = [_ended(said[row], word_scores[row], 1)]
        live = words != END
        if not live.any():
            break
        state = [np.asarray(each)[live] for each in state]
        pictures, words, said, word_scores = (
            each[live] for each in (pictures, words, said, word_scores)
        )
    return found


def _permitted(log_probs, must_end):
    """A copy in which words that may not come next are impossible."""
    log_probs = np.array(log_probs, np.float32)
    log_probs[:, NEVER_SAID] = IMPOSSIBLE
    if must_end:
        end = log_probs[:, END].copy()
        log_probs[:] = IMPOSSIBLE
        log_probs[:, END] = np.maximum(end, IMPOSSIBLE / 4)
    return log_probs


def _forbid_repeats(log_probs, said, no_repeat_ngram, no_repeat_word):
    """Makes impossible, in place, the next words that the rules against repeats forbid.

    Args:
        log_probs: array (rows, vocabulary).
        said: int array (rows, length). The words of each hypothesis.
        no_repeat_ngram, no_repeat_word: as in `greedy`.
    """
    if no_repeat_ngram:
        _forbid_ngrams(log_probs, said, no_repeat_ngram)
    if no_repeat_word is not None:
        _forbid_words(log_probs, said, no_repeat_word)


def _forbid_ngrams(log_probs, said, n):
    """Makes impossible, in place, every word that would repeat n words in the same order."""
    last = said.shape[1] - n + 1  # where the last n - 1 words begin
    for start in range(last):
        repeats = (said[:, start : start + n - 1] == said[:, last:]).all(axis=1)
        log_probs[repeats, said[repeats, start + n - 1]] = IMPOSSIBLE


def _forbid_words(log_probs, said, least_distances):
    """Makes impossible, in place, every word that a row would repeat too soon."""
    distances = np.arange(said.shape[1], 0, -1)
    rows, places = np.nonzero(distances < least_distances[said])
    log_probs[rows, said[rows, places]] = IMPOSSIBLE


def _top(log_probs, k):
    if not 0 < k < log_probs.shape[-1]:
        return log_probs
    least = np.partition(log_probs, -k, axis=-1)[:, -k]
    return np.where(log_probs < least[:, None], IMPOSSIBLE, log_probs)


def _nucleus(log_probs, p):
    if p >= 1:
        return log_probs
    order = np.argsort(-log_probs, axis=-1)
    ordered = np.take_along_axis(log_probs, order, axis=-1)
    weights = np.exp(ordered - ordered[:, :1])
    weights /= weights.sum(axis=-1, keepdims=True)
    before = np.cumsum(weights, axis=-1) - weights  # probability of all better words
    ordered = np.where(before < p, ordered, IMPOSSIBLE)
    result = np.empty_like(log_probs)
    np.put_along_axis(result, order, ordered, axis=-1)
    return result
