"""From next-word probabilities to captions: greedy, beam search and sampling.

Nothing here knows a network. A search sees `step(words, state) -> (log_probs, state)`, where words
is an int array (rows,), log_probs an array (rows, vocabulary) and state a list of arrays with one
row a caption, and asks for the rows it wants to go on with: whatever belongs to a picture has to be
in the state, or found by what is. A picture whose search is over has no rows any more, for a step
takes time in proportion to its rows. Bookkeeping is NumPy on the CPU: it costs little beside the
step, and runs the same whatever computed the step.

Every hypothesis closes with the end word: one that has reached `max_length` words can only end.
So hypotheses are compared on equal terms, and there always is one.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np

from captioner.errors import CaptionerError
from captioner.vocabulary import END, PAD, START, UNKNOWN

IMPOSSIBLE = -1e9  # in place of -inf, which would turn into NaN where it meets a zero
NEVER_SAID = (PAD, START, UNKNOWN)
BEAM_SIZE = 3


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


def greedy(step, state, max_length=30, no_repeat_ngram=0, no_repeat_word=None):
    """The most probable word at every step.

    Args:
        step: callable. `step(words, state) -> (log_probs, state)`, see the module's head.
        state: list of arrays, one row a picture.
        max_length: int. Most words in a caption. Defaults to `30`.
        no_repeat_ngram: int. No caption has the same n words twice; 0 for no such rule.
            Defaults to `0`.
        no_repeat_word: int array (vocabulary,) or None. How many words on each word may be said
            again, see `Vocabulary.least_distances`. Defaults to `None`, no such rule.

    Returns:
        list (pictures) of lists of one Hypothesis.

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
    max_length=30,
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    seed=0,
    no_repeat_ngram=0,
    no_repeat_word=None,
    pictures=None,
):
    """A word drawn at every step, more probable words more often.

    Args:
        step, state, max_length, no_repeat_ngram, no_repeat_word: as in `greedy`.
        temperature: float > 0. Log-probabilities are divided by it: below 1 bolder, above 1 more
            varied. Defaults to `1.0`.
        top_k: int. Draw among the k most probable words; 0 for all (Fan et al. 2018, section 5).
            Defaults to `0`.
        top_p: float in (0, 1]. Draw among the fewest words that together have this probability
            (nucleus sampling, Holtzman et al. 2020, section 3.1). Defaults to `1.0`.
        seed: int. The same seed gives the same captions. Defaults to `0`.
        pictures: list of int or None. What tells each picture from others. Each draws from a
            stream of its own, so that its caption depends on no other. Defaults to `None`: 0, 1, 2
            and so on.

    Returns:
        list (pictures) of lists of one Hypothesis; word scores are the model's own.
    """
    _require(temperature > 0, "temperature", temperature, "above 0")
    _require(top_k >= 0, "top-k", top_k, "0 or more")
    _require(0 < top_p <= 1, "top-p", top_p, "above 0 and at most 1")
    _require(seed >= 0, "seed", seed, "0 or more")
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
    beam_size=BEAM_SIZE,
    length_penalty=1.0,
    n_best=1,
    max_length=30,
    no_repeat_ngram=0,
    no_repeat_word=None,
):
    """Beam search: the best of many hypotheses kept side by side.

    At every step the live hypotheses of a picture are extended by every word and the `beam_size`
    best extensions looked at. Those that end are set aside, finished; live ones fill the beam
    again. A picture is done when it has `beam_size` finished hypotheses, and its answers are those
    with the best normalised score. With `beam_size=1` this is `greedy`.

    Args:
        step, state, max_length, no_repeat_ngram, no_repeat_word: as in `greedy`. After the first
            step, step sees beam_size rows a picture, one picture's after another's.
        beam_size: int. Hypotheses kept. Defaults to `3`.
        length_penalty: float. Exponent of the length by which the summed log-probability is
            divided: 0 compares sums, which favours short captions, 1 means. Defaults to `1.0`.
        n_best: int, at most beam_size. Hypotheses returned a picture. Defaults to `1`.

    Returns:
        list (pictures) of lists of n_best Hypothesis, best first (fewer where the search found
        fewer).

    Reference: Graves 2012, "Sequence transduction with recurrent neural networks", algorithm 1;
    length normalisation as in Wu et al. 2016, section 7.
    """
    _require(beam_size >= 1, "beam size", beam_size, "1 or more")
    _require(1 <= n_best <= beam_size, "n-best", n_best, f"1 to the beam size, {beam_size}")
    _require_common(max_length, no_repeat_ngram)
    searches = [_Beam(beam_size, length_penalty) for _ in state[0]]
    live, width = searches, 1  # at first all hypotheses of a picture are one, the empty one
    words = np.full(len(searches), START, np.int32)
    for length in range(max_length + 1):
        log_probs, state = step(words, state)
        log_probs = _permitted(log_probs, must_end=length == max_length)
        histories = [words for search in live for words in search.live_words]
        _forbid_repeats(log_probs, histories, no_repeat_ngram, no_repeat_word)
        best_words, best_scores = _best_words(log_probs, 2 * beam_size)
        parents, next_words = [], []
        for number, search in enumerate(live):
            rows = slice(number * width, (number + 1) * width)
            origins, chosen = search.advance(best_words[rows], best_scores[rows])
            if not search.done:
                parents.append(rows.start + origins)
                next_words.append(chosen)
        live, width = [search for search in live if not search.done], beam_size
        if not live:
            break
        words, parents = np.concatenate(next_words), np.concatenate(parents)
        state = [np.asarray(each)[parents] for each in state]
    return [search.answers(n_best) for search in searches]


