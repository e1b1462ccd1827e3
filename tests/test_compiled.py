"""What is compiled, on the backend that runs: results, random states, shapes."""

import keras
import numpy as np
import pytest

from captioner import Captioner, Decoder, Vocabulary
from captioner.compiled import XLA, CompiledModel, padded, products_in, rows_for
from captioner.training.distribution import OneDevice
from captioner.training.teacher_forcing import TeacherForcing

rng = np.random.default_rng(0)


class Noisy(CompiledModel):
    """Drops half of what it is given."""

    def __init__(self):
        super().__init__()
        self.drop = keras.layers.Dropout(0.5, seed=1)
        self.built = True
        self.compile(jit_compile=XLA)

    def call(self, inputs):
        return self.drop(inputs["values"], training=True)


def test_what_is_random_differs_from_call_to_call():
    model, values = Noisy(), np.ones((4, 50), "float32")
    first, second = (model.run({"values": values}) for _ in range(2))
    assert isinstance(first, np.ndarray)
    assert set(np.unique(first)) == {0, 2}
    assert (first != second).any()


def test_rows_are_filled_up():
    array = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(padded(array, 5), [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]])
    assert padded(array, 3) is array
    wanted = [16, 16, 32, 128, 256] if XLA else [1, 16, 17, 100, 192]
    assert [rows_for(rows) for rows in (1, 16, 17, 100, 192)] == wanted


@pytest.fixture
def learner(tiny_captioner):
    vocabulary = Vocabulary(["a", "dog", "cat", "runs", "on", "grass"])
    settings = {"units": 8, "embedding": 6, "image_units": 5, "image_dropout": 0.5, "l2": 0.01}
    decoder = Decoder(len(vocabulary), tiny_captioner.encoder.channels, seed=1, **settings)
    tiny_captioner.encoder.freeze()
    return Captioner(tiny_captioner.encoder, decoder, vocabulary)


def test_moving_averages_outlive_what_is_computed_with_them(learner):
    """While they stand in the place of the weights a compiled function must not free them."""
    model = TeacherForcing(learner, label_smoothing=0.1, scheduled_sampling=0.5, seed=1)
    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, global_clipnorm=1.0)
    model.compile(optimizer=optimizer, jit_compile=XLA)
    optimizer.build(model.trainable_variables)
    steps = OneDevice().steps(model)
    words = rng.integers(4, 10, (6, 4)).astype("int32")
    image = rng.normal(size=(6, learner.encoder.channels)).astype("float32")
    losses = []
    for n in range(8):
        optimizer.learning_rate = 0.01 / (n + 1)
        model.set_sampling(n / 8)
        losses.append(float(steps.train({"words": words, "image": image}, words)))
        weights = [keras.ops.convert_to_numpy(each) for each in model.trainable_variables]
        optimizer.finalize_variable_values(model.trainable_variables)
        before = steps.test({"words": words, "image": image}, words)
        learner.decode(image, method="beam", max_length=3)
        assert steps.test({"words": words, "image": image}, words) == pytest.approx(before)
        for variable, weight in zip(model.trainable_variables, weights, strict=True):
            variable.assign(weight)
    assert losses[-1] < losses[0]
    assert int(optimizer.iterations) == 8
    if XLA:
        assert steps._train._cache_size() == 1


@pytest.mark.skipif(not XLA, reason="elsewhere shapes need not be few")
def test_few_steps_are_compiled_for_many_numbers_of_rows(learner):
    words = rng.integers(4, 10, 100).astype("int32")
    context, state = learner.start(rng.normal(size=(100, learner.encoder.channels)))
    wanted, wanted_state = learner.step(words, context, state)
    for rows in (99, 70, 50, 20, 7, 1):
        inputs = ([each[:rows] for each in values] for values in (context, state))
        log_probs, states = learner.step(words[:rows], *inputs)
        np.testing.assert_allclose(log_probs, wanted[:rows], atol=1e-5)
        for each, wanted_each in zip(states, wanted_state, strict=True):
            np.testing.assert_allclose(each, wanted_each[:rows], atol=1e-5)
    assert learner._networks()._step._jax_function._run._cache_size() == 4  # 128, 64, 32, 16


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_in_a_precision(precision):
    """A CPU that cannot do bfloat16 may compute in float32: the result is as close at least."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(64)
    model = keras.Sequential([keras.Input((256,)), layer])
    model.compile(jit_compile=XLA)
    values = rng.normal(size=(128, 256)).astype("float32")
    exact = values @ np.asarray(layer.kernel)
    with products_in(precision):
        found = model.predict_on_batch(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=1e-4 if precision == "float32" else 0.05)
    np.testing.assert_allclose(model.predict_on_batch(values), exact, atol=1e-4)  # afterwards
