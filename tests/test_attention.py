"""Attention: against its equations in NumPy, and inside every cell."""

import numpy as np
import pytest
from keras import ops

from captioner.attention import AdditiveAttention
from captioner.errors import CaptionerError
from captioner.recurrent import UNROLL_LIMIT, ImageRNN
from captioner.training.teacher_forcing import TeacherForcing, unseen, word_loss
from captioner.vocabulary import END, START
from tests.layers import run_layer_test
from tests.test_cells import CELLS, numpy_step

BATCH, TIME, EMBED, REGIONS, FEATURES, UNITS, SIZE = 3, 5, 4, 9, 6, 7, 8
rng = np.random.default_rng(0)


def randomise(layer):
    own = np.random.default_rng(1)
    layer.set_weights([own.normal(size=weight.shape) for weight in layer.get_weights()])


def numpy_attention(attention, hidden, regions):
    """The equations of the docstring, region by region."""
    w_regions, w_hidden, bias, v, w_gate, gate_bias = attention.get_weights()
    scores = np.zeros((BATCH, REGIONS))
    for r in range(REGIONS):
        scores[:, r] = (np.tanh(regions[:, r] @ w_regions + bias + hidden @ w_hidden) @ v)[:, 0]
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    gate = 1 / (1 + np.exp(-(hidden @ w_gate + gate_bias)))
    return gate * np.einsum("br,brf->bf", weights, regions), weights


def make(cell, implementation, **settings):
    layer = ImageRNN(
        UNITS, cell, implementation, attention="additive", attention_units=SIZE, **settings
    )
    layer.build((None, None, EMBED), (None, REGIONS, FEATURES))
    randomise(layer)
    return layer


def example(time=TIME):
    words = rng.normal(size=(BATCH, time, EMBED)).astype("float32")
    regions = rng.normal(size=(BATCH, REGIONS, FEATURES)).astype("float32")
    return words, regions


def test_attention_is_its_equations():
    attention = AdditiveAttention(SIZE)
    attention.build((None, UNITS), (None, REGIONS, FEATURES))
    randomise(attention)
    _, regions = example()
    hidden = rng.normal(size=(BATCH, UNITS)).astype("float32")
    image, weights = attention(hidden, regions, attention.keys(regions))
    wanted_image, wanted_weights = numpy_attention(attention, hidden, regions)
    np.testing.assert_allclose(weights, wanted_weights, atol=1e-5)
    np.testing.assert_allclose(image, wanted_image, atol=1e-5)


@pytest.mark.parametrize("implementation", ["custom", "keras"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_previous_hidden_state_chooses_what_each_step_sees(cell, implementation):
    layer = make(cell, implementation)
    words, regions = example()
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
    output, images, weights = layer(words, regions, mask=mask, return_attention=True)
    states = [np.zeros((BATCH, UNITS)) for _ in layer.state_names]
    for t in range(TIME):
        image, weight = numpy_attention(layer.attention, states[0], regions)
        new = numpy_step(cell, layer.equation_weights(), words[:, t], image, states)
        real = mask[:, t]
        np.testing.assert_allclose(np.asarray(output)[real, t], new[0][real], atol=1e-5)
        np.testing.assert_allclose(np.asarray(images)[real, t], image[real], atol=1e-5)
        np.testing.assert_allclose(np.asarray(weights)[real, t], weight[real], atol=1e-5)
        states = [np.where(real[:, None], n, old) for n, old in zip(new, states, strict=True)]


@pytest.mark.parametrize("cell", CELLS)
def test_long_sequences_and_single_steps_give_the_same(cell):
    custom, theirs = make(cell, "custom"), make(cell, "keras")
    words, regions = example(UNROLL_LIMIT + 5)
    wanted = np.asarray(custom(words, regions))
    np.testing.assert_allclose(theirs(words, regions), wanted, atol=1e-5)
    for layer in (custom, theirs):
        prepared, states = layer.prepare_image(regions), layer.initial_state(BATCH)
        for t in range(4):
            output, states, _ = layer.step(words[:, t], prepared, states)
            np.testing.assert_allclose(output, wanted[:, t], atol=1e-5)
        np.testing.assert_allclose(custom(words[:, :4], regions), wanted[:, :4], atol=1e-5)


@pytest.mark.parametrize("implementation", ["custom", "keras"])
def test_recurrent_dropout_in_training_only(implementation):
    layer = make("lstm", implementation, recurrent_dropout=0.5, seed=1)
    words, regions = example()
    plain = np.asarray(layer(words, regions))
    np.testing.assert_array_equal(plain, layer(words, regions))
    trained = np.asarray(layer(words, regions, training=True))
    np.testing.assert_allclose(trained[:, 0], plain[:, 0], atol=1e-6)  # h_0 = 0: none to drop
    assert np.abs(trained[:, 1] - plain[:, 1]).max() > 1e-3


def test_a_layer_without_attention_has_none_to_return():
    words, regions = example()
    with pytest.raises(CaptionerError, match="no attention"):
        ImageRNN(UNITS)(words, regions[:, 0], return_attention=True)
    with pytest.raises(CaptionerError, match="attention 'hard': no such attention"):
        ImageRNN(UNITS, attention="hard")


def test_unseen_regions_cost():
    weights = np.zeros((1, 3, 2), "float32")
    weights[0, :, 0] = 0.5, 0.25, 1.0  # the last word is padding: region 0 gets 0.75
    mask = np.array([[True, True, False]])
    assert float(unseen(weights, mask)) == pytest.approx((0.25**2 + 1) / 2)
    weights, mask = np.repeat(weights, 3, axis=0), np.repeat(mask, 3, axis=0)
    mask[1:] = False  # captions that are all padding count for nothing
    assert float(unseen(weights, mask)) == pytest.approx((0.25**2 + 1) / 2)


def test_the_penalty_is_part_of_the_training_loss_alone(attentive):
    model = TeacherForcing(attentive)
    words = np.array([[START, 4, 5, 0], [START, 6, 0, 0]])
    targets = np.array([[4, 5, END, 0], [6, END, 0, 0]])
    regions = rng.normal(size=(2, 4, attentive.encoder.channels)).astype("float32")
    inputs = {"words": words, "image": regions}
    plain = float(word_loss(targets, model(inputs)))
    validated = float(model.compute_loss(y=targets, y_pred=model(inputs), training=False))
    assert validated == pytest.approx(plain)
    _, weights = attentive.decoder(words, regions, return_attention=True)
    output = model(inputs, training=True)
    loss = float(model.compute_loss(y=targets, y_pred=output))
    penalty = 0.5 * float(unseen(weights, words != 0))
    assert loss == pytest.approx(float(word_loss(targets, output["logits"])) + penalty, rel=1e-5)


def test_as_a_layer():
    def call(attention, hidden, regions):
        image, weights = attention(hidden, regions, attention.keys(regions))
        return ops.concatenate([image, weights], axis=-1)

    _, regions = example()
    hidden = rng.normal(size=(BATCH, UNITS)).astype("float32")
    run_layer_test(
        AdditiveAttention,
        {"units": SIZE},
        [hidden, regions],
        (BATCH, FEATURES + REGIONS),
        shapes=[hidden.shape, regions.shape],
        call=call,
    )
