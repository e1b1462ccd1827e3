"""The captioner without Keras: exported networks run by LiteRT, ready in a tenth of a second."""

import json
import os
import queue
import shutil
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from captioner.backend import only_failures_heard
from captioner.confidence import Confidence
from captioner.decoding import stored_settings
from captioner.errors import CaptionerError, cannot_be, require
from captioner.files import replacing_folder
from captioner.generation import Generation
from captioner.mapped_files import release_pages
from captioner.text_files import read_json, replace_text
from captioner.vocabulary import Vocabulary

FORMAT = 1  # of the folder
MANIFEST = "manifest.json"
NETWORKS = ("encode", "start", "step")  # one .tflite file each
THREADS = os.cpu_count() or 1
PIECE = 2**20  # bytes of a network that are read at once
MOST_ENCODERS = 4  # that work side by side; each takes 38 MB
# Pictures that did not come alone. Opening the encoders takes as long as they save on so many.
ENOUGH = 16


class LiteCaptioner(Generation):
    """An exported captioner: three networks and a manifest in one folder.

    The searches are those of every captioner, in `captioner.decoding`. Only `encode`, `start` and
    `step` are run by LiteRT instead of Keras, which need not be installed.

    Args:
        folder: str. What `python -m captioner export` wrote.
        threads: int. How many threads compute. Defaults to one for each core.

    Attributes:
        vocabulary: Vocabulary.
        generation: dict. The settings `generate` takes when none are given.
        about: dict. What the file says about its training.
        confidence: Confidence or None. How its captions' confidence is found.
        picture_size: int. Height and width, in pixels, of the pictures the encoder takes.

    Raises:
        LiteRTMissingError: The package ai-edge-litert is missing.
        CaptionerError: The folder is not an exported captioner.

    Example:
    >>> model = captioner.load("runs/mine/exported")
    >>> model.generate("photo.jpg")
    """

    def __init__(self, folder, threads=THREADS):
        folder = os.fspath(folder)
        manifest = manifest_of(folder)
        self.vocabulary = Vocabulary.from_config(manifest["vocabulary"])
        self.generation = stored_settings(manifest["generation"])
        self.about = manifest["about"]
        self.confidence = Confidence.from_config(manifest.get("confidence"))
        self.picture_size = manifest["picture_size"]
        checksums = manifest.get("checksums", {})  # old folders have none
        paths = [os.path.join(folder, f"{name}.tflite") for name in NETWORKS]
        # While LiteRT is imported, and while one network is opened, the next one is checked.
        with ThreadPoolExecutor(1) as thread:
            found = thread.map(checksum_of, paths)
            interpreter = _interpreter_class()
            networks = (
                _Network(interpreter, path, checksum, checksums.get(name) or checksum)
                for name, path, checksum in zip(NETWORKS, paths, found, strict=True)
            )
            self._encoders = _Encoders(next(networks), threads)
            self._start, self._step = (network.open(threads) for network in networks)

    def __getattr__(self, name):  # called for what is not there
        raise AttributeError(
            f"a LiteCaptioner has no {name}; captioner.load(..., runtime='keras') opens the Keras "
            "model, which has encoder and decoder and can be trained"
        )

    def encode(self, pixels, batch_size=32):
        """What `Captioner.see` returns, as an array, for any number of pictures.

        An interpreter takes one picture at a time, whatever the batch size: that is a fifth faster
        than 32 at once, whose activations do not fit in the processor's cache, and takes a third of
        the memory (measured). Many pictures are shared out among several interpreters.
        """
        if len(pixels) == 1:
            return self._encoders.one(pixels[0])
        return np.concatenate(list(self._encoders.several(pixels)))

    def _encode_as_read(self, pictures, batch_size):
        """Encodes each picture as soon as it is read, and keeps no pixels."""
        found = list(self._encoders.several(pictures, keeps_first=False))
        return np.concatenate(found) if found else None

    def start(self, image):
        """`Decoder.start`: (context, state), two lists of arrays with one row for each picture."""
        found = self._start(image=np.asarray(image, np.float32))
        return listed("context", found), listed("state", found)

    def step(self, words, context, state):
        """`Decoder.step`: (log-probabilities (rows, vocabulary), state)."""
        given = {**named("context", context), **named("state", state)}
        found = self._step(words=np.asarray(words, np.int32), **given)
        return found["log_probs"], listed("state", found)


class _Network:
    """One .tflite file.

    Args:
        interpreter: class.
        path: str.
        checksum: int. What was found.
        wanted: int. What the manifest says.

    Raises:
        CaptionerError: They differ.
    """

    def __init__(self, interpreter, path, checksum, wanted):
        require(
            checksum == wanted,
            f"{path}: damaged (its checksum is not that of {MANIFEST}); export the model again",
        )
        self._interpreter, self._path, self._checksum = interpreter, path, checksum

    def open(self, threads):
        """The network as a function from named arrays to named arrays."""
        with only_failures_heard():
            try:
                opened = self._interpreter(self._path, num_threads=threads)
                opened.allocate_tensors()  # finds a damaged file, and prints LiteRT's greeting
                release_pages(self._path)
                return opened.get_signature_runner()
            except (ValueError, RuntimeError) as error:
                raise CaptionerError(cannot_be("opened by LiteRT", self._path, error)) from error

    def is_unchanged(self):
        """Whether the file is still the one that was checked."""
        try:
            return checksum_of(self._path) == self._checksum
        except CaptionerError:
            return False


