"""The networks of an exported captioner as .onnx files."""

import logging
import os

import tensorflow as tf

from captioner.errors import CaptionerError
from captioner.lite_captioner import checksum_of

STORAGES = ("float32",)
OPSET = 17  # of 2022: what runs ONNX today knows it


def write(functions, captioner, folder, storage):
    """Writes the networks; arguments, result and errors as in `captioner.lite_export.write`.

    No output may be called like an input there, so those of `step` are `new_state_0` and so on.
    """
    convert = _tf2onnx()
    checksums = {}
    for name, (function, signature) in functions.items():
        path = os.path.join(folder, f"{name}.onnx")
        try:
            convert.from_function(
                _positional(function, list(signature)),
                input_signature=list(signature.values()),
                opset=OPSET,
                output_path=path,
            )
        except Exception as error:  # the converter's own, and whatever TensorFlow raises
            reason = str(error).strip().split("\n")[0][:200]
            raise CaptionerError(f"the model cannot be converted for ONNX ({reason})") from error
        checksums[name] = checksum_of(path)
    return checksums


def _positional(function, names):
    """The function with its tensors in a row, as the converter calls it."""

    def call(*tensors):
        return renamed(function(**dict(zip(names, tensors, strict=True))), names)

    return tf.function(call)


def renamed(outputs, inputs):
    """The outputs, those called like an input as `new_...`."""
    return {f"new_{name}" if name in inputs else name: each for name, each in outputs.items()}


def _tf2onnx():
    try:
        import tf2onnx
    except ImportError as error:
        raise CaptionerError(
            f"exporting to ONNX needs tf2onnx ({error}); pip install 'captioner[export]', or here: "
            "pip install '.[export]'"
        ) from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    return tf2onnx.convert
