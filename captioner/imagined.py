"""Pictures imagined from captions, so that captions without pictures teach what to say of one.

What is learned from text with i = 0 is language; which words go with which pictures is not. Here
every caption without a picture gets a vector that the CNN might give of one: the mean of the
vectors that go with its words in the training pictures, and some of what real pictures have beside.
"""

import numpy as np

from captioner.vocabulary import UNKNOWN

RIDGE = 30.0  # added to the count of each word: rare words say less
PAIRS_AT_ONCE = 4096  # captions whose pairs of words are counted together


class ImaginedPictures:
    """Vectors of pictures that captions may be of.

    A least-squares fit says from a caption's words, each counted as often as it comes, which vector
    its picture has: mean + sum of the words' vectors. An imagined vector is what the fit says of a
    caption, plus `noise` times what it misses of a training picture drawn at random. Without noise
    the decoder would learn to trust pictures more than real ones deserve.

    Args:
        captions: EncodedCaptions, those of the training pictures.
        features: array (pictures, channels), or (pictures, regions, channels), whose regions'
            mean is taken.
        vocabulary_size: int.
        noise: float. Defaults to `0.6`.

    Example:
    >>> vocabulary = Vocabulary(["dog", "cat"])
    >>> captions = EncodedCaptions([["dog"], ["cat"]], vocabulary, max_length=5)
    >>> imagined = ImaginedPictures(captions, np.array([[1, 0], [0, 1]], "float32"), 6, noise=0.0)
    >>> imagined(np.array([[1, 4, 0]]), np.random.default_rng(0))      # of "dog"
    array([[0.516..., 0.484...]], dtype=float32)

    Reference: text in the place of pictures, and why it needs noise: Nukrai et al. 2022,
    "Text-only training for image captioning using noise-injected CLIP"; captions without pictures:
    Venugopalan et al. 2017, "Captioning images with diverse objects".
    """

    def __init__(self, captions, features, vocabulary_size, noise=0.6):
        self.noise = noise
        self._captions = captions
        self._features = features
        self.mean = self._pictures(np.unique(captions.pictures)).mean(axis=0)
        self.word_vectors = self._fitted(vocabulary_size)  # (vocabulary, channels)

    def __call__(self, words, rng):
        """Imagined vectors.

        Args:
            words: int array (captions, time), word ids; the special ones do not count.
            rng: numpy Generator.

        Returns:
            float32 array (captions, channels).
        """
        expected = self.expected(words)
        if not self.noise:
            return expected
        others = rng.integers(len(self._captions), size=len(words))
        real = self._pictures(self._captions.pictures[others])
        longest = int(self._captions.lengths[others].max())
        missed = real - self.expected(self._captions.matrix(others, len(others), longest)[0])
        return expected + np.float32(self.noise) * missed

    def expected(self, words):
        """What the fit says of captions (captions, time): float32 array (captions, channels)."""
        return self.mean + self.word_vectors[words].sum(axis=1)

    def _pictures(self, numbers):
        """The vectors of some training pictures, (pictures, channels)."""
        vectors = np.asarray(self._features[numbers], np.float32)
        return vectors if vectors.ndim == 2 else vectors.mean(axis=1)

    def _fitted(self, vocabulary_size):
        """The vector of each word; those of the special words are 0."""
        together = np.zeros((vocabulary_size, vocabulary_size), np.float32)
        told = np.zeros((vocabulary_size, len(self.mean)), np.float32)
        for start in range(0, len(self._captions), PAIRS_AT_ONCE):
            numbers = np.arange(start, min(start + PAIRS_AT_ONCE, len(self._captions)))
            longest = int(self._captions.lengths[numbers].max())
            words = self._captions.matrix(numbers, len(numbers), longest)[0]
            counts = np.zeros((len(words), vocabulary_size), np.float32)
            np.add.at(counts, (np.arange(len(words))[:, None], words), 1)
            counts[:, : UNKNOWN + 1] = 0
            used = np.flatnonzero(counts.any(axis=0))
            counts = counts[:, used]
            together[np.ix_(used, used)] += counts.T @ counts
            told[used] += counts.T @ (self._pictures(self._captions.pictures[numbers]) - self.mean)
        together[np.diag_indices(vocabulary_size)] += RIDGE
        return np.linalg.solve(together, told)


class ImaginedBatches:
    """Captions without pictures for the steps of an epoch, each with an imagined picture.

    Args:
        captions: EncodedCaptions, without pictures.
        imagined: ImaginedPictures.
        lengths: iterable of int. Words of a caption in the batches with pictures: captions of
            each length are drawn where those with pictures of that length are.
        regions: int. With attention, the equal regions an imagined picture has; 0 for a vector.
            Defaults to `0`.
    """

    def __init__(self, captions, imagined, lengths, regions=0):
        self._captions, self._imagined, self._regions = captions, imagined, regions
        self._lengths, self._of_length = sorted(set(lengths)), {}

    def take(self, rows, length, rng):
        """Some captions drawn at random.

        Args:
            rows: int. How many.
            length: int. Words of each.
            rng: numpy Generator.

        Returns:
            dict of `text_words` and `text_targets`, int arrays (rows, length), and `text_image`,
            float32 array (rows, channels) or (rows, regions, channels). All captions are empty
            where none is that short.
        """
        members = self._members(length)
        chosen = rng.choice(members, rows) if len(members) else np.full(rows, -1)
        words, targets = self._captions.matrix(chosen, rows, length)
        image = self._imagined(words, rng)
        if self._regions:
            image = np.repeat(image[:, None], self._regions, axis=1)
        return {"text_words": words, "text_targets": targets, "text_image": image}

    def _members(self, length):
        """The captions for batches of a length: too long for the next shorter batches."""
        if length not in self._of_length:
            shorter = max((each for each in self._lengths if each < length), default=0)
            fit = self._captions.lengths <= length
            exact = fit & (self._captions.lengths > shorter)
            self._of_length[length] = np.flatnonzero(exact if exact.any() else fit)
        return self._of_length[length]
