"""BLEU: how many n-grams of the captions are also in one of their references."""

import math
from collections import Counter

_MATCHED_NOTHING = 1e-15
_NO_NGRAMS = 1e-9


def bleu(references, captions):
    """BLEU-1 to BLEU-4 of a set of captions.

    As coco-caption computes it. Other programs, such as nltk's `corpus_bleu`, differ in two cases:
    a caption of fewer than n words adds nothing to the n-grams (nltk counts one), and where no
    n-gram matches at all the precision is not 0 but 1e-15 / number of n-grams, so that the BLEU-4
    of a few captions without a common 4-gram is not 0 but somewhere below 1e-4.

    Args:
        references: list (captions) of lists of token lists.
        captions: list of token lists, the same order.

    Returns:
        list of 4 floats between 0 and 1.

    Reference:
        Papineni et al. 2002, BLEU: a Method for Automatic Evaluation of Machine Translation.

    Example:
    >>> [round(score, 4) for score in bleu([[["a", "dog", "runs"]]], [["a", "dog", "sits"]])]
    [0.6667, 0.5774, 0.0, 0.0]
    """
    matched, possible = [0] * 4, [0] * 4
    caption_length = reference_length = 0
    for its_references, caption in zip(references, captions, strict=True):
        caption_length += len(caption)
        reference_length += _closest_length(its_references, len(caption))
        for n in range(1, 5):
            possible[n - 1] += max(0, len(caption) - n + 1)
        for n in range(1, 5):
            matches = _matches(its_references, caption, n)
            if not matches:
                break  # so there is no longer match either
            matched[n - 1] += matches
    penalty = _brevity_penalty(caption_length, reference_length)
    scores, product = [], 1.0
    for n in range(1, 5):
        product *= (matched[n - 1] + _MATCHED_NOTHING) / (possible[n - 1] + _NO_NGRAMS)
        scores.append(penalty * product ** (1 / n))
    return scores


def _matches(references, caption, n):
    """How many n-grams of the caption are in a reference, each as often as it is in one."""
    counts = Counter(_ngrams(caption, n))
    most = dict.fromkeys(counts, 0)
    for reference in references:
        for ngram, count in Counter(filter(counts.__contains__, _ngrams(reference, n))).items():
            most[ngram] = max(most[ngram], count)
    return sum(min(count, most[ngram]) for ngram, count in counts.items())


def _ngrams(words, n):
    return zip(*(words[start:] for start in range(n)), strict=False)


def _closest_length(references, length):
    """The length of the reference nearest to that of the caption, the shorter of two as near."""
    return min(map(len, references), key=lambda each: (abs(each - length), each))


def _brevity_penalty(caption_length, reference_length):
    if not caption_length:
        return 0.0
    return min(1.0, math.exp(1 - reference_length / caption_length))