class _Encoders:
    """The CNN: one interpreter with all threads, and for many pictures several side by side.

    The threads of one interpreter wait for each other after every layer. Interpreters with one
    thread each do not, so two of them encode more pictures than one with two threads. But a picture
    alone is encoded sooner by the one, and each interpreter takes memory: the several are opened
    when enough pictures have come.

    Args:
        network: _Network.
        threads: int. Shared out among the several.
    """

    def __init__(self, network, threads):
        self._network = network
        count = min(threads, MOST_ENCODERS)
        self._shares = [(threads + number) // count for number in range(count)]
        self._first = network.open(threads)
        self._idle = queue.SimpleQueue()  # of the several, those that encode nothing right now
        self._are_open = False
        self._came_with_others = 0

    def one(self, pixels):
        """What the CNN sees in one picture, with a leading 1."""
        return _seen(self._first, pixels) if self._first else self._by_an_idle_one(pixels)

    def several(self, pictures, keeps_first=True):
        """What the CNN sees in each picture, in their order.

        Args:
            pictures: iterable of arrays (size, size, 3). It is read only a little ahead.
            keeps_first: bool. Whether the interpreter with all threads stays open, for single
                pictures, when several are opened. Defaults to `True`.
        """
        pictures = iter(pictures)
        if not self._are_open:
            for number, pixels in enumerate(pictures):
                yield self.one(pixels)
                self._came_with_others += number > 0
                if self._came_with_others == ENOUGH and self._open(keeps_first):
                    break
        yield from _in_order(self._by_an_idle_one, pictures, len(self._shares))

    def _open(self, keeps_first):
        """Opens the several, unless there is one thread only, or another file than before."""
        if len(self._shares) == 1 or not self._network.is_unchanged():
            return False
        if not keeps_first:
            self._first = None  # its memory is free for those that are opened now
        for threads in self._shares:
            self._idle.put(self._network.open(threads))
        self._are_open = True
        return True

    def _by_an_idle_one(self, pixels):
        encoder = self._idle.get()
        try:
            return _seen(encoder, pixels)
        finally:
            self._idle.put(encoder)


def _seen(encoder, pixels):
    return encoder(pixels=pixels[None])["image"]


def _in_order(function, items, threads):
    """What a function, called by several threads, returns for each item, in the items' order."""
    waiting = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class LiteRTMissingError(CaptionerError):
    """The package that runs exported captioners is not installed, or not for this machine."""


def _interpreter_class():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise LiteRTMissingError(
            f"LiteRT cannot be imported ({error}); pip install ai-edge-litert"
        ) from error
    return Interpreter


def manifest_of(folder):
    """What the manifest of an exported captioner says, a dict.

    Raises:
        CaptionerError: The folder is not an exported captioner.
    """
    path = os.path.join(folder, MANIFEST)
    manifest = read_json(path)
    wanted = {"format", "vocabulary", "generation", "about", "picture_size"}
    require(
        isinstance(manifest, dict) and wanted <= set(manifest) and manifest["format"] == FORMAT,
        f"{path}: not the manifest of an exported captioner of format {FORMAT}; export it again",
    )
    kind = manifest.get("kind", "litert")
    require(
        kind == "litert",
        f"{folder}: is exported as {kind}, which examples/ shows how to run; export it as litert",
    )
    return manifest


def manifest_text(manifest):
    """A manifest as its file has it."""
    return json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"


def store_confidence(folder, confidence, out):
    """Writes an exported captioner with a confidence; its networks stay as they are.

    Args:
        folder: str. The exported captioner.
        confidence: Confidence.
        out: str. The folder to replace, or to make; it may be the same.

    Raises:
        CaptionerError: The folder is not an exported captioner, or cannot be written.

    Example:
    >>> store_confidence("runs/exported", model.confidence, "runs/calibrated")
    """
    text = manifest_text(manifest_of(folder) | {"confidence": confidence.to_config()})
    if os.path.realpath(out) == os.path.realpath(folder):
        replace_text(os.path.join(folder, MANIFEST), text)
        return
    try:
        with replacing_folder(out) as unfinished:
            shutil.copytree(folder, unfinished, dirs_exist_ok=True)
            replace_text(os.path.join(unfinished, MANIFEST), text)
    except OSError as error:
        raise CaptionerError(cannot_be("written", out, error)) from error


def checksum_of(path):
    """The CRC-32 of a file: it detects damage in a few milliseconds, but not manipulation.

    Raises:
        CaptionerError: It cannot be read.
    """
    checksum = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(PIECE):
                checksum = zlib.crc32(piece, checksum)
    except OSError as error:
        raise CaptionerError(cannot_be("read", path, error)) from error
    return checksum


def is_exported(path):
    """Whether the path is a folder that `captioner.exporting.formats` has written."""
    return os.path.isfile(os.path.join(path, MANIFEST))


def named(kind, arrays):
    """A list of arrays, or of tensors, as a dict: context_0, context_1 ..."""
    return {f"{kind}_{number}": each for number, each in enumerate(arrays)}


def listed(kind, arrays):
    """The list of one kind in a dict that `named` made."""
    count = sum(name.startswith(f"{kind}_") for name in arrays)
    return [arrays[f"{kind}_{number}"] for number in range(count)]
