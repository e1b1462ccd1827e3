"""ImageRNN, by our loop and by Keras' layers: the equations over time, in NumPy, and each other."""

import keras
import numpy as np
import pytest

from captioner import recurrent
from captioner.cells import RNNCell
from captioner.errors import CaptionerError
from captioner.recurrent import UNROLL_LIMIT, ImageRNN
from tests.layers import run_layer_test
from tests.test_cells import CELLS, numpy_step

BATCH, TIME, EMBED, FEATURES, UNITS = 3, 5, 4, 6, 7
rng = np.random.default_rng(0)


def numpy_rnn(cell, weights, words, image, mask, states):
    outputs, output = [], np.zeros((BATCH, UNITS))
    for t in range(words.shape[1]):
        image_t = image if image.ndim == 2 else image[:, t]
        new = numpy_step(cell, weights, words[:, t], image_t, states)
        keep = mask[:, t, None]
        output = np.where(keep, new[0], output)
        states = [np.where(keep, n, old) for n, old in zip(new, states, strict=True)]
        outputs.append(output)
    return np.stack(outputs, 1), states


def make(cell, implementation, **settings):
    layer = ImageRNN(UNITS, cell, implementation, **settings)
    layer.build((None, None, EMBED), (None, FEATURES))
    weights = {k: v.shape for k, v in layer.equation_weights().items()}
    own = np.random.default_rng(1)
    layer.set_equation_weights(
        {name: own.normal(size=shape).astype("float32") for name, shape in weights.items()}
    )
    return layer


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("implementation", ["custom", "keras"])
@pytest.mark.parametrize("cell", CELLS)
def test_both_implementations_are_the_equations(cell, implementation, per_step):
    layer = make(cell, implementation)
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    shape = (BATCH, TIME, FEATURES) if per_step else (BATCH, FEATURES)
    image = rng.normal(size=shape).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
    states = [rng.normal(size=(BATCH, UNITS)).astype("float32") for _ in layer.state_names]
    output, last = layer(words, image, mask=mask, initial_state=states, return_state=True)
    wanted, wanted_states = numpy_rnn(cell, layer.equation_weights(), words, image, mask, states)
    np.testing.assert_allclose(output, wanted, atol=1e-5)
    for mine, theirs in zip(last, wanted_states, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("implementation", ["custom", "keras"])
@pytest.mark.parametrize("cell", CELLS)
def test_step_by_step_is_the_whole_sequence(cell, implementation):
    layer = make(cell, implementation)
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    image = rng.normal(size=(BATCH, FEATURES)).astype("float32")
    wanted = layer(words, image)
    prepared, states = layer.prepare_image(image), layer.initial_state(BATCH)
    for t in range(TIME):
        output, states, _ = layer.step(words[:, t], prepared, states)
        np.testing.assert_allclose(output, wanted[:, t], atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS)
def test_a_long_sequence_is_scanned_with_the_same_result(cell):
    layers = make(cell, "custom"), make(cell, "keras")
    time = UNROLL_LIMIT + 3
    words = rng.normal(size=(BATCH, time, EMBED)).astype("float32")
    image = rng.normal(size=(BATCH, FEATURES)).astype("float32")
    mask = np.arange(time) < np.array([[time], [9], [1]])
    custom, theirs = (layer(words, image, mask=mask) for layer in layers)
    np.testing.assert_allclose(custom, theirs, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS)
def test_in_a_keras_model_the_number_of_steps_may_stay_open(cell):
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    image = rng.normal(size=(BATCH, FEATURES)).astype("float32")
    layer = make(cell, "custom")
    given = [keras.Input(shape) for shape in [(None, EMBED), (FEATURES,)]]
    given.append(keras.Input((None,), dtype="bool"))
    model = keras.Model(given, layer(given[0], given[1], mask=given[2]))
    for length in (2, TIME):
        mask = np.arange(length) < np.array([[length], [1], [2]])
        part = words[:, :length]
        np.testing.assert_allclose(
            model.predict([part, image, mask], verbose=0), layer(part, image, mask=mask), atol=1e-5
        )


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gates_shown_are_those_that_made_the_states(cell, attention, per_step):
    layer = make(cell, "custom", attention=attention)
    shape = (BATCH, TIME, FEATURES) if per_step or attention != "none" else (BATCH, FEATURES)
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    image = rng.normal(size=shape).astype("float32")
    seen = {name: np.asarray(each) for name, each in layer.trace(words, image).items()}
    np.testing.assert_allclose(seen["hidden"], layer(words, image), atol=1e-5)
    before = {
        name: np.concatenate([np.zeros((BATCH, 1, UNITS)), seen[name][:, :-1]], axis=1)
        for name in layer.state_names
    }
    if cell == "lstm":
        kept = seen["forget_gate"] * before["memory"]
        memory = kept + seen["input_gate"] * seen["candidate"]
        np.testing.assert_allclose(seen["memory"], memory, atol=1e-5)
        hidden = seen["output_gate"] * np.tanh(memory)
    elif cell == "gru":
        update = seen["update_gate"]
        hidden = update * before["hidden"] + (1 - update) * seen["candidate"]
        assert seen["reset_gate"].min() > 0
    else:
        hidden = seen["hidden"]
        assert set(seen) <= {"hidden", "image"}
    np.testing.assert_allclose(seen["hidden"], hidden, atol=1e-5)
    assert ("image" in seen) == (attention != "none")


def test_layers_of_keras_do_not_show_their_gates():
    with pytest.raises(CaptionerError, match="implementation='custom'"):
        make("lstm", "keras").trace(np.zeros((1, 2, EMBED)), np.zeros((1, FEATURES)))


def test_weights_are_those_of_keras_lstm_on_the_concatenation():
    layer = make("lstm", "custom")
    weights = layer.equation_weights()
    lstm = keras.layers.LSTM(UNITS, return_sequences=True)
    lstm.build((None, TIME, EMBED + FEATURES))
    kernel = np.concatenate([weights["w_xh"], weights["w_ih"]])
    lstm.set_weights([kernel, weights["w_hh"], weights["bias"]])
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    image = rng.normal(size=(BATCH, FEATURES)).astype("float32")
    repeated = np.repeat(image[:, None], TIME, axis=1)
    expected = lstm(np.concatenate([words, repeated], axis=-1))
    np.testing.assert_allclose(layer(words, image), expected, atol=1e-5)


def test_recurrent_dropout_acts_in_training_only():
    layer = make("lstm", "custom", recurrent_dropout=0.5, seed=1)
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    image = rng.normal(size=(BATCH, FEATURES)).astype("float32")
    plain = np.asarray(layer(words, image))
    np.testing.assert_array_equal(plain, layer(words, image))
    trained = np.asarray(layer(words, image, training=True))
    np.testing.assert_allclose(trained[:, 0], plain[:, 0], atol=1e-6)  # h_0 = 0: none to drop
    assert np.abs(trained[:, 1] - plain[:, 1]).max() > 1e-3


@pytest.mark.parametrize("implementation", ["custom", "keras"])
def test_l2_is_the_squared_norm_of_the_matrices(implementation):
    layer = make("gru", implementation, l2=0.1)
    weights = layer.equation_weights()
    wanted = 0.1 * sum((weights[name] ** 2).sum() for name in ("w_xh", "w_ih", "w_hh"))
    np.testing.assert_allclose(sum(float(each) for each in layer.losses), wanted, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"cell": "transformer"}, {"implementation": "torch"}])
