"""Batches of captions for teacher forcing, of few distinct shapes.

The decoder is compiled once per shape, so captions are sorted into buckets of similar length and
every batch of a bucket has the same shape; a batch that is not full is filled with empty captions,
which the loss does not count.
"""

from array import array
from typing import NamedTuple

import numpy as np

from captioner.vocabulary import END, PAD, START, UNKNOWN

BUCKET = 4  # lengths are rounded up to multiples of this
FEWEST_BATCHES = 8  # of a bucket; fewer join a longer one
MOST_PADDING = 2 * BUCKET  # words by which it may be longer


class EncodedCaptions:
    """The captions of a data set as word ids, in one flat array.

    Args:
        captions: list (pictures) of lists of str.
        vocabulary: Vocabulary.
        max_length: int. Longer captions are cut; they then lack the end word, so that no one
            learns to stop in the middle of a sentence.

    Attributes:
        pictures: int array (captions,). Which picture each caption belongs to.
        lengths: int array (captions,). Number of target words, the end word included.
        cut: int. How many captions were longer than `max_length`.
        cut_lengths: list of int. How many words each of them had.
    """

    def __init__(self, captions, vocabulary, max_length):
        # array.array, for lists of millions of numbers would take ten times the memory.
        ids, starts, pictures, self.cut_lengths = array("i"), array("q", [0]), array("q"), []
        for picture, texts in enumerate(captions):
            for text in texts:
                words = vocabulary.encode(text)
                ids.append(START)
                ids.extend(words[:max_length])
                if len(words) <= max_length:
                    ids.append(END)
                else:
                    self.cut_lengths.append(len(words))
                starts.append(len(ids))
                pictures.append(picture)
        self.cut = len(self.cut_lengths)
        self.pictures, self._starts = np.array(pictures), np.array(starts)
        self.lengths = np.diff(self._starts) - 1
        self._ids = np.array(ids)

    def __len__(self):
        return len(self.pictures)

    def word_counts(self):
        """How often each word id occurs: int array, as long as the highest id needs."""
        return np.bincount(self._ids, minlength=UNKNOWN + 1)

    def items(self, captions_each):
        """What `batches_of` counts: the captions, with more than one each the pictures.

        Args:
            captions_each: int. As for `batches_of`.

        Returns:
            (pictures, captions): int arrays (items,), the picture of each and how many captions
            come with it.
        """
        if captions_each == 1:
            return self.pictures, np.ones_like(self.pictures)
        pictures, counts = np.unique(self.pictures, return_counts=True)
        return pictures, np.minimum(counts, captions_each)

    def by_picture(self):
        """The numbers of the captions of each picture that has some, a list of int arrays."""
        return np.split(np.arange(len(self)), np.flatnonzero(np.diff(self.pictures)) + 1)

    def matrix(self, captions, rows, length):
        """Inputs and targets of some captions, padded.

        Args:
            captions: list of int. Numbers of captions; -1 for an empty one.
            rows: int. Rows of the result, at least len(captions).
            length: int. Columns of the result.

        Returns:
            (words, targets): int arrays (rows, length); target t is the word after word t.
        """
        words = np.full((rows, length), PAD, np.int32)
        targets = np.full((rows, length), PAD, np.int32)
        for row, caption in enumerate(captions):
            if caption < 0:
                continue
            ids = self._ids[self._starts[caption] : self._starts[caption + 1]]
            words[row, : len(ids) - 1] = ids[:-1]
            targets[row, : len(ids) - 1] = ids[1:]
        return words, targets


class Batch(NamedTuple):
    """Some pictures with an equal number of captions each.

    Attributes:
        pictures: int array (pictures,).
        captions: int array (captions,), what `EncodedCaptions.matrix` wants; those of one picture
            stand together.
        rows: int. Captions of a full batch, the same for all batches.
        length: int. Words of a caption, the same for all batches of one bucket.
    """

    pictures: np.ndarray
    captions: np.ndarray
    rows: int
    length: int

    @property
    def count(self):
        """Number of real captions."""
        return int(np.count_nonzero(self.captions >= 0))


def batches_of(encoded, pictures_a_step, captions_each, rng=None, items=None, most_lengths=None):
    """A pass over captions.

    Args:
        encoded: EncodedCaptions.
        pictures_a_step: int. Pictures of a full batch.
        captions_each: int. With 1 every caption comes, by itself; with more every picture does,
            see `picture_batches`.
        rng: numpy Generator that shuffles, or None. Defaults to `None`.
        items: int array or None. What comes: numbers of captions, with more than one each of
            pictures, some perhaps more than once. Defaults to `None`, each once.
        most_lengths: int or None. How many lengths the batches may have at most; None for as many
            as save padding. Defaults to `None`.

    Returns:
        list of Batch.
    """
    if captions_each == 1:
        found = [
            (encoded.pictures[captions], captions, length)
            for captions, length in caption_batches(
                encoded, pictures_a_step, rng, items, most_lengths
            )
        ]
    else:
        found = picture_batches(encoded, pictures_a_step, captions_each, rng, items, most_lengths)
    rows = pictures_a_step * captions_each
    return [Batch(pictures, captions, rows, length) for pictures, captions, length in found]


