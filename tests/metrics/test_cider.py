import math

import numpy as np
import pytest

from captioner.metrics import CiderD, NGramFrequencies

words = str.split

REFERENCES = {
    1: [words("a dog runs on the beach"), words("a brown dog on sand")],
    2: [words("two cats sleep on a bed"), words("cats on the bed")],
    3: [words("a bus in the street")],
}


def _cider_by_definition(references, frequencies_of, name, caption):
    """Vedantam et al. 2015, equations 1 and 4, as coco-caption reads them, with dicts."""

    def ngrams(tokens, n):
        found = {}
        for place in range(len(tokens) - n + 1):
            ngram = tuple(tokens[place : place + n])
            found[ngram] = found.get(ngram, 0) + 1
        return found

    def vector(tokens, n):
        weights = {}
        for ngram, number in ngrams(tokens, n).items():
            images = sum(
                any(ngram in ngrams(text, n) for text in texts) for texts in frequencies_of.values()
            )
            weights[ngram] = number * (math.log(len(frequencies_of)) - math.log(max(1, images)))
        return weights

    def norm(weights):
        return math.sqrt(sum(weight**2 for weight in weights.values()))

    total = 0.0
    for reference in references[name]:
        longer = max(0, len(caption) - 1) - max(0, len(reference) - 1)
        for n in range(1, 5):
            ours, theirs = vector(caption, n), vector(reference, n)
            scale = norm(ours) * norm(theirs)
            dot = sum(min(ours.get(k, 0), weight) * weight for k, weight in theirs.items())
            total += (dot / scale if scale else 0.0) * math.exp(-(longer**2) / 72)
    return 10 * total / 4 / len(references[name])


CAPTIONS = [
    (1, words("a dog runs on the beach")),
    (1, words("a dog dog dog on the sand")),
    (2, words("two two cats")),
    (3, words("an unknown vehicle in the the street")),
    (3, ["bus"]),
    (2, []),
]


def test_equals_the_definition():
    expected = [_cider_by_definition(REFERENCES, REFERENCES, *item) for item in CAPTIONS]
    assert expected[0] > 4  # more than zeros are compared

    assert CiderD(REFERENCES).score(CAPTIONS) == pytest.approx(expected)


def test_frequencies_of_another_set():
    training = {8: [["a", "dog"], ["the", "dog"]], 9: [["a", "cat", "on", "the", "bed"]]}
    frequencies = NGramFrequencies(list(training.values()))

    expected = [_cider_by_definition(REFERENCES, training, *item) for item in CAPTIONS]

    assert CiderD(REFERENCES, frequencies).score(CAPTIONS) == pytest.approx(expected)


def test_a_caption_scores_the_same_alone_and_in_a_batch():
    scorer = CiderD(REFERENCES)

    alone = [scorer.score([item])[0] for item in CAPTIONS]

    assert scorer.score(CAPTIONS) == pytest.approx(alone)


def test_the_end_is_a_word_like_any_other():
    """Without it, a caption cut short can be rewarded (SacreEOS, arXiv 2305.12254)."""
    references = {name: [[*text, "<end>"] for text in texts] for name, texts in REFERENCES.items()}
    whole = words("a bus in the street")

    ended, cut = CiderD(references).score([(3, [*whole, "<end>"]), (3, whole)])

    # Complete, 1- to 4-grams all match. "<end>" alone is in every image and weighs nothing.
    assert ended == pytest.approx(10.0)
    assert cut < ended


def test_one_image_alone_scores_0():
    assert CiderD({1: REFERENCES[1]}).score([(1, REFERENCES[1][0])]) == [0.0]


def test_tokens_may_be_numbers():
    numbers = {1: [[4, 5, 6]], 2: [[7, 8]]}
    words = {1: [["d", "e", "f"]], 2: [["g", "h"]]}

    scores = CiderD(numbers).score([(1, [4, 5])])

    assert scores == pytest.approx(CiderD(words).score([(1, ["d", "e"])]))
    assert 0 < scores[0] < 10


def test_no_captions():
    assert CiderD(REFERENCES).score([]).shape == (0,)
    assert np.array_equal(CiderD({1: [[]], 2: [[]]}).score([(1, [])]), [0.0])
