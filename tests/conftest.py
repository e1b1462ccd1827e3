import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def tiny_captioner():
    """An untrained captioner, small enough to be made at once."""
    import keras

    from captioner import Captioner, Decoder, Encoder, Vocabulary

    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary(["a", "dog", "cat", "runs", "été", "on", "grass"])
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(len(vocabulary), encoder.channels, units=8, embedding=6, image_units=5)
    return Captioner(encoder, decoder, vocabulary)


@pytest.fixture
def photos(tmp_path):
    """A folder with three small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.jpg", "green"), ("c.webp", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    return folder
