"""The captioner without Keras: exported networks run by LiteRT, ready in a tenth of a second."""

import json
import os
import shutil
import zlib
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
            self._encode, self._start, self._step = (
                _open_network(interpreter, path, checksums.get(name) in (None, checksum), threads)
                for name, path, checksum in zip(NETWORKS, paths, found, strict=True)
            )

    def __getattr__(self, name):  # called for what is not there
        raise AttributeError(
            f"a LiteCaptioner has no {name}; captioner.load(..., runtime='keras') opens the Keras "
            "model, which has encoder and decoder and can be trained"
        )

    def encode(self, pixels, batch_size=32):
        """What `Captioner.see` returns, as an array, for any number of pictures.

        One by one, whatever the batch size: that is a fifth faster than 32 at once, whose
        activations do not fit in the processor's cache, and takes a third of the memory (measured).
        """
        return np.concatenate([self._encode(pixels=each[None])["image"] for each in pixels])

    def _encode_as_read(self, pictures, batch_size):
        """Encodes each picture as soon as it is read, and keeps no pixels."""
        found = [self._encode(pixels=each[None])["image"] for each in pictures]
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


def _open_network(interpreter, path, is_whole, threads):
    """One .tflite file as a function from named arrays to named arrays."""
    require(
        is_whole,
        f"{path}: damaged (its checksum is not that of {MANIFEST}); export the model again",
    )
    with only_failures_heard():
        try:
            opened = interpreter(path, num_threads=threads)
            opened.allocate_tensors()  # finds a damaged file, and prints LiteRT's greeting
            release_pages(path)
            return opened.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise CaptionerError(cannot_be("opened by LiteRT", path, error)) from error


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
