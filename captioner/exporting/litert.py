"""The networks of an exported captioner as .tflite files."""

import os

import tensorflow as tf

from captioner.errors import CaptionerError, reason_of
from captioner.lite_captioner import checksum_of

STORAGES = ("float16", "float32", "int8")


def write(functions, captioner, folder, storage):
    """Writes the networks.

    Args:
        functions: dict from name to (function from named tensors to a dict of tensors, dict from
            name to TensorSpec).
        captioner: Captioner, whose weights they use.
        folder: str. Where to.
        storage: str. Of `STORAGES`.

    Returns:
        dict from name to the file's checksum.

    Raises:
        CaptionerError: A network cannot be converted.
    """
    checksums = {}
    for name, (function, signature) in functions.items():
        # The decoder is quick as it is, and the search compares its numbers.
        kind = "float16" if storage == "int8" and name != "encode" else storage
        signature = _for_one_picture(signature) if name == "encode" else signature
        content = _convert(function, signature, captioner, kind)
        path = os.path.join(folder, f"{name}.tflite")
        with open(path, "wb") as file:
            file.write(content)
        checksums[name] = checksum_of(path)
    return checksums


def _for_one_picture(signature):
    """The inputs of a CNN that takes one picture at a time.

    LiteRT then runs the CNN as one piece. One for any number of pictures it runs in seventeen
    pieces, and copies all weights in float32 into its working memory, 24 MB.
    """
    return {
        name: tf.TensorSpec((1, *spec.shape[1:]), spec.dtype, name)
        for name, spec in signature.items()
    }


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
        line = f"the model cannot be converted for LiteRT ({reason_of(error)})"
        raise CaptionerError(line) from error
