"""From pictures to sentences: what a captioner and an ensemble of them have in common."""

import contextlib
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from captioner import decoding
from captioner.decoding import DEFAULT, SETTINGS, check_settings, settings_of
from captioner.errors import require
from captioner.images import ImageError, read_images


class Caption(NamedTuple):
    """One caption, as `generate(return_details=True)` returns it.

    Attributes:
        text: str. The sentence.
        score: float. Log-probability, normalised by length (see `decoding.beam`).
        words: tuple of str. The words one by one.
        word_scores: tuple of float. Log-probability of each word, the end of the caption last.
        attention: float array (words, height, width), where each word looked: the weights of the
            CNN's regions, which sum to 1. None for models without attention, for ensembles, and
            unless it was requested.
        confidence: float, 0 to 1. How often captions like this one are right (see
            `Generation.confidence`). None for models that cannot say it.
    """

    text: str
    score: float
    words: tuple
    word_scores: tuple
    attention: object = None
    confidence: object = None


class Generation:
    """Captions pictures with whatever can encode them and predict the next word.

    A subclass has `vocabulary`; `generation`, a dict of the settings taken when none are given;
    `picture_size`, in pixels; and three methods, here in NumPy:

    - `encode(pixels (pictures, size, size, 3), batch_size)` -> what `start` takes;
    - `start(image)` -> (context, state), two lists of arrays with one row a picture;
    - `step(words (rows,), context, state)` -> (log-probabilities (rows, vocabulary), state).

    Attributes:
        confidence: Confidence or None. Gives each caption its `Caption.confidence`. It was learned
            with the search settings stored in the model. None for models that have none.
    """

    confidence = None

    def generate(self, images, return_details=False, batch_size=32, **settings):
        """Captions pictures.

        Args:
            images: a path, PIL image or array (height, width, 3), or a list of them.
            return_details: bool. Whether to return `Caption` tuples instead of strings.
                Defaults to `False`.
            batch_size: int. Pictures captioned at a time. Defaults to `32`.
            **settings: method ("greedy", "beam" or "sample"), beam_size, length_penalty, n_best,
                max_length, no_repeat_ngram, no_repeat_word (bool), temperature, top_k, top_p,
                seed; see `captioner.decoding`. Defaults to those stored in the model.

        Returns:
            One caption for one picture, a list of captions for a list. With `n_best` above 1 each
            caption is a list, best first.

        Raises:
            ImageError: A picture cannot be read. `generate_all` continues after such pictures.
            CaptionerError: A setting is unknown, out of range or of another method.
        """
        is_single = not isinstance(images, (list, tuple))
        results = []
        for _, _, result in self.generate_all(
            [images] if is_single else images, batch_size, return_details, **settings
        ):
            if isinstance(result, ImageError):
                raise result
            results.append(result)
        if not return_details:
            results = [[caption.text for caption in captions] for captions in results]
        if self.search_settings(settings).get("n_best", 1) == 1:
            results = [best for [best] in results]
        return results[0] if is_single else results

    def generate_all(
        self, images, batch_size=32, with_attention=False, encode_ahead=True, **settings
    ):
        """Captions any number of pictures, a batch at a time; a broken picture does not stop it.

        Args:
            images: iterable of paths, PIL images or arrays. A thread goes through it, a little
                ahead of what is captioned.
            batch_size, settings: as in `generate`.
            with_attention: bool. Whether to add where each word looked. Defaults to `False`.
            encode_ahead: bool. Whether the CNN encodes the next batch while the captions of one are
                searched. On a single core nothing is gained: both only take turns. Defaults to
                `True`.

        Yields:
            (index, image, list of n_best `Caption`, best first, or the `ImageError`), in input
            order.
        """
        search = self.search_settings(settings) | {"with_attention": with_attention}
        require(batch_size >= 1, f"batch size {batch_size}: must be 1 or more")
        batches = self._encoded(images, batch_size, needs_numbers=search["method"] == "sample")
        with contextlib.closing(batches), contextlib.closing(_one_ahead(batches)) as ahead:
            for batch in ahead if encode_ahead else batches:
                yield from self._caption_batch(*batch, search)

    def _encoded(self, images, batch_size, needs_numbers):
        """Reads and encodes pictures, a batch at a time.

        Yields:
            (list of `_Read`, what `encode` gives for those that could be read, or None).
        """
        size = (self.picture_size, self.picture_size)
        with contextlib.closing(read_images(images, size)) as pictures:
            while True:
                batch = []
                pixels = _noting(islice(pictures, batch_size), batch, needs_numbers)
                image = self._encode_as_read(pixels, batch_size)
                if not batch:
                    return
                yield batch, image

    def _encode_as_read(self, pictures, batch_size):
        """What `encode` gives for pictures that are being read; None if there are none.

        Args:
            pictures: iterator of arrays (size, size, 3).
            batch_size: int.
        """
        pixels = list(pictures)
        return self.encode(np.stack(pixels), batch_size) if pixels else None

    def _caption_batch(self, batch, image, search):
        captions = iter(())
        if image is not None:
            numbers = [each.number for each in batch if each.error is None]
            captions = iter(self.decode(image, pictures=numbers, **search))
        for index, source, error, _ in batch:
            yield index, source, next(captions) if error is None else error

    def decode(self, image, method=DEFAULT.method, pictures=None, with_attention=False, **settings):
        """Captions for pictures already encoded.

        Args:
            image: what `encode` gave.
            method: str. Defaults to `"beam"`.
            pictures: list of int or None. See `decoding.sample`. Defaults to `None`.
            with_attention: bool. Whether to add where each word looked. Defaults to `False`.
            **settings: as `search_settings` gives them.

        Returns:
            list (pictures) of lists of n_best `Caption`, best first; one without `n_best`.

        Raises:
            CaptionerError: A setting is out of range.
        """
        SETTINGS["method"].check(method)
        step, state = self.searchable(image)
        settings = self.search_arguments(settings)
        if method == "sample":
            settings["pictures"] = pictures
        found = getattr(decoding, method)(step, state, **settings)
        captions = [[self._caption(each) for each in hypotheses] for hypotheses in found]
        return self._with_attention(image, found, captions) if with_attention else captions

    def searchable(self, image):
        """What a search of `captioner.decoding` takes.

        Args:
            image: what `encode` gave.

        Returns:
            (step, state): the step, and the state before the first one, one row a picture.
        """
        context, state = self.start(image)
        context = _Context(context)

        def step(words, state):
            pictures, *state = state
            log_probs, state = self.step(words, context.of(pictures), state)
            return log_probs, [pictures, *state]

        return step, [np.arange(len(state[0])), *state]

    def search_arguments(self, settings):
        """Search settings as the searches of `captioner.decoding` take them.

        For `no_repeat_word` that is a table of the vocabulary instead of True, None instead of
        False.

        Args:
            settings: dict.

        Raises:
            CaptionerError: `no_repeat_word` is True, and the vocabulary has no such table.
        """
        rule = settings.get("no_repeat_word", DEFAULT.no_repeat_word)
        table = np.array(self.vocabulary.least_distances()) if rule else None
        return {**settings, "no_repeat_word": table}

    def _caption(self, hypothesis):
        text = self.vocabulary.decode(hypothesis.words)
        words = tuple(self.vocabulary.word(each) for each in hypothesis.words)
        confidence = self.confidence and self.confidence.of(hypothesis.word_scores)
        return Caption(text, hypothesis.score, words, hypothesis.word_scores, confidence=confidence)

    def _with_attention(self, image, found, captions):
        """The captions, with where each word looked, if the model can say so."""
        return captions

    def search_settings(self, given):
        """What `decode` takes: the settings given, else those stored, for the method alone.

        Args:
            given: dict. `method` and arguments of the searches; None counts as not given.

        Raises:
            CaptionerError: A setting is unknown, out of range or of another method.
        """
        given = {name: value for name, value in given.items() if value is not None}
        unknown = sorted(set(given) - set(SETTINGS))
        require(not unknown, f"{', '.join(unknown)}: no such setting of generate; see its help")
        check_settings(given)
        settings = {**self.generation, **given}
        method = settings["method"]
        allowed = settings_of(method)
        misplaced = sorted(set(given) - {"method", *allowed})
        is_harmless = misplaced == ["n_best"] and given["n_best"] == 1
        named = ", ".join(f"{SETTINGS[name].label} {given[name]}" for name in misplaced)
        require(
            not misplaced or is_harmless,
            f"{named}: has no meaning with method {method}; leave it out",
        )
        if settings.get("no_repeat_word"):
            self.vocabulary.least_distances()  # an error must come before any picture is read
        if method == "beam" and "n_best" in given and "beam_size" not in given:
            settings["beam_size"] = max(settings["beam_size"], given["n_best"])
        return {"method": method, **{name: settings[name] for name in allowed if name in settings}}


