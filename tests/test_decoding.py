"""The searches against fake steps: no network, and on small ones brute force knows the answer."""

import argparse
import inspect
import itertools
import re

import numpy as np
import pytest

from captioner import decoding
from captioner.cli.search_arguments import add_search_arguments
from captioner.decoding import METHODS, SETTINGS
from captioner.errors import CaptionerError
from captioner.vocabulary import END, NEVER, PAD, START, UNKNOWN

VOCABULARY = 7  # words 4, 5 and 6, and the end
LENGTH = 4
SAYABLE = (4, 5, 6)


def markov(seed, pictures=1):
    """Next-word probabilities that depend on picture, place and last word; (step, state, table)."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(pictures, LENGTH + 2, VOCABULARY, VOCABULARY)) * 2
    table -= np.log(np.exp(table).sum(-1, keepdims=True))

    def step(words, state):
        picture, place = state
        return table[picture, place, words], [picture, place + 1]

    state = [np.arange(pictures), np.zeros(pictures, int)]
    return step, state, table


def score_of(table, words, length_penalty):
    path = [START, *words, END]
    total = sum(table[t, path[t], path[t + 1]] for t in range(len(path) - 1))
    return total / (len(words) + 1) ** length_penalty


def all_captions():
    for length in range(LENGTH + 1):
        yield from itertools.product(SAYABLE, repeat=length)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_everything_is_brute_force(seed, length_penalty):
    step, state, table = markov(seed)
    [found] = decoding.beam(
        step, state, beam_size=130, length_penalty=length_penalty, max_length=LENGTH, n_best=3
    )
    scores = {words: score_of(table[0], words, length_penalty) for words in all_captions()}
    best = sorted(scores, key=scores.get, reverse=True)[:3]
    assert [each.words for each in found] == best
    np.testing.assert_allclose([each.score for each in found], [scores[b] for b in best], rtol=1e-5)


def textbook_beam(table, size, penalty, n_best, is_allowed):
    """Beam search as its definition says, one picture: every extension is made, then all sorted."""
    live, finished = [((), 0.0)], []
    for length in range(LENGTH + 1):
        extensions = [
            ((*words, word), total + table[length, words[-1] if words else START, word])
            for words, total in live
            for word in ([END] if length == LENGTH else [END, *SAYABLE])
            if word == END or is_allowed((*words, word))
        ]
        extensions.sort(key=lambda each: -each[1])
        for words, total in extensions[:size]:
            if words[-1] == END:
                finished.append((words[:-1], total / len(words) ** penalty))
        live = [each for each in extensions if each[0][-1] != END][:size]
        if len(finished) >= size or not live:
            break
    return sorted(finished, key=lambda each: -each[1])[:n_best]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rule", ["none", "no pair twice", "no word twice"])
@pytest.mark.parametrize(("size", "penalty"), [(1, 1.0), (2, 0.8), (3, 0.0), (5, -1.0), (9, 2.0)])
def test_beam_search_is_what_its_definition_says(size, penalty, rule, seed):
    def is_allowed(words):
        if rule == "no word twice":
            return len(set(words)) == len(words)
        pairs = list(itertools.pairwise(words))
        return rule == "none" or len(set(pairs)) == len(pairs)

    step, state, table = markov(seed, pictures=4)
    rules = {
        "none": {},
        "no pair twice": {"no_repeat_ngram": 2},
        "no word twice": {"no_repeat_word": np.full(VOCABULARY, NEVER)},
    }[rule]
    found = decoding.beam(step, state, size, penalty, n_best=size, max_length=LENGTH, **rules)
    for number, hypotheses in enumerate(found):
        wanted = textbook_beam(table[number], size, penalty, size, is_allowed)
        assert [each.words for each in hypotheses] == [words for words, _ in wanted]
        scores = [each.score for each in hypotheses]
        np.testing.assert_allclose(scores, [score for _, score in wanted], rtol=1e-5)


def test_only_hypotheses_that_exist_have_rows():
    """Three words can follow, so a beam of 130 has 1, 3, 9 and 27 rows, and no filled-up ones."""
    step, state, _ = markov(0)
    rows = []

    def counting(words, state):
        rows.append(len(words))
        return step(words, state)

    decoding.beam(counting, state, beam_size=130, max_length=3)
    assert rows == [1, 3, 9, 27]


def test_the_search_leaves_what_the_step_returned_as_it_was():
    step, state, _ = markov(2, pictures=2)
    returned = []

    def keeping(words, state):
        log_probs, state = step(words, state)
        log_probs = log_probs.astype(np.float32)
        returned.append((log_probs, log_probs.copy()))
        return log_probs, state

    decoding.beam(keeping, state, max_length=LENGTH)
    for log_probs, before in returned:
        np.testing.assert_array_equal(log_probs, before)


@pytest.mark.parametrize("seed", range(10))
def test_beam_of_one_is_greedy(seed):
    step, state, _ = markov(seed, pictures=3)
    greedy = decoding.greedy(step, state, max_length=LENGTH)
    beam = decoding.beam(step, state, beam_size=1, max_length=LENGTH)
    assert greedy == beam


def test_pictures_do_not_depend_on_their_neighbours():
    step, state, _ = markov(3, pictures=5)
    together = decoding.beam(step, state, beam_size=3, max_length=LENGTH)
    alone = [
        decoding.beam(step, [each[n : n + 1] for each in state], beam_size=3, max_length=LENGTH)[0]
        for n in range(5)
    ]
    assert together == alone


@pytest.mark.parametrize(("search", "width"), [(decoding.greedy, 1), (decoding.beam, 3)])
def test_a_picture_that_is_done_takes_no_more_steps(search, width):
    """Picture n can say n words and then nothing but the end."""
    seen = []

    def step(words, state):
        picture, place = state
        seen.append(picture.tolist())
        log_probs = np.full((len(words), VOCABULARY), decoding.IMPOSSIBLE)
        ended = place == picture
        log_probs[ended, END] = 0
        log_probs[~ended, 4:] = [-1.0, -1.1, -1.2]
        return log_probs, [picture, place + 1]

    found = search(step, [np.arange(3), np.zeros(3, int)], max_length=LENGTH)
    assert [len(each.words) for [each] in found] == [0, 1, 2]
    assert seen == [[0, 1, 2], [1] * width + [2] * width, [2] * width]


@pytest.mark.parametrize("search", [decoding.greedy, decoding.beam, decoding.sample])
def test_what_must_not_be_said_is_not_said_and_there_is_an_answer(search):
    def step(words, state):
        log_probs = np.full((len(words), VOCABULARY), -20.0)
        log_probs[:, [PAD, START, UNKNOWN]] = -0.1
        log_probs[:, END] = -1e9  # never ends by itself
        return log_probs, state

    [[hypothesis]] = search(step, [np.zeros(1)], max_length=3)
    assert len(hypothesis.words) == 3
    assert set(hypothesis.words) <= set(SAYABLE)
    assert len(hypothesis.word_scores) == 4
    assert np.isfinite(hypothesis.score)


@pytest.mark.parametrize("search", [decoding.greedy, decoding.beam])
def test_no_ngram_twice(search):
    def step(words, state):
        log_probs = np.full((len(words), VOCABULARY), -9.0)
        log_probs[:, 4:] = [-0.5, -1.0, -2.0]
        return log_probs, state

    [[said]] = search(step, [np.zeros(1)], max_length=6, no_repeat_ngram=2)
    pairs = list(itertools.pairwise(said.words))
    assert len(pairs) == 5
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("search", [decoding.greedy, decoding.beam, decoding.sample])
def test_words_are_said_again_no_sooner_than_people_do(search):
    """Words 4, 5 and 6: at once, from the third word on, never."""

    def step(words, state):
        log_probs = np.full((len(words), VOCABULARY), -9.0)
        log_probs[:, 4:] = [-2.0, -1.0, -0.5]
        return log_probs, state

    least = np.array([NEVER, NEVER, NEVER, NEVER, 1, 3, NEVER])
    found = search(step, [np.zeros(9)], max_length=8, no_repeat_word=least)
    for [hypothesis] in found:
        places = [n for n, word in enumerate(hypothesis.words) if word == 5]
        assert hypothesis.words.count(6) <= 1
        assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(places))
        assert np.isfinite(hypothesis.score)
    if search is decoding.greedy:
        assert found[0][0].words == (6, 5, 4, 4, 5, 4, 4, 5)


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_the_best_of_what_the_rule_about_words_leaves(seed):
    step, state, table = markov(seed)
    least = np.array([NEVER, NEVER, NEVER, NEVER, 1, 2, NEVER])
    [found] = decoding.beam(
        step, state, beam_size=130, max_length=LENGTH, n_best=3, no_repeat_word=least
    )
    scores = {
        words: score_of(table[0], words, 1.0)
        for words in all_captions()
        if words.count(6) <= 1 and (5, 5) not in itertools.pairwise(words)
    }
    assert [each.words for each in found] == sorted(scores, key=scores.get, reverse=True)[:3]


def test_both_rules_against_repeats_together():
    def step(words, state):
        log_probs = np.full((len(words), VOCABULARY), -9.0)
        log_probs[:, 4:] = [-0.5, -1.0, -2.0]
        return log_probs, state

    least = np.array([NEVER, NEVER, NEVER, NEVER, 1, 1, NEVER])
    rules = {"no_repeat_ngram": 2, "no_repeat_word": least}
    [[said]] = decoding.greedy(step, [np.zeros(1)], max_length=9, **rules)
    assert said.words == (4, 4, 5, 4, 6, 4)  # after 4 every word has come


def test_sampling_follows_the_probabilities():
    def step(words, state):
        weights = np.array([1e-9, 1e-9, 0.5, 1e-9, 0.3, 0.2, 1e-9])
        return np.tile(np.log(weights), (len(words), 1)), state

    found = decoding.sample(step, [np.zeros(4000)], max_length=1, seed=1)
    first = [each.words for [each] in found]
    assert first.count(()) / 4000 == pytest.approx(0.5, abs=0.03)
    assert first.count((4,)) / 4000 == pytest.approx(0.3, abs=0.03)
    assert decoding.sample(step, [np.zeros(50)], max_length=1, seed=1) == found[:50]
    coldest = decoding.sample(step, [np.zeros(50)], max_length=1, temperature=0.01)
    assert {each.words for [each] in coldest} == {()}


@pytest.mark.parametrize(("limit", "said"), [({"top_k": 2}, {(), (4,)}), ({"top_p": 0.4}, {()})])
def test_sampling_among_the_best_words(limit, said):
    def step(words, state):
        weights = np.array([1e-9, 1e-9, 0.5, 1e-9, 0.3, 0.2, 1e-9])
        return np.tile(np.log(weights), (len(words), 1)), state

    found = decoding.sample(step, [np.zeros(300)], max_length=1, **limit)
    assert {each.words for [each] in found} == said


def arguments_of(method):
    """The parameters of a search that are settings, by name."""
    parameters = inspect.signature(getattr(decoding, method)).parameters
    return {name: parameters[name] for name in parameters.keys() - {"step", "state", "pictures"}}


@pytest.mark.parametrize("method", METHODS)
def test_a_search_takes_the_settings_of_the_table_with_their_defaults(method):
    arguments = arguments_of(method)
    assert arguments.keys() == set(decoding.settings_of(method))
    # Of the rule about words a search takes the table of the vocabulary, None for False.
    assert not SETTINGS["no_repeat_word"].default
    assert arguments.pop("no_repeat_word").default is None
    for name, argument in arguments.items():
        assert argument.default == SETTINGS[name].default


def test_the_docstrings_state_the_defaults_of_the_table():
    stated = {}
    for method in METHODS:
        text = " ".join(getattr(decoding, method).__doc__.split())
        stated |= re.findall(r"(\w+): (?:int|float)[^`]*?Defaults to `([^`]+)`", text)
    numbers = {name: each for name, each in SETTINGS.items() if each.kind in (int, float)}
    assert stated == {name: str(each.default) for name, each in numbers.items()}


def test_every_setting_but_the_method_belongs_to_a_search():
    assert {name for name, each in SETTINGS.items() if not each.methods} == {"method"}
    assert {name for method in METHODS for name in arguments_of(method)} == SETTINGS.keys() - {
        "method"
    }


def test_the_flags_are_the_settings_of_the_table_and_state_their_defaults():
    parser = argparse.ArgumentParser()
    add_search_arguments(parser)
    helps = {}
    for action in parser._actions:
        helps.setdefault(action.dest, action.help)
    assert helps.keys() - {"help", "rerank", "rerank_weight"} == SETTINGS.keys()
    for name, setting in SETTINGS.items():
        default = "the model's own" if setting.is_stored else str(setting.default)
        assert re.search(rf"\(default: {re.escape(default)}[;)]", helps[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_default_is_a_value_that_is_allowed_everywhere(name):
    setting = SETTINGS[name]
    for most in (None, setting.stored_most, setting.http_most):
        setting.check(setting.default, most)


WRONG = [
    ("beam_size", 0, "beam size 0: must be 1 or more"),
    ("beam_size", 2.5, "beam size 2.5: must be a whole number"),
    ("beam_size", True, "beam size True: must be a whole number"),
    ("n_best", 0, "n best 0: must be 1 or more"),
    ("length_penalty", float("nan"), "length penalty nan: must be from -10 to 10"),
    ("length_penalty", 11, "length penalty 11: must be from -10 to 10"),
    ("length_penalty", "1", "length penalty '1': must be a number"),
    ("max_length", 0, "max length 0: must be 1 or more"),
    ("no_repeat_ngram", -1, "no repeat ngram -1: must be 0 or more"),
    ("temperature", 0, "temperature 0: must be from 0.01 to 100"),
    ("top_k", -1, "top k -1: must be 0 or more"),
    ("top_p", 0, "top p 0: must be above 0 and at most 1"),
    ("top_p", 1.5, "top p 1.5: must be above 0 and at most 1"),
    ("seed", -1, "seed -1: must be 0 or more"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_search_refuses_a_value_out_of_range(name, value, message):
    step, state, _ = markov(0)
    for method in SETTINGS[name].methods:
        with pytest.raises(CaptionerError, match=f"^{re.escape(message)}$"):
            getattr(decoding, method)(step, state, **{name: value})


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_model_cannot_store_a_value_out_of_range(name, value, message):
    with pytest.raises(CaptionerError, match=f"^stored {re.escape(message)}$"):
        decoding.stored_settings({name: value})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "magic"}, "stored method 'magic': no such method; choose greedy, beam, sample"),
        ({"method": 3}, "stored method 3: must be a name"),
        ({"no_repeat_word": 1}, "stored no repeat word 1: must be true or false"),
        ({"beam_size": 1001}, "stored beam size 1001: must be 1000 or less"),
        ({"max_length": 10**9}, "stored max length 1000000000: must be 10000 or less"),
        (["beam_size"], "stored search settings: must be names with values"),
    ],
)
def test_what_else_a_model_cannot_store(wrong, message):
    with pytest.raises(CaptionerError, match=f"^{re.escape(message)}$"):
        decoding.stored_settings(wrong)


def test_a_model_stores_what_it_is_given_and_defaults_for_the_rest():
    assert decoding.stored_settings({}) == {
        "method": "beam", "beam_size": 3, "length_penalty": 1.0, "max_length": 30,
        "no_repeat_ngram": 0, "no_repeat_word": False,
    }  # fmt: skip
    given = {"beam_size": 1000, "length_penalty": 1, "temperature": 0.5, "from_the_future": 1}
    assert decoding.stored_settings(given).items() >= given.items()


def test_more_captions_than_the_beam_holds_are_refused():
    step, state, _ = markov(0)
    with pytest.raises(CaptionerError, match="n best 4: must be at most the beam size, 3"):
        decoding.beam(step, state, n_best=4)
    with pytest.raises(CaptionerError, match="n best 4: must be at most the beam size, 3"):
        decoding.check_settings({"n_best": 4, "beam_size": 3})
    decoding.check_settings({"n_best": 4})  # the beam will be as wide


def test_numbers_of_numpy_are_numbers():
    step, state, _ = markov(0)
    settings = {"beam_size": np.int64(2), "length_penalty": np.float32(1), "max_length": LENGTH}
    wanted = {"beam_size": 2, "length_penalty": 1.0, "max_length": LENGTH}
    assert decoding.beam(step, state, **settings) == decoding.beam(step, state, **wanted)


def test_a_colder_draw_is_closer_to_greedy():
    """The temperature: below 1 the likeliest word comes more often, above 1 less often."""

    def step(words, state):
        weights = np.array([1e-9, 1e-9, 0.5, 1e-9, 0.3, 0.2, 1e-9])
        return np.tile(np.log(weights), (len(words), 1)), state

    shares = []
    for temperature in (0.3, 1, 3):
        found = decoding.sample(step, [np.zeros(2000)], max_length=1, temperature=temperature)
        shares.append(sum(each.words == () for [each] in found) / 2000)
    powers = [np.array([0.5, 0.3, 0.2]) ** (1 / each) for each in (0.3, 1, 3)]
    assert shares == pytest.approx([each[0] / each.sum() for each in powers], abs=0.04)
    assert shares == sorted(shares, reverse=True)
