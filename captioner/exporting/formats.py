"""Exports a captioner to LiteRT, ONNX or TensorFlow's SavedModel, which run without Keras.

Each form has the same three networks, `encode`, `start` and `step`, and a manifest with the words
and the search settings. `captioner.lite_captioner` runs the form for LiteRT; `examples/` captions
pictures from each form in thirty lines.
"""

import os

import keras
import numpy as np
import tensorflow as tf

from captioner import __version__
from captioner.errors import require, require_choice
from captioner.exporting import litert as lite_export
from captioner.exporting import onnx as onnx_export
from captioner.exporting import saved_model as saved_model_export
from captioner.files import replacing_folder
from captioner.lite_captioner import FORMAT, MANIFEST, is_exported, listed, manifest_text, named

FORMATS = {"litert": lite_export, "onnx": onnx_export, "saved_model": saved_model_export}


def export(captioner, folder, storage=None, format="litert"):
    """Writes encoder, decoder start and decoder step, and a manifest.

    Args:
        captioner: Captioner.
        folder: str. Where to. A folder that holds an older export is replaced once the new one is
            complete; any other folder that is not empty is refused.
        storage: str or None. How weights are stored. For LiteRT `"float16"`; `"float32"`, twice the
            size, with the same computation in float32; or `"int8"`, with most convolutions of the
            CNN in bytes (see `exporting.eight_bits`): faster, but some captions change
            (`python -m benchmarks.encoder` measures both). The other formats have `"float32"`.
            Defaults to `None`, the first that the format has.
        format: `"litert"`; `"onnx"`, which needs the package tf2onnx; or `"saved_model"`. Defaults
            to `"litert"`.

    Raises:
        CaptionerError: The folder holds something else; the format or storage is unknown; a package
            is missing; or Keras runs on another backend than TensorFlow.

    Example:
    >>> export(captioner.load("everyday", runtime="keras"), "runs/exported")
    >>> captioner.load("runs/exported").generate("data/samples/photographer.jpg")
    """
    folder = os.path.abspath(os.fspath(folder))
    require(
        hasattr(captioner, "decoder"),
        "export needs the Keras model: captioner.load(..., runtime='keras') opens it",
    )
    backend = keras.backend.backend()
    require(backend == "tensorflow", f"exporting needs KERAS_BACKEND=tensorflow, not {backend}")
    require_choice("format", format, FORMATS)
    storages = FORMATS[format].STORAGES
    storage = storage or storages[0]
    require(
        storage in storages,
        f"storage {storage!r}: {format} has {', '.join(storages)}; choose one of these",
    )
    if os.path.exists(folder) and not is_exported(folder):
        is_empty = os.path.isdir(folder) and not os.listdir(folder)
        require(is_empty, f"{folder}: exists and is not an exported captioner; give another folder")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with replacing_folder(folder) as unfinished:
        checksums = FORMATS[format].write(_functions(captioner), captioner, unfinished, storage)
        with open(os.path.join(unfinished, MANIFEST), "w", encoding="utf-8") as file:
            file.write(manifest_text(_manifest(captioner, format, checksums)))


def _manifest(captioner, format, checksums):
    return {
        "format": FORMAT,
        "kind": format,
        "version": __version__,
        "checksums": checksums,
        "picture_size": captioner.picture_size,
        "generation": captioner.generation,
        "about": captioner.about,
        "confidence": captioner.confidence and captioner.confidence.to_config(),
        "vocabulary": captioner.vocabulary.to_config(),
    }


def _functions(captioner):
    """The networks by name: each a function from named tensors to named tensors, and its inputs."""
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