class _Beam:
    """The search of one picture: live hypotheses, and finished ones set aside."""

    def __init__(self, size, length_penalty):
        self.size = size
        self.length_penalty = length_penalty
        self.live_words, self.live_word_scores = [()], [()]
        self.live_sums = np.zeros(1)
        self.finished = []
        self.done = False

    def advance(self, words, scores):
        """Extends the live hypotheses by their best words (hypotheses, candidates).

        Twice as many candidates as the beam is wide are enough to fill it: each live hypothesis
        can end in one way only.

        Returns:
            (origins, words): for each of the `size` rows, which old row it goes on from and its
            new last word.
        """
        sums = (self.live_sums[:, None] + scores).ravel()
        order = np.argsort(-sums, kind="stable")[: 2 * self.size]
        live = []
        for rank, candidate in enumerate(order):
            row, column = divmod(int(candidate), scores.shape[1])
            if sums[candidate] <= IMPOSSIBLE / 2:
                break
            if words[row, column] != END:
                live.append((row, int(words[row, column]), float(scores[row, column])))
            elif rank < self.size:
                self._finish(row, float(scores[row, column]))
        self.done = len(self.finished) >= self.size or not live
        return self._go_on(live[: self.size])

    def _finish(self, row, end_score):
        word_scores = (*self.live_word_scores[row], end_score)
        score = sum(word_scores) / len(word_scores) ** self.length_penalty
        self.finished.append(Hypothesis(self.live_words[row], word_scores, score))

    def _go_on(self, live):
        origins = np.zeros(self.size, np.int64)
        words = np.full(self.size, END, np.int32)
        sums = np.full(self.size, IMPOSSIBLE)
        new_words, new_scores = [()] * self.size, [()] * self.size
        for slot, (row, word, score) in enumerate(live):
            origins[slot], words[slot] = row, word
            sums[slot] = self.live_sums[row] + score
            new_words[slot] = (*self.live_words[row], word)
            new_scores[slot] = (*self.live_word_scores[row], score)
        self.live_words, self.live_word_scores, self.live_sums = new_words, new_scores, sums
        return origins, words

    def answers(self, n_best):
        return sorted(self.finished, key=lambda each: -each.score)[:n_best]


