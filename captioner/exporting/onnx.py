"""The networks of an exported captioner as .onnx files."""

import logging
import os

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from captioner.errors import CaptionerError, needs_extra, reason_of
from captioner.lite_captioner import checksum_of

STORAGES = ("float32",)
OPSET = 17  # of 2022; the runtimes of today know it


def write(functions, captioner, folder, storage):
    """Writes the networks; arguments, result and errors as in `captioner.exporting.litert.write`.

    In ONNX no output may have the name of an input, so `step` returns `new_state_0` and so on.
    """
    convert = _tf2onnx()
    checksums = {}
    for name, (function, signature) in functions.items():
        path = os.path.join(folder, f"{name}.onnx")
        graph, names = _frozen(function, signature)
        inputs = [f"{each}:0" for each in signature]
        try:
            convert.from_graph_def(
                graph,
                input_names=inputs,
                output_names=list(names),
                tensors_to_rename=names | dict(zip(inputs, signature, strict=True)),
                opset=OPSET,
                output_path=path,
            )
        except Exception as error:  # the converter's own, and whatever TensorFlow raises
            line = f"the model cannot be converted for ONNX ({reason_of(error)})"
            raise CaptionerError(line) from error
        checksums[name] = checksum_of(path)
    return checksums


def _frozen(function, signature):
    """The graph of a function with its weights in it, and the names of its output tensors.

    Not by `tf2onnx.convert.from_function`, which takes constants that are not variables, such as
    the mean that EfficientNet subtracts, for inputs.
    """
    traced = tf.function(lambda **tensors: renamed(function(**tensors), signature))
    concrete = traced.get_concrete_function(**signature)
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    tensors = [each.name for each in frozen.outputs]  # in the order of the sorted names
    names = dict(zip(tensors, sorted(concrete.structured_outputs), strict=True))
    return frozen.graph.as_graph_def(), names


def renamed(outputs, inputs):
    """The outputs; one that has the name of an input is called `new_...`."""
    return {f"new_{name}" if name in inputs else name: each for name, each in outputs.items()}


def _tf2onnx():
    try:
        import tf2onnx
    except ImportError as error:
        need = "exporting to ONNX needs tf2onnx"
        raise CaptionerError(needs_extra(need, "export", error)) from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    return tf2onnx.convert
