"""The captioner: encoder, decoder and vocabulary in one; pictures in, sentences out."""

import io
import math
import os
import tempfile
import zipfile
from typing import NamedTuple

import h5py
import keras
import numpy as np

from captioner import decoding
from captioner.decoder import Decoder
from captioner.encoder import Encoder
from captioner.errors import CaptionerError
from captioner.images import ImageError, read_images
from captioner.vocabulary import PAD, START, Vocabulary

PRESETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "presets")
METHODS = ("greedy", "beam", "sample")


class Caption(NamedTuple):
    """What `generate(return_details=True)` says of one caption.

    Attributes:
        text: str. The sentence.
        score: float. Log-probability, normalised by length (see `decoding.beam`).
        words: tuple of str. The words one by one.
        word_scores: tuple of float. Log-probability of each word, the end of the caption last.
        attention: float array (words, height, width), where each word looked: the weights of the
            CNN's regions, which sum to 1. None for models without attention, and where no details
            were asked for.
    """

    text: str
    score: float
    words: tuple
    word_scores: tuple
    attention: object = None


@keras.saving.register_keras_serializable(package="captioner")
class Captioner(keras.Model):
    """An image captioner: a CNN, a recurrent decoder and the words it knows.

    Args:
        encoder: Encoder, or its config.
        decoder: Decoder, or its config.
        vocabulary: Vocabulary, or its config.
        generation: dict. The settings `generate` takes when none are given: method, beam_size,
            length_penalty, max_length, no_repeat_ngram. Defaults to beam search with 3 beams.
        about: dict. What the file should tell of its training; kept as it is. Defaults to `{}`.

    Call arguments:
        inputs: dict with `pixels` (batch, size, size, 3), 0 to 255, and `words`, int
            (batch, time), the start id first, 0 for padding.

    Returns:
        Logits (batch, time, vocabulary).

    Example:
    >>> model = captioner.Captioner.from_preset("flickr8k")
    >>> model.generate("data/samples/photographer.jpg")
    'a woman is taking a picture of a camera'
    """

    def __init__(self, encoder, decoder, vocabulary, generation=None, about=None, **kwargs):
        super().__init__(**kwargs)
        self.encoder = Encoder.from_config(encoder) if isinstance(encoder, dict) else encoder
        self.decoder = Decoder.from_config(decoder) if isinstance(decoder, dict) else decoder
        if not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary.from_config(vocabulary)
        self.vocabulary = vocabulary
        if len(vocabulary) != self.decoder.vocabulary_size:
            raise CaptionerError(
                f"vocabulary of {len(vocabulary)} words for a decoder of "
                f"{self.decoder.vocabulary_size}: they do not belong together"
            )
        self.generation = {
            "method": "beam",
            "beam_size": 3,
            "length_penalty": 1.0,
            "max_length": 30,
            "no_repeat_ngram": 0,
            **(generation or {}),
        }
        self.about = dict(about or {})
        self._network = None
        self.built = True

    def call(self, inputs, training=False):
        image = self.see(inputs["pixels"], training=training)
        return self.decoder(inputs["words"], image, training=training)

    def see(self, pixels, training=False):
        """What the decoder wants of pixels (pictures, size, size, 3): the mean of the regions,
        (pictures, channels), or, with attention, the regions, (pictures, regions, channels)."""
        regions = self.encoder(pixels, training=training)
        return self.encoder.pool(regions) if self.decoder.attention == "none" else regions

    @property
    def image_shape(self):
        """Shape of what the decoder sees of one picture: (channels,), or (regions, channels)."""
        channels, regions = self.encoder.channels, self.encoder.regions
        return (channels,) if self.decoder.attention == "none" else (regions, channels)

    def generate(self, images, return_details=False, batch_size=32, **settings):
        """Captions pictures.

        Args:
            images: a path, PIL image or array (height, width, 3), or a list of them.
            return_details: bool. Whether to return `Caption` tuples instead of strings.
                Defaults to `False`.
            batch_size: int. Pictures captioned at a time. Defaults to `32`.
            **settings: method ("greedy", "beam" or "sample"), beam_size, length_penalty, n_best,
                max_length, no_repeat_ngram, temperature, top_k, top_p, seed; see
                `captioner.decoding`. Defaults to those stored in the model.

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
        search = self._search_settings(settings) | {"with_attention": with_attention}
        _require(batch_size >= 1, f"batch size {batch_size}: must be 1 or more")
        size = (self.encoder.size, self.encoder.size)
        batch = []
        for item in read_images(images, size):
            batch.append(item)
            if len(batch) == batch_size:
                yield from self._caption_batch(batch, batch_size, search)
                batch = []
        if batch:
            yield from self._caption_batch(batch, batch_size, search)

    def _caption_batch(self, batch, batch_size, search):
        readable = [item for item in batch if not isinstance(item[2], ImageError)]
        captions = iter(())
        if readable:
            pixels = np.stack([pixels for _, _, pixels in readable])
            image = self.encode(pixels, batch_size)
            captions = iter(self.decode(image, first_picture=readable[0][0], **search))
        for index, source, result in batch:
            failed = isinstance(result, ImageError)
            yield index, source, result if failed else next(captions)

    def encode(self, pixels, batch_size=32):
        """What `see` gives, as an array, for any number of pictures."""
        return _in_batches(self._networks().encode, pixels, batch_size)

    def decode(self, image, method="beam", first_picture=0, with_attention=False, **settings):
        """Captions for pictures already encoded.

        Args:
            image: array (pictures, ...), from `encode`.
            method: str. Defaults to `"beam"`.
            first_picture: int. See `decoding.sample`. Defaults to `0`.
            with_attention: bool. Whether to tell where each word looked. Defaults to `False`.
            **settings: arguments of the search in `captioner.decoding`.

        Returns:
            list (pictures) of lists of `Caption`, best first.
        """
        networks = self._networks()
        rows = settings.get("beam_size", 1) if method == "beam" else 1
        context, state = networks.start(np.asarray(image, "float32"))
        context = [np.repeat(each, rows, axis=0) for each in context]

        def step(words, state):
            return networks.step(words, context, state)

        if method == "sample":
            settings["first_picture"] = first_picture
        search = {"greedy": decoding.greedy, "beam": decoding.beam, "sample": decoding.sample}
        found = search[method](step, state, **settings)
        captions = [[self._caption(each) for each in hypotheses] for hypotheses in found]
        if with_attention and self.decoder.attention != "none":
            return self._with_attention(image, found, captions)
        return captions

    def _caption(self, hypothesis):
        text = self.vocabulary.decode(hypothesis.words)
        words = tuple(self.vocabulary.word(each) for each in hypothesis.words)
        return Caption(text, hypothesis.score, words, hypothesis.word_scores)

    def _with_attention(self, image, found, captions):
        """Adds where each word looked, by showing the finished captions to the decoder once more.

        The searches need not carry it along then, and know nothing of networks.
        """
        n_best = max(len(hypotheses) for hypotheses in found)
        longest = max(len(each.words) for hypotheses in found for each in hypotheses)
        words = np.full((len(found), n_best, longest + 1), PAD, "int32")
        for picture, hypotheses in enumerate(found):
            for rank, each in enumerate(hypotheses):
                words[picture, rank, : len(each.words) + 1] = START, *each.words
        image = np.asarray(image, "float32")
        _, weights = self.decoder(words.reshape(-1, longest + 1), image, return_attention=True)
        side = math.isqrt(weights.shape[-1])
        weights = np.reshape(weights, (*words.shape, side, side))
        return [
            [
                each._replace(attention=weights[picture, rank, : len(each.words)])
                for rank, each in enumerate(group)
            ]
            for picture, group in enumerate(captions)
        ]

    def _search_settings(self, given):
        """The settings of one search: those given, else those stored, none that it ignores."""
        given = {name: value for name, value in given.items() if value is not None}
        unknown = set(given) - SEARCH_SETTINGS["beam"] - SEARCH_SETTINGS["sample"] - {"method"}
        _require(
            not unknown, f"{', '.join(sorted(unknown))}: no such setting of generate; see its help"
        )
        method = given.pop("method", self.generation["method"])
        _require(
            method in METHODS, f"method {method!r}: no such method; choose {', '.join(METHODS)}"
        )
        allowed = SEARCH_SETTINGS[method]
        misplaced = [f"{each} {given[each]}" for each in sorted(set(given) - allowed)]
        harmless = misplaced == ["n_best 1"]
        _require(
            not misplaced or harmless,
            f"{', '.join(misplaced)}: has no meaning with method {method}; leave it out",
        )
        settings = {**self.generation, **given}
        if method == "beam" and "n_best" in given and "beam_size" not in given:
            settings["beam_size"] = max(settings["beam_size"], given["n_best"])
        return {"method": method, **{key: settings[key] for key in allowed & set(settings)}}

    def _networks(self):
        if self._network is None:
            self._network = _Networks(self)
        return self._network

    def save(self, filepath, overwrite=True, storage="float32"):
        """Writes everything the captioner is into one .keras file, or leaves the old file whole.

        Args:
            filepath: str. Where to; ends in `.keras`.
            overwrite: bool. Whether an existing file may be replaced. Defaults to `True`.
            storage: `"float32"`, or `"float16"` for half the size. Defaults to `"float32"`.
        """
        filepath = os.fspath(filepath)
        _require(filepath.endswith(".keras"), f"{filepath}: a model's file name ends in .keras")
        _require(overwrite or not os.path.exists(filepath), f"{filepath}: exists already")
        folder = os.path.dirname(os.path.abspath(filepath))
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as workshop:
            written = os.path.join(workshop, "model.keras")
            keras.saving.save_model(self, written)
            if storage == "float16":
                _halve(written)
            os.replace(written, filepath)

    @classmethod
    def from_preset(cls, name):
        """The captioner shipped under that name, e.g. `"flickr8k"`."""
        return load(name)

    def get_config(self):
        return {
            "name": self.name,
            "encoder": self.encoder.get_config(),
            "decoder": self.decoder.get_config(),
            "vocabulary": self.vocabulary.to_config(),
            "generation": self.generation,
            "about": self.about,
        }


def load(name, implementation=None):
    """Opens a captioner.

    Args:
        name: str. A .keras file, or the name of a shipped model.
        implementation: `"custom"`, `"keras"` or None. Which recurrent layers to run it with,
            whichever it was trained with. Defaults to `None`, those it was trained with.

    Returns:
        Captioner.

    Raises:
        CaptionerError: No such file, or not a captioner's.

    Example:
    >>> model = captioner.load("runs/mine/best.keras")
    """
    path = find_model(name)
    try:
        model = keras.saving.load_model(path, compile=False)
    except CaptionerError:
        raise
    except Exception as error:  # zipfile, json, h5py and Keras each have their own
        reason = str(error).strip().split("\n")[0][:160] or type(error).__name__
        raise CaptionerError(f"{path}: cannot be opened as a captioner ({reason})") from error
    _require(
        isinstance(model, Captioner),
        f"{path}: a Keras model, but not a captioner; train one with train.py",
    )
    if implementation in (None, model.decoder.implementation):
        return model
    return _with_implementation(model, implementation)


def find_model(name):
    """The path of a model given as a file or as the name of a shipped one."""
    name = os.fspath(name)
    if os.path.isfile(name):
        return name
    shipped = sorted(each[:-6] for each in os.listdir(PRESETS) if each.endswith(".keras"))
    if name in shipped:
        return os.path.join(PRESETS, name + ".keras")
    what = "is a folder, not a model file" if os.path.isdir(name) else "no such model"
    raise CaptionerError(
        f"{name}: {what}; give a .keras file or one of the shipped: {', '.join(shipped) or 'none'}"
    )


def _with_implementation(model, implementation):
    config = model.get_config()
    config["decoder"] = {**config["decoder"], "implementation": implementation}
    other = Captioner.from_config(config)
    other.encoder.set_weights(model.encoder.get_weights())
    other.decoder.copy_weights_from(model.decoder)
    return other


class _Networks:
    """The three compiled functions of generation: picture to vector, start and step.

    Each is a Keras model of its own, so that Keras compiles it on every backend. XLA makes CNNs
    slower on CPUs, so it is off.
    """

    def __init__(self, captioner):
        encoder, decoder = captioner.encoder, captioner.decoder
        self._encode = _Compiled("encode", encoder, captioner.see)
        self._start = _Compiled("start", decoder, decoder.start)
        self._step = _Compiled("step", decoder, lambda inputs: decoder.step(*inputs))

    def encode(self, pixels):
        return self._encode.predict_on_batch(pixels)

    def start(self, image):
        return self._start.predict_on_batch(image)

    def step(self, words, context, state):
        return self._step.predict_on_batch((words, context, state))


class _Compiled(keras.Model):
    """A function of a layer, as a model that owns the layer's variables."""

    def __init__(self, name, layer, function):
        super().__init__(name=name)
        self.layer = layer
        self._function = function
        self.built = True
        self.compile(jit_compile=False)

    def call(self, inputs):
        return self._function(inputs)


