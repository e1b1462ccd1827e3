"""Learning rates, and the optimizer that has two."""

import keras
import numpy as np
import pytest

from captioner.training.optimizers import Adam, TwoRateAdam, learning_rate_at, plateau_factor


def test_learning_rate_rises_then_falls():
    rates = [learning_rate_at(step, 100, 1.0, "cosine", 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    assert learning_rate_at(90, 100, 1.0, "constant", 0.1) == 1.0


def test_the_learning_rate_halves_on_a_plateau():
    def factor_after(*ciders, loss=2.0):
        return plateau_factor([(cider, -loss) for cider in ciders])

    assert factor_after() == factor_after(0.1, 0.2, 0.1) == 1
    assert factor_after(0.1, 0.2, 0.1, 0.2) == 0.5  # equal is no better
    assert factor_after(0.1, 0.2, 0.1, 0.2, 0.1) == 0.5  # the wait begins anew
    assert factor_after(0.2, 0.1, 0.1, 0.3, 0.1, 0.1) == 0.25
    assert factor_after(0.2, 0.1, 0.1, 0.1, 0.1) == 0.25
    assert plateau_factor([(0.0, -loss) for loss in (3.0, 2.9, 2.8, 2.7)]) == 1  # the loss falls
    assert plateau_factor([(0.0, -loss) for loss in (3.0, 3.1, 3.0, 2.7)]) == 0.5
    assert learning_rate_at(90, 100, 1.0, "plateau", 0.1) == 1.0


def test_slow_variables_move_less():
    slow, fast = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = TwoRateAdam([slow], 0.1, learning_rate=0.01)
    optimizer.apply([np.ones(1, "float32")] * 2, [slow, fast])
    assert 1 - float(fast[0]) == pytest.approx(0.01, rel=1e-3)
    assert 1 - float(slow[0]) == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("settings", [{}, {"use_ema": True, "ema_momentum": 0.5}], ids=str)
def test_the_fused_adam_is_that_of_keras(settings):
    """Its steps and its averages, of an embedding too, most of whose rows have no gradient."""

    def trained(kind):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Embedding(9, 3), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((2,), dtype="int32"), *layers])
        optimizer = kind(0.1, global_clipnorm=0.5, **settings)
        model.compile(optimizer, "mse", jit_compile=False)
        for words in ([[1, 2]], [[2, 8]], [[1, 2]]):
            model.train_on_batch(np.array(words), np.ones((1, 2, 1), "float32"))
        return [*model.weights, *optimizer.variables]

    for mine, theirs in zip(trained(Adam), trained(keras.optimizers.Adam), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
