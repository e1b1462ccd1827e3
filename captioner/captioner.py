"""The captioner: encoder, decoder and vocabulary in one; pictures in, sentences out."""

import io
import math
import os
import zipfile

import h5py
import keras
import numpy as np
from keras import ops

from captioner import __version__
from captioner.backend import only_failures_heard
from captioner.compiled import XLA, CompiledModel, padded, rows_for
from captioner.confidence import Confidence
from captioner.decoder import Decoder
from captioner.decoding import stored_settings
from captioner.encoder import Encoder
from captioner.errors import CaptionerError, reason_of, require
from captioner.files import replacing
from captioner.generation import Generation
from captioner.lite_captioner import is_exported
from captioner.model_file import WEIGHTS, check_model_file
from captioner.presets import find_model
from captioner.vocabulary import END, PAD, START, Vocabulary

LONGEST = 60  # words of a caption whose probability is computed


@keras.saving.register_keras_serializable(package="captioner")
class Captioner(Generation, keras.Model):
    """An image captioner: a CNN, a recurrent decoder and the words it knows.

    Args:
        encoder: Encoder, or its config.
        decoder: Decoder, or its config.
        vocabulary: Vocabulary, or its config.
        generation: dict. The settings `generate` takes when none are given: method, beam_size,
            length_penalty, max_length, no_repeat_ngram, no_repeat_word. Defaults to beam search
            with 3 beams.
        about: dict. Facts about its training, kept in the file as they are. Defaults to `{}`.
        confidence: Confidence, or its config, or None. How its captions' confidence is found; see
            `python -m captioner calibrate`. Defaults to `None`, captions have none.
        version: str or None. Of this project, in a file; not kept. Defaults to `None`.

    Call arguments:
        inputs: dict with `pixels` (batch, size, size, 3), 0 to 255, and `words`, int
            (batch, time), the start id first, 0 for padding.

    Returns:
        Logits (batch, time, vocabulary).

    Example:
    >>> model = captioner.Captioner.from_preset("everyday")
    >>> model.generate("data/samples/horses.jpg")
    'a group of horses grazing in a field'
    """

    def __init__(
        self,
        encoder,
        decoder,
        vocabulary,
        generation=None,
        about=None,
        confidence=None,
        version=None,
        **kwargs,
    ):
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
        self.generation = stored_settings(generation or {})
        self.about = dict(about or {})
        if not isinstance(confidence, Confidence):
            confidence = Confidence.from_config(confidence)
        self.confidence = confidence
        self._network = None
        self.built = True

    def call(self, inputs, training=False):
        image = self.see(inputs["pixels"], training=training)
        return self.decoder(inputs["words"], image, training=training)

    def see(self, pixels, training=False):
        """What the decoder takes of pixels (pictures, size, size, 3): the mean of the regions,
        (pictures, channels), or, with attention, the regions, (pictures, regions, channels)."""
        regions = self.encoder(pixels, training=training)
        return self.encoder.pool(regions) if self.decoder.attention == "none" else regions

    @property
    def image_shape(self):
        """Shape of what the decoder sees of one picture: (channels,), or (regions, channels)."""
        channels, regions = self.encoder.channels, self.encoder.regions
        return (channels,) if self.decoder.attention == "none" else (regions, channels)

    def encode(self, pixels, batch_size=32):
        """What `see` gives, as an array, for any number of pictures."""
        return _in_batches(self._networks().encode, pixels, batch_size)

    def log_probabilities(self, image, captions):
        """How likely the model finds captions that are given.

        Args:
            image: array (pictures, ...), from `encode`.
            captions: list (pictures) of lists of str, equally many for each picture.

        Returns:
            float array (pictures, captions): the sum over the words and the end.
        """
        words, targets = self._read(captions)
        logits = self.decoder(words, np.asarray(image, "float32"))
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        picked = ops.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
        sums = ops.sum(ops.where(targets != PAD, picked, 0.0), axis=-1)
        return ops.convert_to_numpy(sums).reshape(len(captions), -1)

    def _read(self, captions):
        """The words of captions and the targets after them, int arrays (captions, time) each.

        A caption that is longer than `LONGEST` is cut, and then lacks its end.
        """
        ids = [self.vocabulary.encode(text) for texts in captions for text in texts]
        ids = [[START, *each[:LONGEST], *[END] * (len(each) <= LONGEST)] for each in ids]
        rows = keras.utils.pad_sequences(ids, padding="post", value=PAD)
        words, targets = rows[:, :-1].copy(), rows[:, 1:]
        words[targets == PAD] = PAD  # after the end nothing is read
        return words, targets

    @property
    def picture_size(self):
        """Height and width, in pixels, of the pictures the encoder takes."""
        return self.encoder.size

    def start(self, image):
        """`Decoder.start`, compiled, from arrays to arrays."""
        return self._networks().start(np.asarray(image, "float32"))

    def step(self, words, context, state):
        """`Decoder.step`, compiled, from arrays to arrays."""
        return self._networks().step(words, context, state)

    def _with_attention(self, image, found, captions):
        """Adds where each word looked, by showing the finished captions to the decoder once more.

        The searches need not carry it along then, and know nothing of networks.
        """
        if self.decoder.attention == "none":
            return captions
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
        require(filepath.endswith(".keras"), f"{filepath}: a model's file name ends in .keras")
        require(overwrite or not os.path.exists(filepath), f"{filepath}: exists already")
        os.makedirs(os.path.dirname(os.path.realpath(filepath)), exist_ok=True)
        with replacing(filepath, ending=".keras") as unfinished:
            keras.saving.save_model(self, unfinished)
            if storage == "float16":
                _halve(unfinished)

    @classmethod
    def from_preset(cls, name):
        """The captioner shipped under that name, e.g. `"everyday"`, run by Keras."""
        return load_keras(name)

    def get_config(self):
        return {
            "name": self.name,
            "encoder": self.encoder.get_config(),
            "decoder": self.decoder.get_config(),
            "vocabulary": self.vocabulary.to_config(),
            "generation": self.generation,
            "about": self.about,
            "confidence": self.confidence and self.confidence.to_config(),
            "version": __version__,
        }


