"""The networks of an exported captioner as .tflite files."""

import os

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from captioner.errors import CaptionerError, reason_of
from captioner.exporting.eight_bits import in_bytes
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
        kind = "float16" if storage == "int8" else storage
        signature = _for_one_picture(signature) if name == "encode" else signature
        content = _convert(function, signature, captioner, kind)
        # The decoder is quick as it is, and the search compares its numbers.
        if storage == "int8" and name == "encode":
            content = in_bytes(content)
        if kind == "float16":
            content = _with_table_in_float16(content)
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


def _with_table_in_float16(content):
    """The network with its word vectors looked up first, in a table that stays float16.

    The converter has the whole table converted to float32, although a step needs one vector a row,
    and looks vectors up after the first product. LiteRT then runs the network in two pieces around
    the lookup, with room between them for all weights in float32.

    Args:
        content: bytes. A .tflite file whose weights are stored as float16.

    Returns:
        bytes. One with the same inputs, outputs and numbers.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    [graph] = model.subgraphs
    makers = {int(output): each for each in graph.operators for output in each.outputs}
    conversions = _of_kind(model, schema.BuiltinOperator.DEQUANTIZE)
    first = []
    for lookup in _of_kind(model, schema.BuiltinOperator.GATHER):
        table = int(lookup.inputs[0])
        users = [each for each in graph.operators if table in each.inputs]
        if users == [lookup] and makers.get(table) in conversions:
            _swap(graph, makers[table], lookup)
            first += [*_leading_to(lookup.inputs[1], makers), lookup, makers[table]]
    if not first:
        return content
    graph.operators = first + [each for each in graph.operators if each not in first]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _of_kind(model, kind):
    """The operators of one kind."""
    codes = [each.builtinCode for each in model.operatorCodes]
    return [each for each in model.subgraphs[0].operators if codes[each.opcodeIndex] == kind]


def _swap(graph, conversion, lookup):
    """Converts what was looked up, instead of the table before it is looked up."""
    [table], [between], [vectors] = conversion.inputs, conversion.outputs, lookup.outputs
    found = graph.tensors[between]
    found.type = graph.tensors[table].type
    found.shape = graph.tensors[vectors].shape
    found.shapeSignature = graph.tensors[vectors].shapeSignature
    lookup.inputs[0], lookup.outputs[0] = table, between
    conversion.inputs[0], conversion.outputs[0] = between, vectors


def _leading_to(tensor, makers):
    """The operators that compute a tensor, in their order."""
    maker = makers.get(int(tensor))
    if maker is None:
        return []
    earlier = [each for given in maker.inputs for each in _leading_to(given, makers)]
    return [*dict.fromkeys(earlier), maker]