def bucket_length(length):
    """The number of words that captions of a length are filled up to."""
    return -(-length // BUCKET) * BUCKET


def caption_batches(encoded, batch_size, rng=None, items=None, most_lengths=None):
    """Batches of single captions of similar length.

    Args:
        encoded: EncodedCaptions.
        batch_size: int. Captions a batch.
        rng: numpy Generator that shuffles captions and batches, or None for their own order.
        items: int array or None. The captions that come. Defaults to `None`, each once.
        most_lengths: as in `batches_of`.

    Returns:
        list of (caption numbers, length): what `EncodedCaptions.matrix` wants.
    """
    order = np.arange(len(encoded)) if items is None else items
    order = order if rng is None else rng.permutation(order)
    # Buckets are those of all captions, so that an epoch with different ones has the same shapes.
    return _bucketed(order, encoded.lengths, batch_size, rng, most_lengths)


def picture_batches(
    encoded, pictures_per_batch, captions_per_picture, rng=None, items=None, most_lengths=None
):
    """Batches of pictures, each with its captions, so that each picture is encoded once.

    Args:
        encoded: EncodedCaptions.
        pictures_per_batch: int.
        captions_per_picture: int. A picture with more has that many drawn; one with fewer is filled
            with empty captions, number -1.
        rng: numpy Generator that shuffles pictures and batches, or None for their own order.
        items: int array or None. The pictures that come, counted without those that have no
            caption. Defaults to `None`, each once.
        most_lengths: as in `batches_of`.

    Returns:
        list of (picture numbers, caption numbers (pictures · captions_per_picture), length).
    """
    groups = encoded.by_picture()
    order = np.arange(len(groups)) if items is None else items
    order = order if rng is None else rng.permutation(order)
    chosen = [some_captions(groups[each], captions_per_picture, rng) for each in order]
    longest = np.array([encoded.lengths[each[each >= 0]].max() for each in chosen])
    batches = _bucketed(np.arange(len(order)), longest, pictures_per_batch, rng, most_lengths)
    numbers = np.array([encoded.pictures[groups[each][0]] for each in order])
    return [
        (numbers[batch], np.concatenate([chosen[each] for each in batch]), length)
        for batch, length in batches
    ]


def some_captions(captions, count, rng=None):
    """That many of a picture's captions, drawn at random; -1 for each that it lacks.

    Args:
        captions: int array. Numbers of captions.
        count: int.
        rng: numpy Generator, or None for the first ones. Defaults to `None`.
    """
    captions = (captions if rng is None else rng.permutation(captions))[:count]
    return np.concatenate([captions, np.full(count - len(captions), -1, np.int64)])


def _bucketed(order, lengths, batch_size, rng, most_lengths):
    """Splits items, in the order given, into batches of one bucket each, and shuffles these."""
    batches = []
    for length, is_member in _buckets(lengths, batch_size, most_lengths):
        members = order[is_member[order]]
        for start in range(0, len(members), batch_size):
            batches.append((members[start : start + batch_size], length))
    if rng is None:
        return batches
    return [batches[each] for each in rng.permutation(len(batches))]


def _buckets(lengths, batch_size, most):
    """(length, which items it holds) of each bucket, the shortest first.

    What would be a few batches only joins the next longer bucket: to compile the decoder for one
    more length takes longer than to compute some padding. Where there may be `most` buckets, each
    but the last has its share of the items.
    """
    fewest = max(FEWEST_BATCHES * batch_size, len(lengths) / most if most else 0)
    most_padding = np.inf if most else MOST_PADDING
    rounded = bucket_length(lengths)
    buckets, waiting = [], np.zeros(len(lengths), bool)
    longest, shortest_waiting = rounded.max(initial=0), 0
    for length in np.unique(rounded):
        shortest_waiting = shortest_waiting or length
        waiting |= rounded == length
        is_enough = np.count_nonzero(waiting) >= fewest
        if is_enough or length - shortest_waiting >= most_padding or length == longest:
            buckets.append((int(length), waiting))
            waiting, shortest_waiting = np.zeros(len(lengths), bool), 0
    return buckets


def filled(array, rows):
    """The array with rows of zeros added, so that every batch has the same shape.

    Args:
        array: array (at most `rows`, ...).
        rows: int. Rows of the result.

    Returns:
        array (rows, ...) of the same type.

    Example:
    >>> filled(np.array([[1, 2]]), 2)
    array([[1, 2],
           [0, 0]])
    """
    added = np.zeros((rows - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, added])
