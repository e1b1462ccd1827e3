"""Exports for LiteRT: the numbers of Keras, and how weights lie on disk."""

import os

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from captioner import CaptionerError, load
from captioner.exporting import litert
from captioner.exporting.formats import export
from captioner.lite_captioner import checksum_of
from tests.exporting import check_the_same_numbers


def litert_runner(folder):
    def run(name, arrays):
        network = Interpreter(f"{folder}/{name}.tflite").get_signature_runner()
        if name == "encode":
            images = [network(pixels=each[None])["image"] for each in arrays["pixels"]]
            return {"image": np.concatenate(images)}
        found = network(**arrays)
        # Here outputs may be called like inputs.
        return {f"new_{key}" if key in arrays else key: each for key, each in found.items()}

    return run


def test_the_same_numbers(tmp_path):
    """Of other cells too, see tests/test_lite_captioner.py."""
    check_the_same_numbers(tmp_path / "out", "litert", litert_runner, "lstm", 2, "additive")


def test_the_cnn_takes_one_picture_and_the_decoder_any_number(tiny_captioner, tmp_path):
    export(tiny_captioner, tmp_path / "out")
    rows = {}
    for name in ("encode", "start", "step"):
        inputs = Interpreter(str(tmp_path / "out" / f"{name}.tflite")).get_input_details()
        rows[name] = {int(each["shape_signature"][0]) for each in inputs}
    assert rows == {"encode": {1}, "start": {-1}, "step": {-1}}


@pytest.mark.long
def test_storages_are_smaller_and_smaller_and_say_nearly_the_same(tiny_captioner, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)
    wanted = tiny_captioner.encode(pixels)
    sizes = {}
    for storage in ("float16", "float32", "int8"):
        export(tiny_captioner, tmp_path / storage, storage)
        sizes[storage] = os.path.getsize(tmp_path / storage / "encode.tflite")
        found = load(tmp_path / storage).encode(pixels)
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.7 * sizes["float16"]


def test_in_bytes_is_the_cnn_only(tiny_captioner, tmp_path):
    checksums = {}
    for storage in ("float16", "int8"):
        export(tiny_captioner, tmp_path / storage, storage)
        checksums[storage] = {
            name: checksum_of(tmp_path / storage / f"{name}.tflite")
            for name in ("encode", "start", "step")
        }
    assert checksums["int8"]["encode"] != checksums["float16"]["encode"]
    for name in ("start", "step"):
        assert checksums["int8"][name] == checksums["float16"][name]


def test_what_cannot_be_converted_is_reported_in_one_line(tiny_captioner, tmp_path):
    def function(words):
        return {"words": tf.strings.upper(tf.strings.as_string(words))}  # LiteRT has no such thing

    functions = {"step": (function, {"words": tf.TensorSpec((None,), "int32", name="words")})}
    line = r"^the model cannot be converted for LiteRT \("
    with pytest.raises(CaptionerError, match=line) as caught:
        litert.write(functions, tiny_captioner, str(tmp_path), "float32")
    assert str(caught.value).isprintable()
    assert os.listdir(tmp_path) == []
