"""Exports for ONNX: the numbers of Keras, by onnxruntime."""

import sys

import numpy as np
import onnxruntime
import pytest

from captioner import Captioner, CaptionerError, Decoder, Encoder, Vocabulary
from captioner.exporting.formats import export
from captioner.exporting.onnx import renamed
from captioner.images import read_image
from tests.exporting import KINDS, WORDS, check_the_same_numbers
from tests.hostile import photo


def onnx_runner(folder):
    sessions = {
        name: onnxruntime.InferenceSession(f"{folder}/{name}.onnx")
        for name in ("encode", "start", "step")
    }

    def run(name, arrays):
        names = [output.name for output in sessions[name].get_outputs()]
        return dict(zip(names, sessions[name].run(names, arrays), strict=True))

    return run


@pytest.mark.long
@pytest.mark.parametrize(("cell", "layers", "attention"), KINDS)
def test_the_same_numbers(tmp_path, cell, layers, attention):
    check_the_same_numbers(tmp_path / "out", "onnx", onnx_runner, cell, layers, attention)


def test_outputs_are_not_called_like_inputs():
    assert renamed({"state_0": 1, "log_probs": 2}, ["words", "state_0"]) == {
        "new_state_0": 1,
        "log_probs": 2,
    }


@pytest.mark.long
def test_the_cnn_of_the_shipped_model(tmp_path):
    """It has constants that are no weights."""
    encoder = Encoder("efficientnet_v2_b0", size=32)
    decoder = Decoder(9, encoder.channels, units=8, embedding=6)
    model = Captioner(encoder, decoder, Vocabulary(WORDS))
    export(model, tmp_path / "out", format="onnx")
    pixels = read_image(photo(), (32, 32))[None]
    image = model.encode(pixels)
    found = onnx_runner(tmp_path / "out")("encode", {"pixels": pixels})["image"]
    np.testing.assert_allclose(found, image, atol=1e-4 * np.abs(image).max())


def test_without_the_package_it_says_what_to_install(tmp_path, tiny_captioner, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(CaptionerError, match=r"pip install '\.\[export\]'"):
        export(tiny_captioner, tmp_path / "out", format="onnx")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_converted_is_reported_in_one_line(tmp_path, tiny_captioner, monkeypatch):
    import tf2onnx

    def refuse(*arguments, **settings):
        raise ValueError("no such operation\nand a long trace")

    monkeypatch.setattr(tf2onnx.convert, "from_graph_def", refuse)
    line = r"^the model cannot be converted for ONNX \(no such operation\)$"
    with pytest.raises(CaptionerError, match=line):
        export(tiny_captioner, tmp_path / "out", format="onnx")
    assert list(tmp_path.iterdir()) == []
