"""CIDEr-D: how far a caption says what people say of its picture, and of few other pictures.

N-grams are numbered and compared as arrays, so that a batch of sampled captions is scored in a
small part of a training step.
"""

from itertools import chain

import numpy as np

_ORDERS = (1, 2, 3, 4)
_SIGMA = 6.0  # width of the length penalty, in words
_SPAN = 2**32  # a * _SPAN + b is one number for a pair of numbers below it


class NGramFrequencies:
    """In the references of how many images each n-gram occurs, n = 1 to 4.

    Args:
        references: list (images) of lists of token lists. A token is any hashable value, a word or
            a mark like `"<end>"`.

    Example:
    >>> NGramFrequencies([[["a", "dog"], ["a", "cat"]], [["a", "bus"]]]).images
    2
    """

    def __init__(self, references):
        self.images = len(references)
        self._words = {}
        self._known = []  # of each order: the keys of its n-grams, sorted
        self._idf = []  # of each order: the weight of each known n-gram; the last is any other's
        image = _repeated([len(captions) for captions in references])
        for rows, ngrams in self._number(list(chain.from_iterable(references)), learn=True):
            found = np.unique(image[rows] * _SPAN + ngrams) % _SPAN
            frequency = np.bincount(found, minlength=len(self._known[-1]) + 1)
            self._idf.append(np.log(max(self.images, 1)) - np.log(np.maximum(frequency, 1)))

    def vectors(self, captions):
        """The tf-idf vectors of captions.

        Args:
            captions: list of token lists.

        Yields:
            For n = 1 to 4, `(keys, rows, weights)`, one entry for each distinct n-gram of each
            caption: its number plus the caption's number * `_SPAN`, sorted; the caption's number;
            how often it occurs times its inverse document frequency.
        """
        for idf, (rows, ngrams) in zip(self._idf, self._number(captions), strict=True):
            keys, counts = np.unique(rows * _SPAN + ngrams, return_counts=True)
            rows, ngrams = np.divmod(keys, _SPAN)
            yield keys, rows, counts * idf[np.minimum(ngrams, len(idf) - 1)]

    def _number(self, captions, learn=False):
        """Yields, for each order, the caption and the number of every n-gram.

        An n-gram is identified by the number of its first n - 1 words and its last word. N-grams
        that no reference has get numbers that hold within one call.
        """
        rows = _repeated([len(caption) for caption in captions])
        words = self._words if learn else self._words.copy()
        last = [words.setdefault(word, len(words)) for word in chain.from_iterable(captions)]
        last = np.array(last, np.int64)
        ngrams = np.zeros(len(last) + 1, np.int64)
        for n in _ORDERS:
            keys = ngrams[:-1] * _SPAN + last[n - 1 :]
            whole = rows[: len(keys)] == rows[n - 1 :]  # not across two captions
            if learn:
                self._known.append(np.unique(keys[whole]))
            ngrams = _places(keys, self._known[n - 1])
            yield rows[: len(keys)][whole], ngrams[whole]


class CiderD:
    """CIDEr-D of captions against the references of their images.

    The scale is coco-caption's, 0 to 10, and so are the details: n-grams clipped to the
    reference's count, a Gaussian penalty on the difference of length (sigma 6, length counted in
    bigrams), the mean over n = 1 to 4 and over the references.

    Args:
        references: dict from image id to list of token lists.
        frequencies: NGramFrequencies or None. Those of another set, such as the training split.
            Defaults to `None`, those of `references`; a single image then scores 0, because
            each of its words is in every image.

    Reference:
        Vedantam et al. 2015, CIDEr: Consensus-based Image Description Evaluation, section 5.

    Example:
    >>> references = {1: [["a", "dog", "runs"]], 2: [["two", "cats", "sleep"]]}
    >>> CiderD(references).score([(1, ["a", "dog", "sits"]), (2, ["two", "cats", "sleep"])])
    array([2.91666667, 7.5       ])
    """

    def __init__(self, references, frequencies=None):
        self._references = references
        self.frequencies = frequencies or NGramFrequencies(list(references.values()))

    def score(self, captions):
        """Scores any number of captions; an image may have several, or none.

        Args:
            captions: list of (image id, list of tokens).

        Returns:
            array of float, one a caption.
        """
        rows = [tokens for _, tokens in captions]
        rows_of = {}
        for name in dict.fromkeys(name for name, _ in captions):
            rows_of[name] = range(len(rows), len(rows) + len(self._references[name]))
            rows.extend(self._references[name])
        references = np.array([len(rows_of[name]) for name, _ in captions], np.int64)
        candidate = _repeated(references)
        reference = np.array([row for name, _ in captions for row in rows_of[name]], np.int64)

        similarity = np.zeros(len(candidate))
        for keys, owners, weights in self.frequencies.vectors(rows):
            similarity += _clipped_cosine(keys, owners, weights, candidate, reference, len(rows))
        bigrams = np.array([max(0, len(tokens) - 1) for tokens in rows], np.int64)
        longer = bigrams[candidate] - bigrams[reference]
        similarity *= np.exp(-(longer**2) / (2 * _SIGMA**2))
        total = np.bincount(candidate, similarity, minlength=len(captions))
        return 10 * total / (references * len(_ORDERS))


def _repeated(times):
    """0, 1, 2, ..., each as often as `times` says."""
    return np.repeat(np.arange(len(times)), np.asarray(times, np.int64))


def _places(keys, known):
    """The places of `keys` in the sorted `known`; for other keys numbers from len(known) on."""
    distinct, which = np.unique(keys, return_inverse=True)
    places = np.searchsorted(known, distinct)
    is_known = np.append(known, -1)[places] == distinct
    return np.where(is_known, places, len(known) + np.arange(len(distinct)))[which]


def _clipped_cosine(keys, owners, weights, candidate, reference, rows):
    """The similarity of each pair of a candidate and a reference, by n-grams of one order.

    Args:
        keys, owners, weights: as `NGramFrequencies.vectors` yields them.
        candidate, reference: arrays of int, (pairs,). Rows; a candidate's is the lesser.
        rows: int. Number of texts.

    Returns:
        array of float, (pairs,).
    """
    norms = np.sqrt(np.bincount(owners, weights**2, minlength=rows))
    sizes = np.bincount(owners, minlength=rows)
    # Every entry of every pair's reference, and its place in the candidate.
    repeats = sizes[reference]
    pair = _repeated(repeats)
    entry = np.arange(len(pair)) + np.repeat(
        np.cumsum(sizes)[reference] - repeats.cumsum(), repeats
    )
    wanted = keys[entry] + (candidate - reference)[pair] * _SPAN
    place = np.searchsorted(keys, wanted)
    product = np.minimum(weights[place], weights[entry]) * weights[entry] * (keys[place] == wanted)
    dot = np.bincount(pair, product, minlength=len(reference))
    scale = norms[candidate] * norms[reference]
    return np.divide(dot, scale, out=np.zeros(len(dot)), where=scale > 0)
