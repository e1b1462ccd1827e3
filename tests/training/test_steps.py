"""Compiled steps: they learn what the model's own loss asks for, each shape by itself."""

import keras
import numpy as np
import pytest
from keras import ops

from captioner.training.steps import CompiledSteps


class Line(keras.Model):
    """Fits y = w x by the mean squared error; notes each shape that it is traced for."""

    def __init__(self):
        super().__init__()
        self.slope = self.add_weight(shape=(), initializer="zeros")
        self.traced = []
        self.built = True
        self.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)

    def call(self, inputs):
        self.traced.append(tuple(inputs["x"].shape))
        return self.slope * inputs["x"]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        weights = 1.0 if sample_weight is None else sample_weight
        return ops.mean(weights * ops.square(y - y_pred))


@pytest.fixture
def steps():
    return CompiledSteps(Line())


def test_a_step_learns_and_tells_the_loss_before_it(steps):
    x, y = np.array([1.0, 2.0], "float32"), np.array([2.0, 4.0], "float32")
    assert steps.train({"x": x}, y) == pytest.approx(10)  # (4 + 16) / 2
    assert float(steps.model.slope) == pytest.approx(1)  # 0.1 of the gradient, -(4 + 16) / 2
    assert steps.test({"x": x}, y) == pytest.approx(2.5)
    assert float(steps.model.slope) == pytest.approx(1)  # a test changes nothing


def test_weights_count_each_row(steps):
    x, y = np.ones(2, "float32"), np.array([1.0, 3.0], "float32")
    assert steps.train({"x": x}, y, np.array([1.0, 0.0], "float32")) == pytest.approx(0.5)


def test_each_shape_is_traced_once(steps):
    for rows in (2, 3, 2, 3):
        values = np.ones(rows, "float32")
        steps.train({"x": values}, values)
        steps.test({"x": values}, values)
    assert sorted(steps.model.traced) == [(2,), (2,), (3,), (3,)]  # to learn, and to test


def test_a_loss_is_of_its_own_batch_only(steps):
    """Keras would give the mean over the batches so far."""
    ones = np.ones(2, "float32")
    assert steps.test({"x": ones}, ones) == pytest.approx(1)
    assert steps.test({"x": ones}, 3 * ones) == pytest.approx(9)
