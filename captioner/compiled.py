"""Compiled functions of a model, on whichever backend Keras runs.

Whether XLA compiles is decided here. TensorFlow does without: on CPUs XLA makes the recurrence half
as fast, the CNN a quarter, and takes many seconds to compile each shape (measured). On JAX nothing
else compiles, and a model without it is computed operation by operation.
"""

import contextlib

import keras
import numpy as np

XLA = keras.backend.backend() == "jax"


@contextlib.contextmanager
def products_in(precision):
    """A block in which compiled functions compute matrix products and convolutions in a precision.

    Weights and losses stay float32. With TensorFlow only CPUs compute in bfloat16, by oneDNN.

    Args:
        precision: str. `"float32"`, which changes nothing, or `"bfloat16"`.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> with products_in("bfloat16"):
    ...     model.predict_on_batch(np.ones((2, 4))).dtype
    dtype('float32')
    """
    if precision == "float32":
        yield
    elif XLA:
        import jax  # only here: with another backend it need not be installed

        with jax.default_matmul_precision(precision):
            yield
    else:
        import tensorflow as tf  # the rewriting is TensorFlow's own

        name = "auto_mixed_precision_onednn_bfloat16"
        tf.config.optimizer.set_experimental_options({name: True})
        try:
            yield
        finally:
            tf.config.optimizer.set_experimental_options({name: False})


class CompiledModel(keras.Model):
    """A model whose `call` is compiled once for each shape.

    On JAX it is done here, for Keras' `predict_on_batch` there hands all variables over to the
    compiled function, which frees the arrays: moving averages put in the place of weights would be
    lost, and two threads could not use one model.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._jax_function = None

    def run(self, inputs):
        """`call`, from arrays to arrays.

        Args:
            inputs: array, or dict, list or tuple of arrays.

        Returns:
            What `call` returns, of NumPy arrays.
        """
        if not XLA:
            return self.predict_on_batch(inputs)
        if self._jax_function is None:
            self._jax_function = JaxFunction(self.call, self.variables)
        return keras.tree.map_structure(np.array, self._jax_function(inputs))


def rows_for(rows, fewest=16):
    """How many rows to give a compiled function that is to compute some.

    On JAX a power of two, because it compiles anew for each number of rows, and a beam search has
    another number at every step.

    Args:
        rows: int.
        fewest: int. Least number on JAX. Defaults to `16`.
    """
    return max(fewest, 1 << (rows - 1).bit_length()) if XLA and rows else rows


def padded(array, rows):
    """The array with its last row repeated until there are so many, or itself."""
    missing = rows - len(array)
    if missing <= 0:
        return array
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])


class JaxFunction:
    """A function that uses variables, compiled by JAX once for each shape of its arguments.

    What it assigns to variables, such as the state of a seed, they hold after each call.

    Args:
        function: callable. From arrays to tensors.
        variables: list of keras.Variable, all that it uses.
    """

    def __init__(self, function, variables):
        import jax  # only here: with another backend it need not be installed

        self._variables = list(variables)

        def run(values, arguments):
            scope = state_scope(self._variables, values)
            before = current_values(scope, self._variables)
            with scope:
                result = function(*arguments)
            return result, changes(before, current_values(scope, self._variables))

        self._run = jax.jit(run)

    def __call__(self, *arguments):
        values = [variable.value for variable in self._variables]
        result, changed = self._run(values, arguments)
        for number, value in changed.items():
            self._variables[number].assign(value)
        return result


def state_scope(variables, values):
    """The block in which variables have other values, and keep what is assigned for themselves."""
    return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))


def current_values(scope, variables):
    """The values of variables in a `state_scope`."""
    return [scope.get_current_value(variable) for variable in variables]


def changes(before, after):
    """The values that have been replaced: a dict from their numbers."""
    pairs = enumerate(zip(before, after, strict=True))
    return {number: new for number, (old, new) in pairs if new is not old}
