"""A network with its convolutions in bytes: which, how exact, and how large."""

import types

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from captioner.exporting import litert
from captioner.exporting.eight_bits import in_bytes

WEIGHTS = {  # height, width, inputs, outputs
    "trunk": (3, 3, 3, 16),
    "branch": (5, 5, 16, 16),
    "depthwise": (3, 3, 16, 1),
    "gate": (1, 1, 16, 16),
    "another branch": (1, 1, 16, 32),
    "and back": (1, 1, 32, 16),
}


def network(pixels):
    rng = np.random.default_rng(0)
    weights = {k: tf.constant(rng.normal(size=v), "float32") / 9 for k, v in WEIGHTS.items()}
    weights["branch"] *= np.geomspace(0.01, 1, 16, dtype="float32")  # a scale for each is needed

    def convolved(x, name):
        return tf.nn.conv2d(x, weights[name], 1, "SAME") + 0.1

    x = convolved(tf.cast(pixels, "float32") / 128 - 1, "trunk")
    x += convolved(x, "branch")
    x += tf.nn.depthwise_conv2d(x, weights["depthwise"], [1, 1, 1, 1], "SAME")
    x *= tf.sigmoid(convolved(tf.reduce_mean(x, [1, 2], keepdims=True), "gate"))
    x += convolved(tf.nn.silu(convolved(x, "another branch")), "and back")
    return {"image": x}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    signature = {"pixels": tf.TensorSpec((None, 12, 12, 3), "uint8", name="pixels")}
    without_weights = types.SimpleNamespace(variables=[])
    found = {}
    for storage in ("float16", "int8"):
        found[storage] = tmp_path_factory.mktemp(storage)
        functions = {"encode": (network, signature), "start": (network, signature)}
        litert.write(functions, without_weights, str(found[storage]), storage)
    return found


def weights_in_bytes(path):
    details = Interpreter(str(path)).get_tensor_details()
    return sorted(tuple(each["shape"]) for each in details if each["dtype"] is np.int8)


def test_branches_are_in_bytes_and_nothing_else_is(folders):
    # Weights lie as (outputs, height, width, inputs).
    branches = [(16, 1, 1, 32), (16, 5, 5, 16), (32, 1, 1, 16)]
    assert weights_in_bytes(folders["int8"] / "encode.tflite") == branches
    assert weights_in_bytes(folders["int8"] / "start.tflite") == []


def test_the_numbers_are_nearly_the_same(folders):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 12, 12, 3), np.uint8)
    exact, found = (
        Interpreter(str(folders[each] / "encode.tflite")).get_signature_runner()(pixels=pixels)
        for each in ("float16", "int8")
    )
    exact, found = exact["image"], found["image"]
    assert found.shape == exact.shape == (3, 12, 12, 16)
    assert 0 < np.linalg.norm(found - exact) < 0.02 * np.linalg.norm(exact)


def test_the_floats_are_not_stored_too(folders):
    content = (folders["float16"] / "encode.tflite").read_bytes()
    halved = sum(np.prod(WEIGHTS[k]) for k in ("branch", "another branch", "and back"))
    saved = len(content) - len(in_bytes(content))
    assert saved == pytest.approx(halved, rel=0.2)  # scales and biases grow a little
