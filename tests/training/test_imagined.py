"""Pictures imagined from captions: the fit, the noise, the batches, and that they teach."""

import keras
import numpy as np
import pytest

from captioner import Captioner, Decoder, Vocabulary
from captioner.training import imagined
from captioner.training.batches import EncodedCaptions
from captioner.training.imagined import RIDGE, ImaginedBatches, ImaginedPictures
from captioner.training.steps import CompiledSteps
from captioner.training.teacher_forcing import TeacherForcing, word_loss
from captioner.vocabulary import UNKNOWN

WORDS = ["a", "red", "blue", "dog", "cat", "runs"]


def some_captions(rng, pictures=40):
    """Captions of all lengths, one to three of each picture; "zebra" is not in the vocabulary."""
    words = [*WORDS, "a", "zebra"]
    return [[" ".join(rng.choice(words, rng.integers(1, 7))) for _ in range(1 + number % 3)]
            for number in range(pictures)]  # fmt: skip


def encoded(captions, vocabulary=None):
    return EncodedCaptions(captions, vocabulary or Vocabulary(WORDS), max_length=8)


@pytest.mark.parametrize("regions", [(), (4,)])
def test_the_fit_is_that_of_least_squares(monkeypatch, regions):
    """However many captions and pictures are taken at once."""
    monkeypatch.setattr(imagined, "CAPTIONS_AT_ONCE", 7)
    monkeypatch.setattr(imagined, "PICTURES_AT_ONCE", 9)
    rng = np.random.default_rng(0)
    captions = encoded(some_captions(rng))
    features = rng.normal(size=(40, *regions, 5)).astype("float32")
    pictures = features.mean(axis=1) if regions else features
    words = captions.matrix(range(len(captions)), len(captions), 8)[0]
    counts = np.array([[(row == word).sum() for word in range(10)] for row in words], float)
    counts[:, : UNKNOWN + 1] = 0
    mean = pictures.mean(axis=0)
    missing = pictures[captions.pictures] - mean
    rows = np.concatenate([counts, np.sqrt(RIDGE) * np.eye(10)])
    wanted = np.linalg.lstsq(rows, np.concatenate([missing, np.zeros((10, 5))]), rcond=None)[0]

    found = ImaginedPictures(captions, features, 10, noise=0.0).expected(words)
    np.testing.assert_allclose(found, mean + counts @ wanted, atol=1e-5)
    assert np.abs(found - mean).max() > 0.1


def pictures_of(rng, count, scene, size=6, noise=0.3):
    """Vectors of pictures of a scene, each with noise of its own."""
    return scene + noise * rng.normal(size=(count, size)).astype("float32")


def test_a_word_is_imagined_as_the_mean_of_its_pictures():
    rng = np.random.default_rng(0)
    dog, cat = rng.normal(size=(2, 6)).astype("float32")
    features = np.concatenate([pictures_of(rng, 3000, each) for each in (dog, cat)])
    captions = encoded([["dog runs"]] * 3000 + [["cat runs"]] * 3000)
    found = ImaginedPictures(captions, features, 10, noise=0.0)
    words = encoded([["dog"], ["cat"], ["runs"], ["zebra"]]).matrix(range(4), 4, 3)[0]
    wanted = [features[:3000].mean(axis=0), features[3000:].mean(axis=0)]
    wanted += [features.mean(axis=0)] * 2  # of no word that tells them apart
    np.testing.assert_allclose(found.expected(words), wanted, atol=0.02)


def test_noise_is_as_real_pictures_differ():
    rng = np.random.default_rng(0)
    spread = np.diag([1.0, 0.5, 0.1, 0, 0, 0]) @ rng.normal(size=(6, 6))
    features = (rng.normal(size=(2000, 6)) @ spread).astype("float32")
    captions = encoded([[WORDS[number % 6]] for number in range(2000)])
    words = np.tile(captions.matrix([3], 1, 2)[0], (4000, 1))
    plain = ImaginedPictures(captions, features, 10, noise=0.0)
    first, again = plain(words, rng), plain(words, rng)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, plain.expected(words))

    wanted = np.cov(features.T)  # the captions say nothing of the pictures
    for noise in (0.5, 1.0):
        noisy = ImaginedPictures(captions, features, 10, noise)(words, rng)
        np.testing.assert_allclose(noisy.mean(axis=0), first[0], atol=0.1)
        np.testing.assert_allclose(np.cov(noisy.T), noise**2 * wanted, atol=0.1 * wanted.max())


@pytest.fixture(scope="module")
def both():
    """Captions of pictures, "a dog ...", captions without, "cat ...", and the imagined pictures."""
    rng = np.random.default_rng(0)
    told = encoded([["a dog"], ["a dog runs"]] * 4)
    text = encoded([["cat" + " runs" * length] for length in range(7) for _ in range(3)])
    features = rng.normal(size=(8, 5)).astype("float32")
    return told, text, ImaginedPictures(told, features, 10, noise=0.5)