SEARCH_SETTINGS = {
    "greedy": {"max_length", "no_repeat_ngram"},
    "beam": {"max_length", "no_repeat_ngram", "beam_size", "length_penalty", "n_best"},
    "sample": {"max_length", "no_repeat_ngram", "temperature", "top_k", "top_p", "seed"},
}


def _in_batches(function, array, batch_size):
    """Runs a function over slices of one size, padding the last, and joins the results.

    One shape means one compilation, and results that do not depend on how many pictures came.
    """
    outputs = []
    for start in range(0, len(array), batch_size):
        part = array[start : start + batch_size]
        missing = batch_size - len(part)
        if missing and start:
            part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        outputs.append(function(part)[: len(array) - start])
    return np.concatenate(outputs)


def _presented(captions, n_best, return_details):
    chosen = captions if return_details else [each.text for each in captions]
    return chosen[:n_best] if n_best > 1 else chosen[0]


def _halve(path):
    """Rewrites a .keras file with its float32 weights stored as float16."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = _halved_weights(members["model.weights.h5"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _halved_weights(content):
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(target, "w") as new:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = new.require_group(name)
            else:
                value = item[()]
                made = new.create_dataset(
                    name, data=value.astype("float16") if value.dtype == "float32" else value
                )
            made.attrs.update(item.attrs)

        old.visititems(copy)
        new.attrs.update(old.attrs)
    return target.getvalue()


def _require(condition, message):
    if not condition:
        raise CaptionerError(message)
