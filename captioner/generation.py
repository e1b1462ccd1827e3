"""From pictures to sentences: what a captioner and an ensemble of them have in common."""

import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from captioner import decoding
from captioner.errors import require
from captioner.images import ImageError, read_images

METHODS = ("greedy", "beam", "sample")
COMMON_SETTINGS = {"max_length", "no_repeat_ngram", "no_repeat_word"}
SEARCH_SETTINGS = {
    "greedy": COMMON_SETTINGS,
    "beam": COMMON_SETTINGS | {"beam_size", "length_penalty", "n_best"},
    "sample": COMMON_SETTINGS | {"temperature", "top_k", "top_p", "seed"},
}
SWITCHES = {"no_repeat_word"}  # settings that are True or False

STORED_SETTINGS = {  # of a model: their type, the least and the most
    "beam_size": (int, 1, 1000),
    "length_penalty": (float, -10, 10),
    "max_length": (int, 1, 10000),
    "no_repeat_ngram": (int, 0, 10000),
}
REAL_NUMBERS = {"length_penalty": (-10, 10), "temperature": (0.01, 100)}  # as one may ask for


def require_stored_settings(settings):
    """Raises CaptionerError unless the settings stored in a model are such as a search can have."""
    method = settings.get("method")
    require(method in METHODS, f"stored method {method!r}: choose one of {', '.join(METHODS)}")
    for name, (kind, least, most) in STORED_SETTINGS.items():
        value = settings.get(name, least)
        is_number = isinstance(value, (kind, int)) and not isinstance(value, bool)
        require(
            is_number and least <= value <= most,
            f"stored {name} {value!r}: must be a number from {least} to {most}",
        )
    for name in SWITCHES:
        value = settings.get(name, False)
        require(isinstance(value, bool), f"stored {name} {value!r}: must be true or false")


class Caption(NamedTuple):
    """What `generate(return_details=True)` says of one caption.

    Attributes:
        text: str. The sentence.
        score: float. Log-probability, normalised by length (see `decoding.beam`).
        words: tuple of str. The words one by one.
        word_scores: tuple of float. Log-probability of each word, the end of the caption last.
        attention: float array (words, height, width), where each word looked: the weights of the
            CNN's regions, which sum to 1. None for models without attention, for ensembles, and
            where no details were asked for.
    """

    text: str
    score: float
    words: tuple
    word_scores: tuple
    attention: object = None


