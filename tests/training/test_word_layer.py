"""The words of a picture, predicted from the CNN's vector while the CNN learns."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from captioner import Captioner, Decoder, Encoder, TrainConfig, Vocabulary
from captioner.training import word_layer
from captioner.training.batches import EncodedCaptions
from captioner.training.distribution import OneDevice
from captioner.training.stages import PixelStage
from captioner.training.steps import CompiledSteps
from captioner.training.teacher_forcing import TeacherForcing
from captioner.training.word_layer import WordLayer, frequent_words, word_shares
from tests.layers import run_layer_test

CAPTIONS = [["a red dog", "a dog a dog"], ["red cat", "a zebra", "cat"], ["zebra"]]
VOCABULARY = Vocabulary(["cat", "dog", "red", "a", "boat"])  # not by how often they come


@pytest.fixture
def captions():
    return EncodedCaptions(CAPTIONS, VOCABULARY, max_length=8)


@pytest.mark.parametrize(
    ("most", "wanted"), [(1, "a"), (2, "dog a"), (4, "cat dog red a"), (9, "cat dog red a")]
)
def test_the_most_frequent_words(captions, most, wanted):
    """Whatever their ids are, and no more than there are."""
    words = frequent_words(captions, most)
    assert list(words) == [VOCABULARY.id(word) for word in wanted.split()]


def test_shares_are_of_captions(captions):
    words = frequent_words(captions, 4)
    shares = word_shares(captions, 4, words)
    # Of cat, dog, red, a; a word said twice counts once; the fourth picture has no caption.
    wanted = [[0, 1, 0.5, 1], [2 / 3, 0, 1 / 3, 1 / 3], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert shares.dtype == np.float16
    np.testing.assert_allclose(shares, wanted, atol=1e-3)
    np.testing.assert_array_equal(word_shares(captions, 4, words[2:]), shares[:, 2:])


def entropy(usual):
    return -(usual * np.log(usual) + (1 - usual) * np.log(1 - usual)).sum()


@pytest.mark.parametrize("regions", [(), (3,)])
def test_it_starts_with_what_is_true_of_all_pictures(regions):
    rng = np.random.default_rng(0)
    shares = rng.random((6, 5)).astype("float32")
    shares /= 2 * shares.mean(axis=0) / [0.9, 0.5, 0.3, 0.1, 0.01]
    usual = shares.mean(axis=0)
    layer = WordLayer(usual, weight=0.25)
    image = rng.normal(size=(6, *regions, 8)).astype("float32")
    logits = layer(image)
    np.testing.assert_allclose(ops.sigmoid(logits), np.tile(usual, (6, 1)), atol=1e-5)
    found = float(layer.loss(shares, logits))
    assert found == pytest.approx(0.25 * entropy(usual), rel=1e-4)
    # Rows that fill up a batch which is not full do not count.
    filled, more = np.concatenate([shares, np.zeros((2, 5), "float32")]), np.tile(logits, (2, 1))
    assert float(layer.loss(filled, more[:8])) == pytest.approx(found, rel=1e-5)
    assert float(layer.loss(0 * shares, logits)) == 0


def test_on_replicas_the_mean_of_the_losses_is_that_of_the_batch(monkeypatch):
    """Even where a batch has less than a picture for each: one of two replicas has the only one."""
    layer = WordLayer(np.array([0.5, 0.1]), weight=1.0)
    shares = np.array([[1.0, 0.0], [0.0, 0.0]], "float32")
    logits = layer(np.ones((2, 4), "float32"))
    alone = float(layer.loss(shares, logits))
    monkeypatch.setattr(word_layer, "mean_over_replicas", lambda count: 0 * count + 0.5)
    replicas = [float(layer.loss(shares[n : n + 1], logits[n : n + 1])) for n in range(2)]
    assert np.mean(replicas) == pytest.approx(alone, rel=1e-5)
    assert replicas[1] == 0


def test_words_that_all_or_none_have_are_no_trouble():
    layer = WordLayer(np.array([0.0, 1.0]), weight=1.0)
    logits = layer(np.ones((1, 4), "float32"))
    assert float(layer.loss(np.array([[0.0, 1.0]], "float32"), logits)) < 1e-3


def learner(layer):
    keras.utils.set_random_seed(0)
    decoder = Decoder(len(VOCABULARY), 1280, units=8, embedding=6, image_units=8)
    captioner = Captioner(Encoder("mobilenet_v2", size=32), decoder, VOCABULARY)
    captioner.encoder.unfreeze_from("block_16_project")
    return TeacherForcing(captioner, word_layer=layer)


def an_example(count=8):
    """Pictures of two kinds, their captions' words, and the shares of these."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 100, (count, 32, 32, 3)).astype("float32")
    pixels[::2, :, :16] += 150
    shares = np.tile([[1, 0, 0.5], [0, 1, 0.5]], (count // 2, 1)).astype("float32")
    words = np.tile([[1, 4, 0], [1, 5, 6]], (count // 2, 1))
    inputs = {"pixels": pixels, "words": words, "word_shares": shares}
    return inputs, np.tile([[4, 2, 0], [5, 6, 2]], (count // 2, 1))


def test_at_first_it_does_not_move_the_cnn():
    """The CNN's gradients are those of the captions alone."""
    import tensorflow as tf

    inputs, targets = an_example()
    layer = WordLayer(inputs["word_shares"].mean(axis=0), weight=1.0)
    layer.build((None, 1280))
    found = []
    for model in (learner(None), learner(layer)):
        with tf.GradientTape() as tape:
            output = model(inputs, training=True)
            loss = model.compute_loss(inputs, targets, output)
        variables = model.captioner.encoder.trainable_variables
        found.append([np.array(each) for each in tape.gradient(loss, variables)])
    for alone, beside in zip(*found, strict=True):
        np.testing.assert_allclose(alone, beside, atol=1e-6)
        assert np.abs(alone).max() > 1e-4


def test_it_learns_which_words_belong_to_a_picture():
    inputs, targets = an_example()
    usual = inputs["word_shares"].mean(axis=0)
    layer = WordLayer(usual, weight=1.0)
    layer.build((None, 1280))
    model = learner(layer)
    model.compile(optimizer=keras.optimizers.Adam(0.003), jit_compile=False)
    steps = CompiledSteps(model)

    def loss_of_words():
        logits = model(inputs, training=True)["word_logits"]
        return float(layer.loss(inputs["word_shares"], logits))

    assert loss_of_words() == pytest.approx(entropy(usual), rel=1e-4)
    for _ in range(40):
        steps.train(inputs, targets)
    # The third word is said by half of the people of either kind: no one can know more.
    assert np.log(2) - 1e-3 < loss_of_words() < 1.2 * np.log(2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"word_targets": 1000}, 4),  # more than there are
        ({"word_targets": 2}, 2),
        ({"word_targets": 0}, None),
        ({"word_weight": 0}, None),
    ],
)
def test_what_the_settings_ask_for(captions, settings, words):
    captioner = learner(None).captioner
    config = TrainConfig(fine_tune_from="block_16_project", **settings)
    data = SimpleNamespace(captions=captions, training=CAPTIONS, captions_a_picture=3)
    stage = PixelStage(config, captioner, data, OneDevice(), print, progress=False)
    stage.prepare(own_cache=None)
    layer = stage.model.word_layer
    assert (layer and layer.logits.units) == words
    asked = {id(variable) for variable in stage.model.variables}
    assert layer is None or {id(variable) for variable in layer.variables} <= asked


@pytest.mark.parametrize("regions", [(), (3,)])
def test_as_a_layer(regions):
    """It is in no file: a captioner does not have it."""
    image = np.random.default_rng(0).normal(size=(6, *regions, 8)).astype("float32")
    settings = {"usual": np.array([0.9, 0.5, 0.1]), "weight": 0.25}
    run_layer_test(WordLayer, settings, [image], (6, 3), is_saved=False)