def test_unknown_choices_are_named(wrong):
    with pytest.raises(CaptionerError, match=next(iter(wrong.values()))):
        ImageRNN(UNITS, **wrong)


@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize("implementation", ["custom", "keras"])
def test_as_a_layer(implementation, attention):
    settings = {"units": UNITS, "cell": "lstm", "implementation": implementation, "l2": 0.01,
                "recurrent_dropout": 0.1, "seed": 3, "attention": attention,
                "attention_units": 8}  # fmt: skip
    words = rng.normal(size=(BATCH, TIME, EMBED)).astype("float32")
    regions = () if attention == "none" else (9,)
    image = rng.normal(size=(BATCH, *regions, FEATURES)).astype("float32")
    run_layer_test(ImageRNN, settings, [words, image], (BATCH, TIME, UNITS))


def test_a_cell_that_keras_does_not_have_is_run_by_our_loop_alone(monkeypatch):
    monkeypatch.setitem(recurrent.CELLS, "plain", type("Plain", (RNNCell,), {}))
    words, image = np.ones((1, 2, EMBED), "float32"), np.ones((1, FEATURES), "float32")
    assert ImageRNN(UNITS, "plain")(words, image).shape == (1, 2, UNITS)
    with pytest.raises(CaptionerError, match="cell 'plain': Keras has no layer for it"):
        ImageRNN(UNITS, "plain", implementation="keras")


@pytest.mark.parametrize(
    ("implementation", "held_as"), [("custom", "cell"), ("keras", "keras_layer")]
)
def test_files_have_the_weights_where_they_have_always_been(implementation, held_as):
    """Keras files weights under the attribute that holds them; older files have these names."""
    layer = make("lstm", implementation, attention="additive")
    holders = {name: value for name, value in vars(layer).items() if isinstance(value, keras.Layer)}
    assert list(holders) == ["attention", held_as]
    assert layer.weights == [*layer.attention.weights, *holders[held_as].weights]
