"""The cells: one step of each against the document's equations in NumPy, gate by gate."""

import numpy as np
import pytest

from captioner import cells
from captioner.recurrent import ImageRNN
from tests.layers import run_layer_test

BATCH, EMBED, FEATURES, UNITS = 3, 4, 6, 7
CELLS = ["rnn", "lstm", "gru"]
rng = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(cell, weights, word, image, states):
    """The document's equations, gate by gate."""
    w_xh, w_ih, w_hh, bias = (weights[name] for name in ("w_xh", "w_ih", "w_hh", "bias"))
    hidden = states[0]

    def gate(n, hidden_scale=1.0):
        columns = slice(n * UNITS, (n + 1) * UNITS)
        recurrent = hidden @ w_hh[:, columns]
        seen = word @ w_xh[:, columns] + image @ w_ih[:, columns]
        if bias.ndim == 2:
            return seen + bias[0, columns] + hidden_scale * (recurrent + bias[1, columns])
        return seen + recurrent + bias[columns]

    if cell == "rnn":
        return [np.tanh(gate(0))]
    if cell == "lstm":
        memory = sigmoid(gate(1)) * states[1] + sigmoid(gate(0)) * np.tanh(gate(2))
        return [sigmoid(gate(3)) * np.tanh(memory), memory]
    update, reset = sigmoid(gate(0)), sigmoid(gate(1))
    return [update * hidden + (1 - update) * np.tanh(gate(2, reset))]


def make(cell, **settings):
    made = cells.CELLS[cell](UNITS, **settings)
    made.build((None, EMBED), (None, FEATURES))
    for weight in made.weights:
        weight.assign(rng.normal(size=weight.shape))
    return made


def example(cell):
    """A word, an image and the states before: float32 arrays."""
    shapes = (EMBED, FEATURES, *[UNITS] * len(cells.CELLS[cell].state_names))
    word, image, *states = (rng.normal(size=(BATCH, each)).astype("float32") for each in shapes)
    return word, image, states


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_is_the_equations(cell):
    made = make(cell)
    word, image, states = example(cell)
    found = made.step(made.project_words(word) + made.project_image(image), states)
    weights = {name: np.asarray(getattr(made, name)) for name in ("w_xh", "w_ih", "w_hh", "bias")}
    wanted = numpy_step(cell, weights, word, image, states)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_mask_hides_a_part_of_the_hidden_state_from_the_matrix(cell):
    """What the mask hides is as if it were 0 there, and is not forgotten elsewhere."""
    made = make(cell)
    word, image, states = example(cell)
    projected = made.project_words(word) + made.project_image(image)
    mask = rng.integers(0, 2, size=(BATCH, UNITS)).astype("float32")
    [found, *_] = made.step(projected, states, mask)
    if cell == "gru":
        update, _, candidate = made.gate_values(projected, states[0] * mask)
        wanted = update * states[0] + (1 - update) * candidate
    else:
        [wanted, *_] = made.step(projected, [states[0] * mask, *states[1:]])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_dropout_is_of_training_alone_and_keeps_the_mean():
    made = make("rnn", recurrent_dropout=0.25, seed=1)
    assert made.dropout_mask(BATCH, training=False) is None
    assert make("rnn").dropout_mask(BATCH, training=True) is None
    mask = np.asarray(made.dropout_mask(1000, training=True))
    assert mask.shape == (1000, UNITS)
    np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.75], rtol=1e-6)
    assert mask.mean() == pytest.approx(1, abs=0.05)  # 7,000 draws: a deviation of 0.007


def test_forget_gate_starts_open():
    layer = ImageRNN(UNITS, "lstm")
    layer.build((None, None, EMBED), (None, FEATURES))
    wanted = np.repeat([0, 1, 0, 0], UNITS)
    np.testing.assert_array_equal(layer.equation_weights()["bias"], wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_as_a_layer(cell):
    word, image, states = example(cell)

    def call(cell, word, image, *states):
        return cell.step(cell.project_words(word) + cell.project_image(image), list(states))[0]

    settings = {"units": UNITS, "recurrent_dropout": 0.1, "l2": 0.01, "seed": 3}
    run_layer_test(
        cells.CELLS[cell],
        settings,
        [word, image, *states],
        (BATCH, UNITS),
        shapes=[word.shape, image.shape],
        call=call,
    )