def _one_by_one(step, state, choose, max_length, no_repeat_ngram, no_repeat_word):
    """The loop of greedy search and sampling: one hypothesis a picture."""
    _require_common(max_length, no_repeat_ngram)
    live = np.arange(len(state[0]))  # the picture of each row
    words = np.full(len(live), START, np.int32)
    said, word_scores = [[] for _ in live], [[] for _ in live]
    for length in range(max_length + 1):
        log_probs, state = step(words, state)
        log_probs = _permitted(log_probs, must_end=length == max_length)
        histories = [said[each] for each in live]
        _forbid_repeats(log_probs, histories, no_repeat_ngram, no_repeat_word)
        words = choose(log_probs, live).astype(np.int32)
        for row, picture in enumerate(live):
            word_scores[picture].append(float(log_probs[row, words[row]]))
            if words[row] != END:
                said[picture].append(int(words[row]))
        goes_on = words != END
        if not goes_on.any():
            break
        live, words = live[goes_on], words[goes_on]
        state = [np.asarray(each)[goes_on] for each in state]
    return [
        [Hypothesis(tuple(words), tuple(scores), sum(scores) / len(scores))]
        for words, scores in zip(said, word_scores, strict=True)
    ]


def _permitted(log_probs, must_end):
    """A copy in which what may not be said is impossible."""
    log_probs = np.array(log_probs, np.float32)
    log_probs[:, NEVER_SAID] = IMPOSSIBLE
    if must_end:
        end = log_probs[:, END].copy()
        log_probs[:] = IMPOSSIBLE
        log_probs[:, END] = np.maximum(end, IMPOSSIBLE / 4)
    return log_probs


def _forbid_repeats(log_probs, histories, no_repeat_ngram, no_repeat_word):
    """Makes impossible, in place, what the rules against repeats forbid each row to say next."""
    if no_repeat_ngram:
        _forbid_ngrams(log_probs, histories, no_repeat_ngram)
    if no_repeat_word is not None:
        _forbid_words(log_probs, histories, no_repeat_word)


def _forbid_ngrams(log_probs, histories, n):
    """Makes impossible, in place, every word that would say the same n words a second time."""
    for row, said in enumerate(histories):
        if len(said) < n:
            continue
        last = tuple(said[len(said) - n + 1 :])
        for start in range(len(said) - n + 1):
            if tuple(said[start : start + n - 1]) == last:
                log_probs[row, said[start + n - 1]] = IMPOSSIBLE


def _forbid_words(log_probs, histories, least_distances):
    """Makes impossible, in place, every word that a row would say again too soon."""
    rows = np.repeat(np.arange(len(histories)), [len(said) for said in histories])
    words = np.fromiter(chain.from_iterable(histories), np.int64, len(rows))
    distances = np.concatenate([np.arange(len(said), 0, -1) for said in histories])
    is_forbidden = distances < least_distances[words]
    log_probs[rows[is_forbidden], words[is_forbidden]] = IMPOSSIBLE


def _best_words(log_probs, count):
    """The `count` best words of each row, best first: (rows, count) ids and scores.

    Of equal scores the lower id comes first. Taking the best away one by one is fifteen times as
    fast as np.argpartition: argmax uses the processor's vector instructions (measured).
    """
    left, rows = log_probs.copy(), np.arange(len(log_probs))
    words, scores = [], []
    for _ in range(min(count, log_probs.shape[-1])):
        words.append(left.argmax(axis=-1))
        scores.append(left[rows, words[-1]])
        left[rows, words[-1]] = -np.inf
    return np.stack(words, axis=-1), np.stack(scores, axis=-1)


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


def _require_common(max_length, no_repeat_ngram):
    _require(max_length >= 1, "max length", max_length, "1 or more")
    _require(no_repeat_ngram >= 0, "no-repeat-ngram", no_repeat_ngram, "0 or more")


def _require(condition, name, value, wanted):
    if not condition:
        raise CaptionerError(f"{name} {value}: must be {wanted}")