def load_keras(name, implementation=None):
    """Opens a captioner with Keras; `captioner.load` also knows those that LiteRT runs.

    The file is checked before Keras opens it (`captioner.model_file`), so that a file from a
    stranger runs no code, and damage is reported.

    Args:
        name: str. A .keras file, or the name of a shipped model.
        implementation: `"custom"`, `"keras"` or None. Which recurrent layers to run it with,
            whichever it was trained with. Defaults to `None`, those it was trained with.

    Returns:
        Captioner.

    Raises:
        CaptionerError: No such file, not a captioner's, or damaged; or an exported folder.

    Example:
    >>> model = load_keras("runs/mine/best.keras")
    """
    path = find_model(name)
    require(not is_exported(path), f"{path}: is exported for LiteRT; Keras needs the .keras file")
    version = check_model_file(path)
    with only_failures_heard():  # TensorFlow 2.20 reports the first thing it compiles
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # of Keras, of our layers, of what a changed config leads to
            raise CaptionerError(
                f"{path}: cannot be opened as a captioner: {reason_of(error)} (written by "
                f"captioner {version}, this is {__version__})"
            ) from error
    if implementation in (None, model.decoder.implementation):
        return model
    return _with_implementation(model, implementation)


def _with_implementation(model, implementation):
    config = model.get_config()
    config["decoder"]["implementation"] = implementation
    other = Captioner.from_config(config)
    other.encoder.set_weights(model.encoder.get_weights())
    other.decoder.copy_weights_from(model.decoder)
    return other


class _Networks:
    """The three compiled functions of generation: picture to vector, start and step.

    Each is a Keras model of its own, so that it is compiled on every backend.
    """

    def __init__(self, captioner):
        encoder, decoder = captioner.encoder, captioner.decoder
        self._encode = _Compiled("encode", encoder, captioner.see)
        self._start = _Compiled("start", decoder, decoder.start)
        self._step = _Compiled("step", decoder, lambda inputs: decoder.step(*inputs))
        self._context = None, None

    def encode(self, pixels):
        return self._encode.run(pixels)

    def start(self, image):
        return self._start.run(image)

    def step(self, words, context, state):
        if not XLA:
            return self._step.run((words, context, state))
        rows = rows_for(len(words))
        state = [padded(each, rows) for each in state]
        inputs = (padded(words, rows), self._on_device(context, rows), state)
        log_probs, state = self._step.run(inputs)
        return log_probs[: len(words)], [each[: len(words)] for each in state]

    def _on_device(self, context, rows):
        """The context, padded: the same for many steps, and large where there is attention."""
        known, tensors = self._context
        if context is not known:
            tensors = [ops.convert_to_tensor(padded(each, rows)) for each in context]
            self._context = context, tensors
        return tensors


class _Compiled(CompiledModel):
    """A function of a layer, as a model that owns the layer's variables."""

    def __init__(self, name, layer, function):
        super().__init__(name=name)
        self.layer = layer
        self._function = function
        self.built = True
        self.compile(jit_compile=XLA)

    def call(self, inputs):
        return self._function(inputs)


def _in_batches(function, array, batch_size):
    """Runs a function over slices of one size, padding the last, and joins the results.

    One shape means one compilation, and results that do not depend on how many pictures came.
    """
    outputs = []
    for start in range(0, len(array), batch_size):
        part = array[start : start + batch_size]
        rows = batch_size if start else min(batch_size, rows_for(len(part), fewest=1))
        outputs.append(function(padded(part, rows))[: len(array) - start])
    return np.concatenate(outputs)


def _halve(path):
    """Rewrites a .keras file with its float32 weights stored as float16."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[WEIGHTS] = _halved_weights(members[WEIGHTS])
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
