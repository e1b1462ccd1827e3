"""A captioner for LiteRT: what `captioner.lite_captioner` runs without Keras."""

import json
import os
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf

from captioner import __version__
from captioner.errors import CaptionerError, require
from captioner.lite_captioner import (
    FORMAT,
    MANIFEST,
    checksum_of,
    is_exported,
    listed,
    named,
)

STORAGES = ("float16", "float32", "int8")


def export(captioner, folder, storage="float16"):
    """Writes encoder, decoder start and decoder step, as LiteRT takes them, and a manifest.

    Args:
        captioner: Captioner.
        folder: str. Where to. A folder that holds an older export is replaced, once the new one is
            complete; any other that is not empty is left alone.
        storage: How weights lie on disk. `"float16"`, or `"float32"` for twice the size: LiteRT
            computes with float32 either way. `"int8"` has the weights of the CNN in bytes, and
            computes with bytes where it can: 1.4 times as quick, and of the shipped model every
            fourth caption is another, CIDEr 0.002 and BLEU-4 0.004 lower (measured). Defaults to
            `"float16"`.

    Raises:
        CaptionerError: The folder holds something else, the storage is unknown, or Keras runs on
            another backend than TensorFlow.

    Example:
    >>> export(captioner.load("flickr8k"), "runs/exported")
    >>> captioner.load("runs/exported").generate("data/samples/photographer.jpg")
    """
    folder = os.path.abspath(os.fspath(folder))
    backend = keras.backend.backend()
    require(backend == "tensorflow", f"exporting needs KERAS_BACKEND=tensorflow, not {backend}")
    require(storage in STORAGES, f"storage {storage!r}: choose float16, float32 or int8")
    if os.path.exists(folder) and not is_exported(folder):
        is_empty = os.path.isdir(folder) and not os.listdir(folder)
        require(is_empty, f"{folder}: exists and is no exported captioner; give another folder")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder), prefix=".exporting-") as workshop:
        written = os.path.join(workshop, "written")
        os.mkdir(written)
        checksums = {}
        for name, (function, signature) in _functions(captioner).items():
            # The decoder is quick as it is, and its logits are what is compared.
            kind = "float16" if storage == "int8" and name != "encode" else storage
            content = _convert(function, signature, captioner, kind)
            path = os.path.join(written, f"{name}.tflite")
            with open(path, "wb") as file:
                file.write(content)
            checksums[name] = checksum_of(path)
        with open(os.path.join(written, MANIFEST), "w", encoding="utf-8") as file:
            json.dump(_manifest(captioner, checksums), file, ensure_ascii=False, indent=1)
            file.write("\n")
        if os.path.exists(folder):
            shutil.rmtree(folder)
        os.replace(written, folder)


def _manifest(captioner, checksums):
    return {
        "format": FORMAT,
        "version": __version__,
        "checksums": checksums,
        "picture_size": captioner.picture_size,
        "generation": captioner.generation,
        "about": captioner.about,
        "vocabulary": captioner.vocabulary.to_config(),
    }


def _functions(captioner):
    """The networks by name: each a function of named tensors to such, and the tensors it takes."""
    decoder, size = captioner.decoder, captioner.picture_size
    blank = np.zeros((1, *captioner.image_shape), "float32")
    context, state = captioner.start(blank)  # for their shapes

    def encode(pixels):
        return {"image": captioner.see(pixels)}

    def start(image):
        context, state = decoder.start(image)
        return named("context", context) | named("state", state)

    def step(words, **arrays):
        log_probs, new_state = decoder.step(
            words, listed("context", arrays), listed("state", arrays)
        )
        return {"log_probs": log_probs} | named("state", new_state)

    carried = named("context", context) | named("state", state)
    return {
        "encode": (encode, {"pixels": _any_rows((size, size, 3), "uint8", "pixels")}),
        "start": (start, {"image": _any_rows(captioner.image_shape, "float32", "image")}),
        "step": (
            step,
            {
                "words": _any_rows((), "int32", "words"),
                **{k: _any_rows(v.shape[1:], "float32", k) for k, v in carried.items()},
            },
        ),
    }


def _any_rows(shape, dtype, name):
    return tf.TensorSpec((None, *shape), dtype, name=name)


def _convert(function, signature, captioner, storage):
    """The function as the bytes of a .tflite file."""
    holder = tf.Module()  # the converter looks for the weights here
    holder.weights = [variable.value for variable in captioner.variables]
    traced = tf.function(function).get_concrete_function(**signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], holder)
    if storage != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if storage == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # MLIR's own, and whatever TensorFlow raises
        reason = str(error).strip().split("\n")[0][:200]
        raise CaptionerError(f"the model cannot be converted for LiteRT ({reason})") from error