@pytest.mark.parametrize(
    ("lengths", "asked", "wanted"),
    [
        ([4, 8], 4, {2, 3, 4}),
        ([4, 8], 8, {5, 6, 7, 8}),  # those of up to 4 words come in batches of 4
        ([], 8, {2, 3, 4, 5, 6, 7, 8}),
        ([4, 8, 12], 12, {2, 3, 4, 5, 6, 7, 8}),  # none is so long
    ],
)
def test_captions_without_pictures_come_where_their_length_does(both, lengths, asked, wanted):
    _, text, pictures = both
    batches = ImaginedBatches(text, pictures, lengths)
    taken = batches.take(200, asked, np.random.default_rng(0))
    assert taken["text_words"].shape == taken["text_targets"].shape == (200, asked)
    assert taken["text_image"].shape == (200, 5)
    assert taken["text_image"].dtype == np.float32
    assert set(np.count_nonzero(taken["text_targets"], axis=1)) == wanted
    vocabulary = Vocabulary(WORDS)
    said = {word for row in taken["text_targets"] for word in vocabulary.decode(row).split()}
    assert said == {"cat", "runs"}  # and no caption of a picture


def test_where_none_is_short_enough_all_are_empty(both):
    _, text, pictures = both
    taken = ImaginedBatches(text, pictures, [1, 4]).take(3, 1, np.random.default_rng(0))
    assert not taken["text_words"].any()
    assert not taken["text_targets"].any()
    assert np.isfinite(taken["text_image"]).all()


def test_an_imagined_picture_has_equal_regions_where_the_decoder_attends(both):
    _, text, pictures = both
    plain, regions = (
        ImaginedBatches(text, pictures, [8], regions).take(6, 8, np.random.default_rng(3))
        for regions in (0, 2)
    )
    assert regions["text_image"].shape == (6, 2, 5)
    for number in range(2):
        np.testing.assert_array_equal(regions["text_image"][:, number], plain["text_image"])
    np.testing.assert_array_equal(regions["text_words"], plain["text_words"])


COLOURS, SHAPES = ("red", "blue", "green", "black"), ("circle", "square", "star", "ring")


def scene(colour, shape):
    return f"a {COLOURS[colour]} {SHAPES[shape]}"


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_text_teaches_what_no_picture_shows(tiny_captioner, seed):
    """Four of sixteen scenes are only in the text: a red circle, a blue square and so on.

    What is said of pictures of these is better with imagined pictures than without the text, and
    than from the same captions with pictures that do not go with them.
    """
    losses = {kind: loss_of_the_unseen(tiny_captioner, seed, kind) for kind in KINDS}
    assert losses["imagined"] < 0.5 * losses["none"]
    assert losses["imagined"] < 0.5 * losses["others'"]


KINDS = ("none", "imagined", "others'")


def loss_of_the_unseen(tiny_captioner, seed, kind):
    """The loss of captions of scenes that no training picture shows."""
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    texts = [scene(colour, shape) for colour in range(4) for shape in range(4)]
    vocabulary = Vocabulary(["a", *COLOURS, *SHAPES])
    size = tiny_captioner.encoder.channels
    looks = rng.normal(size=(8, size)).astype("float32")  # of a colour, and of a shape
    scenes = np.array(
        [looks[colour] + looks[4 + shape] for colour in range(4) for shape in range(4)]
    )
    seen, unseen = [n for n in range(16) if n % 5], [0, 5, 10, 15]
    numbers = np.repeat(seen, 8)
    image = scenes[numbers] + rng.normal(size=(len(numbers), size)).astype("float32")
    captions = encoded([[texts[number]] for number in numbers], vocabulary)
    batches = ImaginedBatches(
        encoded([[text] for text in texts], vocabulary),
        ImaginedPictures(captions, image, len(vocabulary), noise=0.6),
        [4],
    )
    decoder = Decoder(len(vocabulary), size, units=32, embedding=16, image_units=16, seed=seed)
    captioner = Captioner(tiny_captioner.encoder, decoder, vocabulary)
    captioner.encoder.freeze()
    model = TeacherForcing(captioner, text_weight=1.0)
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    steps = CompiledSteps(model)
    words, targets = captions.matrix(range(len(captions)), len(captions), 4)
    for _ in range(60):
        inputs = {"words": words, "image": image}
        if kind != "none":
            inputs |= batches.take(len(words), 4, rng)
        if kind == "others'":
            rng.shuffle(inputs["text_image"])
        steps.train(inputs, targets)
    words, targets = encoded([[texts[n]] for n in unseen], vocabulary).matrix(range(4), 4, 4)
    return float(word_loss(targets, decoder(words, scenes[unseen])))
