"""Exports for ONNX and SavedModel: the numbers of Keras, and captions from a few lines."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from captioner import Captioner, CaptionerError, Decoder, Encoder, Vocabulary, load
from captioner.cli import main
from captioner.exporting.formats import FORMATS, export
from captioner.images import read_image
from tests.hostile import photo

WORDS = ["a", "dog", "runs", "été", "犬"]


def make_model(cell="lstm", attention="none", layers=1):
    encoder = Encoder("mobilenet_v2", size=64)
    sizes = {"units": 8, "embedding": 6, "attention_units": 5, "image_units": 7, "layers": layers}
    decoder = Decoder(9, encoder.channels, cell=cell, attention=attention, **sizes)
    return Captioner(encoder, decoder, Vocabulary(WORDS), {"max_length": 6})


def onnx_runner(folder):
    sessions = {
        name: onnxruntime.InferenceSession(f"{folder}/{name}.onnx")
        for name in ("encode", "start", "step")
    }

    def run(name, arrays):
        names = [output.name for output in sessions[name].get_outputs()]
        return dict(zip(names, sessions[name].run(names, arrays), strict=True))

    return run


def saved_model_runner(folder):
    signatures = tf.saved_model.load(f"{folder}/saved_model").signatures

    def run(name, arrays):
        found = signatures[name](**{key: tf.constant(value) for key, value in arrays.items()})
        return {key: value.numpy() for key, value in found.items()}

    return run


RUNNERS = {"onnx": onnx_runner, "saved_model": saved_model_runner}


@pytest.mark.parametrize("format", RUNNERS)
@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_the_same_numbers(tmp_path, format, cell, layers, attention):
    model = make_model(cell, attention, layers)
    export(model, tmp_path / "out", format=format)
    run = RUNNERS[format](tmp_path / "out")
    pixels = np.stack([read_image(photo((50 + n, 40)), (64, 64)) for n in range(3)])
    image = model.encode(pixels)
    found = run("encode", {"pixels": pixels})["image"]
    np.testing.assert_allclose(found, image, atol=1e-4 * np.abs(image).max())
    context, state = model.start(image)
    carried = run("start", {"image": image})
    words = np.array([1, 1, 1], "int32")
    for _ in range(3):
        log_probs, state = model.step(words, context, state)
        found = run("step", {"words": words, **carried})
        np.testing.assert_allclose(found["log_probs"], log_probs, atol=1e-4)
        carried |= {name[4:]: each for name, each in found.items() if name.startswith("new_")}
        for number, each in enumerate(state):
            np.testing.assert_allclose(carried[f"state_{number}"], each, atol=1e-4)
        words = np.asarray(log_probs)[:, 4:].argmax(axis=1).astype("int32") + 4


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


@pytest.mark.parametrize("format", FORMATS)
def test_the_example_captions_from_it(tmp_path, format):
    model = make_model()
    model.save(tmp_path / "m.keras")
    photo().save(tmp_path / "p.png")
    folder = str(tmp_path / "out")
    command = ["export", "--model", str(tmp_path / "m.keras"), "--out", folder, "--format", format]
    assert main([*command, "--storage", "float32"]) == 0
    program = f"examples/caption_{format}.py"
    done = subprocess.run(
        [sys.executable, program, folder, str(tmp_path / "p.png")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    wanted = model.generate(str(tmp_path / "p.png"), method="greedy", no_repeat_ngram=0)
    # The example puts a space between all words.
    assert done.stdout.split() == wanted.replace("犬", " 犬 ").split()
    with open(program, encoding="utf-8") as file:
        code = file.read().split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 32


def test_other_formats_are_not_run_by_litert(tmp_path, tiny_captioner):
    export(tiny_captioner, tmp_path / "out", format="saved_model")
    with pytest.raises(CaptionerError, match="is exported as saved_model, which examples/ shows"):
        load(tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "pickle"}, "format 'pickle': choose one of litert, onnx, saved_model"),
        ({"format": "onnx", "storage": "float16"}, "storage 'float16': onnx has float32"),
        ({"storage": "int3"}, "storage 'int3': litert has float16, float32, int8"),
    ],
)
def test_wrong_settings(tmp_path, tiny_captioner, settings, message):
    with pytest.raises(CaptionerError, match=message):
        export(tiny_captioner, tmp_path / "out", **settings)


def test_without_the_package_it_says_what_to_install(tmp_path, tiny_captioner, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(CaptionerError, match=r"pip install '\.\[export\]'"):
        export(tiny_captioner, tmp_path / "out", format="onnx")
    assert not (tmp_path / "out").exists()
