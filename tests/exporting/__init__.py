"""What the tests of all exports share: a small model, and its numbers against those of a form."""

import numpy as np

from captioner import Captioner, Decoder, Encoder, Vocabulary
from captioner.exporting.formats import export
from captioner.images import read_image
from tests.hostile import photo

WORDS = ["a", "dog", "runs", "été", "犬"]
KINDS = [
    (cell, layers, attention)
    for cell, layers in (("rnn", 1), ("lstm", 2), ("gru", 1))
    for attention in ("none", "additive")
]


def make_model(cell="lstm", attention="none", layers=1):
    encoder = Encoder("mobilenet_v2", size=64)
    sizes = {"units": 8, "embedding": 6, "attention_units": 5, "image_units": 7, "layers": layers}
    decoder = Decoder(9, encoder.channels, cell=cell, attention=attention, **sizes)
    return Captioner(encoder, decoder, Vocabulary(WORDS), {"max_length": 6})


def check_the_same_numbers(folder, format, open_networks, cell, layers, attention):
    """Exports a model, and runs its three networks step by step beside those of Keras.

    Args:
        folder: str or Path. Where to export.
        format: str.
        open_networks: callable. Given the folder, a function `run(name, arrays)` to a dict of
            arrays; what of it begins with `new_` is carried to the next step.
        cell, layers, attention: of the model.
    """
    model = make_model(cell, attention, layers)
    export(model, folder, storage="float32", format=format)
    run = open_networks(folder)
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
