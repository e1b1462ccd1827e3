"""Pictures imagined from captions, so that captions without pictures teach what to say of one.

Text with i = 0 teaches language, but not which words go with which pictures. Here every caption
without a picture gets a vector that the CNN might give for one: what its words say, judged by the
training pictures, and at random some of what words do not say of a picture.
"""

import numpy as np

from captioner.vocabulary import UNKNOWN

RIDGE = 30.0  # added to the count of each word: rare words say less
CAPTIONS_AT_ONCE = 4096  # whose words are counted together
PICTURES_AT_ONCE = 1024  # whose features are read together


class ImaginedPictures:
    """Vectors of pictures that captions may be of.

    A least-squares fit (ridge regression) predicts the vector of a picture from the words of a
    caption, each counted as often as it comes: mean + sum of the words' vectors. An imagined vector
    is this prediction, plus `noise` times the error of the prediction for a training picture drawn
    at random. Without noise the decoder would learn to trust pictures more than real ones deserve.

    Args:
        captions: EncodedCaptions, those of the training pictures.
        features: array (pictures, channels), or (pictures, regions, channels), whose regions'
            mean is taken.
        vocabulary_size: int.
        noise: float. `0` for the prediction alone, `1` for vectors as varied as real ones.

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

    def __init__(self, captions, features, vocabulary_size, noise):
        self.noise = noise
        self._captions = captions
        self._pictures = _vectors(features)  # (pictures, channels)
        with_captions = np.unique(captions.pictures)
        self.mean = self._pictures[with_captions].mean(axis=0, dtype=np.float32)
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
        real = self._pictures[self._captions.pictures[others]]
        missed = real - self.expected(self._words(others))
        return expected + np.float32(self.noise) * missed

    def expected(self, words):
        """The prediction for captions (captions, time): float32 array (captions, channels)."""
        expected = np.repeat(self.mean[None], len(words), axis=0)
        for column in words.T:  # all at once they would be an array of time times the size
            expected += self.word_vectors[column]
        return expected

    def _words(self, captions):
        """The words of some training captions, (captions, time)."""
        longest = int(self._captions.lengths[captions].max())
        return self._captions.matrix(captions, len(captions), longest)[0]

    def _fitted(self, size):
        """The vector of each word; those of the special words are 0."""
        together = np.zeros((size, size), np.float32)  # how often two words are in one caption
        told = np.zeros((size, len(self.mean)), np.float32)
        for start in range(0, len(self._captions), CAPTIONS_AT_ONCE):
            captions = np.arange(start, min(start + CAPTIONS_AT_ONCE, len(self._captions)))
            words = self._words(captions)
            _count_pairs(words, together)
            self._add_pictures(words, self._captions.pictures[captions], told)
        together[np.diag_indices(size)] += RIDGE
        return np.linalg.solve(together, told)

    def _add_pictures(self, words, pictures, told):
        """Adds to the row of each word the pictures of these captions, less the mean.

        Captions of one picture are counted together: a fifth of the work, where it has five.
        """
        used, numbers = np.unique(words, return_inverse=True)
        pictures, owners = np.unique(pictures, return_inverse=True)
        counts = np.zeros((len(pictures), len(used)), np.float32)
        np.add.at(counts, (owners.reshape(-1, 1), numbers.reshape(words.shape)), 1)
        counts[:, used <= UNKNOWN] = 0
        told[used] += counts.T @ (self._pictures[pictures] - self.mean)


def _vectors(features):
    """Features (pictures, channels) in memory; of regions their means."""
    found = []
    for start in range(0, len(features), PICTURES_AT_ONCE):
        part = features[start : start + PICTURES_AT_ONCE]
        whole = part if part.ndim == 2 else part.mean(axis=1, dtype=np.float32)
        found.append(whole.astype(part.dtype))
    return np.concatenate(found)


def _count_pairs(words, together):
    """Adds how often each two words are in the same of some captions (captions, time)."""
    counts, is_word = together.reshape(-1), words > UNKNOWN
    pairs = words[:, :, None] * np.int64(len(together)) + words[:, None, :]
    np.add.at(counts, pairs[is_word[:, :, None] & is_word[:, None, :]], np.float32(1))


class ImaginedBatches:
    """Captions without pictures for the steps of an epoch, each with an imagined picture.

    Args:
        captions: EncodedCaptions, without pictures.
        imagined: ImaginedPictures.
        lengths: iterable of int. Words of a caption in the batches with pictures, where these are
            sorted by the length of each caption: those without pictures then come in batches of
            their length too. Empty: each batch draws from all that are short enough.
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
        """The captions for batches of a length, too long for the next shorter batches."""
        if length not in self._of_length:
            shorter = max((each for each in self._lengths if each < length), default=0)
            fit = self._captions.lengths <= length
            exact = fit & (self._captions.lengths > shorter)
            self._of_length[length] = np.flatnonzero(exact if exact.any() else fit)
        return self._of_length[length]
