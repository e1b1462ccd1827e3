"""Gradients over time, against the backend's own and against what is known of simple cases."""

import numpy as np
import pytest
import tensorflow as tf

from captioner.errors import CaptionerError
from captioner.recurrent import ImageRNN
from captioner.study.gradients import back_propagation_through_time, gradient_norms

BATCH, TIME, EMBED, FEATURES, UNITS = 3, 6, 4, 2, 5


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    return words, rng.normal(size=(BATCH, FEATURES)).astype("float32")


@pytest.mark.parametrize("implementation", ["custom", "keras"])
def test_the_sum_over_the_steps_is_the_gradient(inputs, implementation):
    layer = ImageRNN(UNITS, "rnn", implementation)
    target = np.random.default_rng(1).normal(size=(BATCH, TIME, UNITS)).astype("float32")
    with tf.GradientTape() as tape:
        hidden = layer(*inputs)
        loss = tf.reduce_sum((hidden - target) ** 2)
    holder = layer.cell if implementation == "custom" else layer.keras_layer.cell
    w_hh = holder.w_hh if implementation == "custom" else holder.recurrent_kernel
    wanted = tape.gradient(loss, w_hh.value)

    terms = back_propagation_through_time(layer, *inputs, 2 * (hidden.numpy() - target))

    assert terms.shape == (TIME, UNITS, UNITS)
    assert not terms[0].any()  # h_0 is 0
    np.testing.assert_allclose(terms.sum(axis=0), wanted, rtol=1e-4, atol=1e-4)


def test_only_a_plain_rnn_is_done_by_hand(inputs):
    with pytest.raises(CaptionerError, match="only for a plain RNN"):
        back_propagation_through_time(ImageRNN(UNITS, "lstm"), *inputs, np.zeros(1))


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_gradient_of_a_nearly_linear_rnn_is_a_power(inputs, scale):
    """With w_hh = scale · 1 and a tanh that is hardly used, each step back multiplies by scale."""
    layer = ImageRNN(EMBED, "rnn")
    layer.build((None, None, EMBED), (None, FEATURES))
    layer.set_equation_weights(
        {
            "w_xh": np.eye(EMBED),
            "w_ih": np.zeros((FEATURES, EMBED)),
            "w_hh": scale * np.eye(EMBED),
            "bias": np.zeros(EMBED),
        }
    )
    words, image = inputs
    norms = gradient_norms(layer, words * 1e-4, image)
    np.testing.assert_allclose(norms, scale ** np.arange(TIME - 1, -1, -1.0), rtol=1e-3)


def test_what_a_step_does_not_see_has_no_gradient(inputs):
    layer = ImageRNN(UNITS, "lstm", "keras")
    layer(*inputs)
    weights = layer.equation_weights()
    layer.set_equation_weights({**weights, "w_xh": np.zeros_like(weights["w_xh"])})
    assert not gradient_norms(layer, *inputs).any()
