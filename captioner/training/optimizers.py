"""Adam with two learning rates, and the learning rate over steps and epochs."""

import math

import keras

from captioner.keras_internals import moving_averages, variable_number
from captioner.training.choosing import waits


class Adam(keras.optimizers.Adam):
    """Keras' Adam; on one device of TensorFlow, by its fused operation.

    The fused operation reads and writes weights and moving averages once, where Keras' Adam does so
    for each of its operations. The variables and the steps of both are the same. With `amsgrad`,
    under `tf.distribute` and on other backends Keras' own operations are used.

    Example:
    >>> optimizer = Adam(1e-3, global_clipnorm=5.0)
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or not _is_one_device_of_tensorflow():
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf  # the fused operation is TensorFlow's own

        number, dtype = variable_number(self, variable), variable.dtype
        mean, mean_square = moving_averages(self, number)
        step = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.value.handle,
            v=mean_square.value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )


class TwoRateAdam(Adam):
    """Adam with smaller steps for some variables; Adam's steps do not follow a scaled gradient.

    Args:
        slow_variables: list of keras.Variable.
        slow_factor: float. What their learning rate is multiplied by.
    """

    def __init__(self, slow_variables=(), slow_factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self._slow_variables = {id(variable) for variable in slow_variables}
        self._slow_factor = slow_factor

    def build(self, variables):
        super().build(variables)
        slow = [each for each in variables if id(each) in self._slow_variables]
        self._slow_numbers = {variable_number(self, each) for each in slow}

    def update_step(self, gradient, variable, learning_rate):
        factor = self._slow_factor if variable_number(self, variable) in self._slow_numbers else 1.0
        super().update_step(gradient, variable, learning_rate * factor)


def _is_one_device_of_tensorflow():
    """Whether variables are plain ones of TensorFlow, as its fused operation needs them."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy()


def learning_rate_at(step, steps, peak, schedule="cosine", warmup=0.05):
    """The learning rate of one step: a linear rise, then a cosine to zero, or the peak.

    Args:
        step: int. From 0.
        steps: int. Steps in all.
        peak: float. The largest rate.
        schedule: `"cosine"` (Loshchilov & Hutter 2017, section 3), `"constant"`, or `"plateau"`,
            constant here too: see `plateau_factor`.
        warmup: float. Share of the steps that the rise takes.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    if schedule != "cosine":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def plateau_factor(scores, patience=2, factor=0.5):
    """What the learning rate is multiplied by after epochs of these scores.

    Args:
        scores: list of (float, float), as `choosing.goodness` gives them.
        patience: int. After so many epochs in a row without progress the rate falls.
        factor: float. What it then is multiplied by.

    Example:
    >>> plateau_factor([(0.3, -2.0), (0.4, -1.9), (0.35, -1.9), (0.39, -2.1)])
    0.5
    """
    return factor ** sum(waited > 0 and waited % patience == 0 for waited in waits(scores))