class _Context:
    """What `start` found in the pictures, for the rows of a search."""

    def __init__(self, context):
        self._context = context
        self._pictures, self._rows = None, None

    def of(self, pictures):
        """The context of rows, given the picture of each (rows,); copied only when they change."""
        if not np.array_equal(pictures, self._pictures):
            self._pictures = pictures
            self._rows = [np.asarray(each)[pictures] for each in self._context]
        return self._rows


def picture_numbers(pictures):
    """What `decode` takes for `pictures`: numbers that depend on the pictures, not on their order.

    Args:
        pictures: list of arrays, pixels.
    """
    return [zlib.crc32(np.ascontiguousarray(pixels)) for pixels in pictures]


def _one_ahead(batches):
    """The batches; while the captions of one are searched, a thread encodes the next one."""
    with ThreadPoolExecutor(1) as thread:
        encoded = thread.submit(next, batches, None)
        while (batch := encoded.result()) is not None:
            encoded = thread.submit(next, batches, None)
            yield batch


class _Read(NamedTuple):
    """A picture that has been read, without its pixels.

    Attributes:
        index: int.
        source: a path, PIL image or array.
        error: ImageError or None.
        number: int or None. See `picture_numbers`.
    """

    index: int
    source: object
    error: object
    number: object


def _noting(results, batch, needs_numbers):
    """The pixels of pictures that could be read; `batch` gets a `_Read` for each picture."""
    for index, source, result in results:
        if isinstance(result, ImageError):
            batch.append(_Read(index, source, result, None))
            continue
        [number] = picture_numbers([result]) if needs_numbers else [None]
        batch.append(_Read(index, source, None, number))
        yield result
