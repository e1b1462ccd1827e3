"""Each thing that is used of Keras beside its public interface is there, and does what it did."""

import keras
import numpy as np
import pytest

from captioner.keras_internals import (
    GradientsAsGiven,
    moving_averages,
    step_function,
    variable_number,
)


def test_the_number_of_a_variable_is_known_within_an_update():
    """There TensorFlow's own variable stands in the place of Keras'."""
    seen = []

    class Watched(keras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            seen.append(variable_number(self, variable))
            super().update_step(gradient, variable, learning_rate)

    variables = [keras.Variable(np.full(size, 1.0)) for size in (2, 3, 4)]
    optimizer = Watched(0.5)
    optimizer.apply([np.ones(size, "float32") for size in (2, 3, 4)], variables)
    assert seen == [0, 1, 2]
    assert [variable_number(optimizer, each) for each in variables] == [0, 1, 2]


def test_the_moving_averages_of_adam():
    variables = [keras.Variable(np.zeros(size)) for size in (2, 3)]
    adam = keras.optimizers.Adam(beta_1=0.9, beta_2=0.99)
    adam.apply([np.full(size, float(size), "float32") for size in (2, 3)], variables)
    for number, gradient in enumerate((2.0, 3.0)):
        mean, mean_square = moving_averages(adam, number)
        np.testing.assert_allclose(mean, np.full(mean.shape, 0.1 * gradient), rtol=1e-5)
        np.testing.assert_allclose(mean_square, np.full(mean.shape, 0.01 * gradient**2), rtol=1e-5)


def test_an_optimizer_asks_its_own_method_to_join_gradients():
    """Were it renamed, Keras would join them a second time."""
    given = []

    class Watched(GradientsAsGiven, keras.optimizers.SGD):
        def _all_reduce_sum_gradients(self, grads_and_vars):
            joined = super()._all_reduce_sum_gradients(grads_and_vars)
            given.append(joined is grads_and_vars)
            return joined

    assert hasattr(keras.optimizers.SGD, "_all_reduce_sum_gradients")
    variable = keras.Variable(np.array([1.0], "float32"))
    Watched(0.5).apply([np.array([1.0], "float32")], [variable])
    assert given == [True]
    assert float(variable[0]) == 0.5


@pytest.mark.parametrize(
    ("name", "method"), [("train_function", "train_on_batch"), ("test_function", "test_on_batch")]
)
def test_each_key_has_a_compiled_function_of_its_own(name, method):
    traced = []

    class Watched(keras.layers.Layer):
        def call(self, values):
            traced.append(values.shape)
            return values

    model = keras.Sequential([Watched(), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    model.build((None, 2))
    functions = {}
    traced.clear()
    for rows in (3, 5, 3, 5):
        with step_function(model, name, functions, rows):
            getattr(model, method)(np.ones((rows, 2)), np.ones((rows, 1)))
    assert set(functions) == {3, 5}
    assert functions[3] is not functions[5]
    assert {shape[0] for shape in traced} == {3, 5}  # each was traced with its own shape
    assert len(traced) == len(set(traced))  # and once
