"""The networks of an exported captioner as one SavedModel with three signatures."""

import os

import tensorflow as tf

from captioner.exporting.onnx import renamed

STORAGES = ("float32",)


def write(functions, captioner, folder, storage):
    """Writes the networks as signatures `encode`, `start` and `step` of FOLDER/saved_model.

    Arguments as in `captioner.exporting.litert.write`; outputs are named as in
    `captioner.exporting.onnx`.

    Returns:
        An empty dict: the format has checksums of its own.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in captioner.variables]
    signatures = {
        name: _named(function, signature).get_concrete_function(**signature)
        for name, (function, signature) in functions.items()
    }
    tf.saved_model.save(module, os.path.join(folder, "saved_model"), signatures)
    return {}


def _named(function, signature):
    return tf.function(lambda **tensors: renamed(function(**tensors), list(signature)))
