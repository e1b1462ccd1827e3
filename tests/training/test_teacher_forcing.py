"""Teacher forcing: the loss of the next word, and words that the model gives itself."""

import numpy as np
import pytest

from captioner import Captioner
from captioner.decoder import Decoder
from captioner.packing import CAN_PACK, Packing
from captioner.training.teacher_forcing import TeacherForcing, word_loss
from captioner.vocabulary import START
from tests.training.conftest import an_example

rng = np.random.default_rng(0)


def test_loss_is_the_mean_over_real_words():
    logits = rng.normal(size=(2, 3, 5)).astype("float32")
    targets = np.array([[4, 2, 0], [3, 0, 0]])
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -(log_probs[0, 0, 4] + log_probs[0, 1, 2] + log_probs[1, 0, 3]) / 3
    np.testing.assert_allclose(word_loss(targets, logits), wanted, rtol=1e-5)
    everywhere = -(log_probs[0, 0] + log_probs[0, 1] + log_probs[1, 0]).mean() / 3
    smoothed = word_loss(targets, logits, label_smoothing=0.2)
    np.testing.assert_allclose(smoothed, 0.8 * wanted + 0.2 * everywhere, rtol=1e-5)


@pytest.mark.skipif(not CAN_PACK, reason="this backend needs to know every size")
def test_loss_of_packed_logits_is_the_same():
    logits = rng.normal(size=(3, 4, 5)).astype("float32")
    targets, weights = np.array([[4, 2, 0, 0], [0] * 4, [3, 3, 3, 2]]), np.array([0.5, 2, -1.0])
    packed = Packing(targets != 0).pack(logits)
    for settings in ({}, {"label_smoothing": 0.2, "weights": weights.astype("float32")}):
        found = word_loss(targets, packed, **settings)
        np.testing.assert_allclose(found, word_loss(targets, logits, **settings), rtol=1e-5)


def test_penalties_and_smoothing_are_of_training_only(tiny_captioner):
    decoder = Decoder(11, tiny_captioner.encoder.channels, units=8, embedding=6, l2=0.1)
    captioner = Captioner(tiny_captioner.encoder, decoder, tiny_captioner.vocabulary)
    model = TeacherForcing(captioner, label_smoothing=0.2)
    words = np.array([[1, 4, 5]])
    targets = np.array([[4, 5, 2]])
    image = rng.normal(size=(1, decoder.image_features)).astype("float32")
    output = model({"words": words, "image": image}, training=True)
    logits = output["logits"]
    penalty = float(sum(model.losses))
    assert penalty > 0.1
    found = model.compute_loss(y=targets, y_pred=output, training=True)
    smoothed = word_loss(targets, logits, 0.2)
    np.testing.assert_allclose(found, smoothed + penalty, rtol=1e-5)
    found = model.compute_loss(y=targets, y_pred=logits, training=False)
    np.testing.assert_allclose(found, word_loss(targets, logits), rtol=1e-5)


def test_scheduled_sampling_replaces_a_share_of_the_words(tiny_captioner):
    model = TeacherForcing(tiny_captioner, scheduled_sampling=0.8, seed=1)
    words = np.full((64, 12), 4, "int32")
    words[:, 0], words[:, 9:] = START, 0
    image = rng.normal(size=(64, *tiny_captioner.image_shape)).astype("float32")
    model.set_sampling(0.0)
    np.testing.assert_array_equal(model._partly_sampled(words, image), words)
    model.set_sampling(0.5)
    mixed = np.asarray(model._partly_sampled(words, image))
    np.testing.assert_array_equal(mixed[:, [0, 9, 10, 11]], words[:, [0, 9, 10, 11]])
    # Of 0.4 drawn anew, the words being about equally likely, one in eight is what it was: 0.35.
    assert (mixed[:, 1:9] != 4).mean() == pytest.approx(0.35, abs=0.06)
    assert not np.isin(mixed[:, 1:9], [0, START, 3]).any()


def test_scheduled_sampling_draws_without_dropout(tiny_captioner):
    encoder, vocabulary = tiny_captioner.encoder, tiny_captioner.vocabulary
    settings = {"units": 8, "embedding": 6, "attention": "additive", "attention_penalty": 1.0}
    decoder = Decoder(len(vocabulary), encoder.channels, **settings, dropout=0.9)
    captioner = Captioner(encoder, decoder, vocabulary)
    inputs, _ = an_example(captioner)
    model = TeacherForcing(captioner, scheduled_sampling=0.5, seed=0)
    asked = []  # how the decoder is called

    def call(*arguments, call=decoder.call, **settings):
        asked.append(settings["training"])
        return call(*arguments, **settings)

    decoder.call = call
    model(inputs, training=True)
    assert asked == [False, True]


def test_scheduled_sampling_acts_in_training_only(tiny_captioner):
    model = TeacherForcing(tiny_captioner, scheduled_sampling=0.9, seed=1)
    model.set_sampling(1.0)
    inputs, targets = an_example(tiny_captioner, 16, 8)
    plain = np.asarray(model(inputs))
    np.testing.assert_array_equal(plain, tiny_captioner.decoder(inputs["words"], inputs["image"]))
    sampled = word_loss(targets, model(inputs, training=True)["logits"])
    assert abs(float(sampled - word_loss(targets, plain))) > 1e-5


def test_no_gradient_reaches_a_frozen_encoder(tiny_captioner):
    tiny_captioner.encoder.freeze()
    model = TeacherForcing(tiny_captioner)
    assert {v.path for v in model.trainable_variables} == {
        v.path for v in tiny_captioner.decoder.trainable_variables
    }
