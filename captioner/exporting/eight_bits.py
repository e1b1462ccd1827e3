"""A network's convolutions in bytes: faster on processors that multiply bytes.

Their weights become bytes, with a scale for each output channel. LiteRT converts their inputs to
bytes as it runs, so no pictures are needed to find ranges. TensorFlow's own form of this
(`tf.lite.Optimize.DEFAULT`) also converts the following, which stay in floats here because in bytes
they are slower or change the features most (docs/experiments.md):

- depthwise convolutions: XNNPACK has no kernel for those with bytes of this kind, and the one that
  runs instead is slow;
- the trunk, which is every convolution that no residual connection leads around: its error is not
  diluted by what such a connection carries (a CNN without them is converted whole);
- convolutions of a single place, such as squeeze and excitation: there is no time to be saved.
"""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

MOST = 127  # of a weight, so that zero is in the middle


def in_bytes(content):
    """The network with its convolutions in bytes, where that pays.

    Args:
        content: bytes. A .tflite file whose weights are stored as float16.

    Returns:
        bytes. A .tflite file with the same inputs and outputs.

    Example:
    >>> with open("captioner/presets/everyday.litert/encode.tflite", "rb") as file:
    ...     content = file.read()
    >>> len(in_bytes(content)) < 0.7 * len(content)
    True
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    [graph] = model.subgraphs
    makers = {int(output): each for each in graph.operators for output in each.outputs}
    large = [each for each in graph.operators if _is_large(model, each)]
    branches = [each for each in large if not _is_trunk(model, each)]
    for operator in branches or large:
        image, weights, bias = (int(each) for each in operator.inputs)
        weights, scale = _rounded(_floats(model, makers, weights))
        bias = _floats(model, makers, bias)
        constants = _add_constant(model, weights, scale), _add_constant(model, bias)
        operator.inputs = [image, *constants]
    _drop_unused(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _kind(model, operator):
    return model.operatorCodes[operator.opcodeIndex].builtinCode


def _is_large(model, operator):
    """Whether it is a convolution of more than one place; depthwise ones are another operator."""
    if _kind(model, operator) != schema.BuiltinOperator.CONV_2D:
        return False
    _, height, width, _ = model.subgraphs[0].tensors[operator.inputs[0]].shape
    return height * width > 1


def _is_trunk(model, removed):
    """Whether nothing of the input reaches the output without this operator."""
    [graph] = model.subgraphs
    reached = {int(each) for each in graph.inputs}
    for operator in graph.operators:  # each comes after those that make its inputs
        only_shape = _kind(model, operator) == schema.BuiltinOperator.SHAPE
        if operator is removed or only_shape:
            continue
        if reached & {int(each) for each in operator.inputs}:
            reached |= {int(each) for each in operator.outputs}
    return not reached & {int(each) for each in graph.outputs}


def _floats(model, makers, index):
    """The constant values of a tensor, which may be converted from float16 as the network runs."""
    index = makers[index].inputs[0] if index in makers else index
    tensor = model.subgraphs[0].tensors[index]
    kind = np.float16 if tensor.type == schema.TensorType.FLOAT16 else np.float32
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), kind)
    return values.reshape(tensor.shape).astype(np.float32)


def _rounded(weights):
    """Weights (outputs, height, width, inputs) as bytes, and a scale for each output."""
    most = np.abs(weights).max(axis=(1, 2, 3))
    scale = np.maximum(most, np.finfo(np.float32).tiny) / MOST
    return np.rint(weights / scale[:, None, None, None]).astype(np.int8), scale


def _add_constant(model, values, scale=None):
    """A new constant tensor's index; with scales it is one of bytes."""
    tensors = model.subgraphs[0].tensors
    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.name, tensor.buffer = f"constant_{len(tensors)}", len(model.buffers) - 1
    tensor.shape, tensor.hasRank = list(values.shape), True
    tensor.type = schema.TensorType.FLOAT32
    if scale is not None:
        tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
        tensor.quantization.scale = scale
        tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
    tensors.append(tensor)
    return len(tensors) - 1


def _drop_unused(model):
    """Removes what made floats of weights that are bytes now, and those weights."""
    [graph] = model.subgraphs
    used = {int(k) for each in graph.operators for k in each.inputs}
    used |= {int(k) for k in graph.outputs}
    graph.operators = [each for each in graph.operators if used & {int(k) for k in each.outputs}]
    used = {int(k) for each in graph.operators for k in [*each.inputs, *each.outputs]}
    buffers = {graph.tensors[k].buffer for k in used if k >= 0}
    for tensor in graph.tensors:
        if tensor.buffer not in buffers:
            model.buffers[tensor.buffer].data = None
