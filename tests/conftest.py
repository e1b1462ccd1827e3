import os
import resource
import shutil
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from PIL import Image

# What takes longest, begun first: else one process ends with it, and the other has nothing to do.
LONGEST = ("test_distribution", "test_notebooks", "test_jax_steps", "test_self_critical",
           "test_run", "test_project", "test_killed_runs", "test_resuming", "test_imagined",
           "test_recipes", "test_docs", "test_ray_captioning", "test_ray_actors", "test_sources",
           "test_presets", "test_decoder", "test_lite_captioner", "test_labeller")  # fmt: skip


def pytest_collection_modifyitems(items):
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(LONGEST)))


@pytest.fixture(autouse=True, scope="session")
def small_mobilenet():
    """A stand-in for MobileNetV2, with its shapes and a layer of its names.

    A hundred tests make one, for what comes before and after it; the real one would take most of
    their time. `real_mobilenet` gives it back.
    """
    import keras

    with pytest.MonkeyPatch.context() as patch:
        real = keras.applications.MobileNetV2
        patch.setattr(keras.applications, "MobileNetV2", make_small_mobilenet)
        yield real


def make_small_mobilenet(include_top, weights, input_shape):
    import keras

    layers = keras.layers
    pixels = keras.Input(input_shape)
    values = layers.Conv2D(16, 8, strides=8, use_bias=False, name="Conv1")(pixels)
    values = layers.ReLU(6.0)(layers.BatchNormalization(name="bn_Conv1")(values))
    values = layers.DepthwiseConv2D(2, strides=2, name="block_16_depthwise")(values)
    values = layers.Conv2D(1280, 2, strides=2, name="block_16_project")(values)
    values = layers.BatchNormalization(name="block_16_project_BN")(values)
    return keras.Model(pixels, layers.ReLU(6.0)(values))


@pytest.fixture
def real_mobilenet(small_mobilenet, monkeypatch):
    """MobileNetV2 itself."""
    import keras

    monkeypatch.setattr(keras.applications, "MobileNetV2", small_mobilenet)


@pytest.fixture
def real_captioner(real_mobilenet):
    """`tiny_captioner` with MobileNetV2 itself, to be opened in a process of its own."""
    return make_captioner()


@pytest.fixture(scope="session")
def tiny_captioner(small_mobilenet):
    """An untrained captioner, small enough to be made at once."""
    return make_captioner()


def make_captioner():
    import keras

    from captioner import Captioner, Decoder, Encoder, Vocabulary

    keras.utils.set_random_seed(0)
    words = ["a", "dog", "cat", "runs", "été", "on", "grass"]
    vocabulary = Vocabulary(words, repeatable={"a": 3, "on": 1})
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(len(vocabulary), encoder.channels, units=8, embedding=6, image_units=5)
    return Captioner(encoder, decoder, vocabulary)


@pytest.fixture(scope="session")
def attentive(small_mobilenet):
    """An untrained captioner that looks at 2 x 2 regions."""
    import keras

    from captioner import Captioner, Decoder, Encoder, Vocabulary

    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary(["a", "dog", "cat", "runs", "on", "grass"])
    encoder = Encoder("mobilenet_v2", size=64)
    decoder = Decoder(
        len(vocabulary), encoder.channels, units=8, embedding=6, image_units=5,
        attention="additive", attention_units=4, attention_penalty=0.5,
    )  # fmt: skip
    return Captioner(encoder, decoder, vocabulary)


@pytest.fixture
def model(tiny_captioner, tmp_path):
    """The file of `tiny_captioner`."""
    path = tmp_path / "model.keras"
    tiny_captioner.save(path)
    return str(path)


@pytest.fixture
def photos(tmp_path):
    """A folder with three small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.jpg", "green"), ("c.webp", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def browser():
    """A real browser without a window: Chromium, where it is installed with its driver."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (program and driver):
        absent = pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip
        absent("no Chromium with its driver on this machine")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                 "disable-background-networking", "disable-component-update", "disable-sync",
                 "window-size=1000,800"):  # fmt: skip
        options.add_argument(f"--{flag}")
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


class SmallDisk:
    """Within it no file may grow beyond some bytes, as on a disk that is full."""

    def __init__(self, bytes_left):
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.bytes_left = bytes_left

    def __enter__(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.bytes_left, self.limits[1]))

    def __exit__(self, *error):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)


def until(condition, seconds=20):
    """Waits for what a browser or another process does in its own time."""
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline
        time.sleep(0.05)