class Generation:
    """Captions pictures with whatever can encode them and go a word further.

    A subclass has `vocabulary`; `generation`, a dict of the settings taken when none are given;
    `picture_size`, in pixels; and three methods, here in NumPy:

    - `encode(pixels (pictures, size, size, 3), batch_size)` -> what `start` takes;
    - `start(image)` -> (context, state), two lists of arrays with one row a picture;
    - `step(words (rows,), context, state)` -> (log-probabilities (rows, vocabulary), state).
    """

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
            ImageError: A picture cannot be read. `generate_all` goes on past such pictures.
        """
        is_single = not isinstance(images, (list, tuple))
        results = []
        for _, _, result in self.generate_all(
            [images] if is_single else images, batch_size, return_details, **settings
        ):
            if isinstance(result, ImageError):
                raise result
            results.append(result)
        n_best = settings.get("n_best") or 1
        captions = [_presented(each, n_best, return_details) for each in results]
        return captions[0] if is_single else captions

    def generate_all(self, images, batch_size=32, with_attention=False, **settings):
        """Captions any number of pictures, one batch in memory at a time; errors do not stop it.

        Args:
            images: iterable of paths, PIL images or arrays.
            batch_size, settings: as in `generate`.
            with_attention: bool. Whether to tell where each word looked. Defaults to `False`.

        Yields:
            (index, image, list of `Caption`, best first, or the `ImageError`), in input order.
        """
        search = self.search_settings(settings) | {"with_attention": with_attention}
        require(batch_size >= 1, f"batch size {batch_size}: must be 1 or more")
        size = (self.picture_size, self.picture_size)
        # While the captions of a batch are searched, which keeps one core busy, the CNN is at the
        # next one.
        with ThreadPoolExecutor(1) as thread:
            encoded = deque()
            for batch in _batches(read_images(images, size), batch_size):
                encoded.append((batch, thread.submit(self._encode_batch, batch, batch_size)))
                if len(encoded) > 1:
                    yield from self._caption_batch(*encoded.popleft(), search)
            for batch, image in encoded:
                yield from self._caption_batch(batch, image, search)

    def _encode_batch(self, batch, batch_size):
        pixels = [result for _, _, result in batch if not isinstance(result, ImageError)]
        return self.encode(np.stack(pixels), batch_size) if pixels else None

    def _caption_batch(self, batch, encoding, search):
        image, captions = encoding.result(), iter(())
        if image is not None:
            read = [result for _, _, result in batch if not isinstance(result, ImageError)]
            captions = iter(self.decode(image, pictures=picture_numbers(read), **search))
        for index, source, result in batch:
            failed = isinstance(result, ImageError)
            yield index, source, result if failed else next(captions)

    def decode(self, image, method="beam", pictures=None, with_attention=False, **settings):
        """Captions for pictures already encoded.

        Args:
            image: what `encode` gave.
            method: str. Defaults to `"beam"`.
            pictures: list of int or None. See `decoding.sample`. Defaults to `None`.
            with_attention: bool. Whether to tell where each word looked. Defaults to `False`.
            **settings: as `search_settings` gives them.

        Returns:
            list (pictures) of lists of `Caption`, best first.
        """
        step, state = self.searchable(image)
        settings = self.search_arguments(settings)
        if method == "sample":
            settings["pictures"] = pictures
        search = {"greedy": decoding.greedy, "beam": decoding.beam, "sample": decoding.sample}
        found = search[method](step, state, **settings)
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

        The rule about words is asked for by `True`, and carried out by a table of the vocabulary.

        Args:
            settings: dict.

        Raises:
            CaptionerError: The rule is asked for, and the vocabulary does not know the words.
        """
        if "no_repeat_word" not in settings:
            return settings
        is_asked_for = settings["no_repeat_word"]
        table = np.array(self.vocabulary.least_distances()) if is_asked_for else None
        return {**settings, "no_repeat_word": table}

    def _caption(self, hypothesis):
        text = self.vocabulary.decode(hypothesis.words)
        words = tuple(self.vocabulary.word(each) for each in hypothesis.words)
        return Caption(text, hypothesis.score, words, hypothesis.word_scores)

    def _with_attention(self, image, found, captions):
        """The captions, with where each word looked if that can be told."""
        return captions

    def search_settings(self, given):
        """What `decode` takes: the settings given, else those stored, none that it ignores.

        Args:
            given: dict. `method` and arguments of the searches; None counts as not given.

        Raises:
            CaptionerError: A setting is unknown or has no meaning with the method.
        """
        given = {name: value for name, value in given.items() if value is not None}
        unknown = set(given) - SEARCH_SETTINGS["beam"] - SEARCH_SETTINGS["sample"] - {"method"}
        require(
            not unknown, f"{', '.join(sorted(unknown))}: no such setting of generate; see its help"
        )
        method = given.pop("method", self.generation["method"])
        require(
            method in METHODS, f"method {method!r}: no such method; choose {', '.join(METHODS)}"
        )
        allowed = SEARCH_SETTINGS[method]
        misplaced = [f"{each} {given[each]}" for each in sorted(set(given) - allowed)]
        harmless = misplaced == ["n_best 1"]
        require(
            not misplaced or harmless,
            f"{', '.join(misplaced)}: has no meaning with method {method}; leave it out",
        )
        for name, (least, most) in REAL_NUMBERS.items():
            value = given.get(name, least)
            require(
                least <= value <= most,
                f"{name.replace('_', ' ')} {value}: must be a number from {least} to {most}",
            )
        for name in SWITCHES & set(given):
            value = given[name]
            require(isinstance(value, bool), f"{name} {value!r}: must be True or False")
        settings = {**self.generation, **given}
        if settings.get("no_repeat_word"):
            self.vocabulary.least_distances()  # an error is to come before any picture is read
        if method == "beam" and "n_best" in given and "beam_size" not in given:
            settings["beam_size"] = max(settings["beam_size"], given["n_best"])
        return {"method": method, **{key: settings[key] for key in allowed & set(settings)}}


class _Context:
    """What `start` found of the pictures, handed to the rows of a search."""

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
    """What `decode` takes for `pictures`: the picture itself is what chance goes by, not its place.

    Args:
        pictures: list of arrays, pixels.
    """
    return [zlib.crc32(np.ascontiguousarray(pixels)) for pixels in pictures]


def _batches(items, size):
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _presented(captions, n_best, return_details):
    chosen = captions if return_details else [each.text for each in captions]
    return chosen[:n_best] if n_best > 1 else chosen[0]
