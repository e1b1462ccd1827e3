"""Adam with two learning rates, and the learning rate over the steps."""

import math

import keras


class TwoRateAdam(keras.optimizers.Adam):
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
        self._slow_numbers = {self._get_variable_index(each) for each in slow}

    def update_step(self, gradient, variable, learning_rate):
        # On TensorFlow this variable is not Keras' object but the one inside; its number is kept.
        is_slow = self._get_variable_index(variable) in self._slow_numbers
        factor = self._slow_factor if is_slow else 1.0
        super().update_step(gradient, variable, learning_rate * factor)


def learning_rate_at(step, steps, peak, schedule="cosine", warmup=0.05):
    """The learning rate of one step: a linear rise, then a cosine to zero or a constant.

    Args:
        step: int. From 0.
        steps: int. Steps in all.
        peak: float. The largest rate.
        schedule: `"cosine"` (Loshchilov & Hutter 2017, section 3) or `"constant"`.
        warmup: float. Share of the steps that the rise takes.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    if schedule == "constant":
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
