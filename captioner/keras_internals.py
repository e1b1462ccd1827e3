"""What this project uses of Keras beside its public interface, each with the reason.

An upgrade of Keras may rename or drop any of it without notice. So it is used in this module only,
and `tests/test_keras_internals.py` has a test for each that fails when it is gone.
"""

import contextlib


def variable_number(optimizer, variable):
    """The place of a variable among those that an optimizer was built with.

    On TensorFlow, `update_step` gets the `tf.Variable` inside a `keras.Variable`. Only the
    optimizer's own table tells which `keras.Variable` that is.

    Args:
        optimizer: keras.optimizers.Optimizer that is built.
        variable: keras.Variable, or what `update_step` gets for it.

    Returns:
        int.

    Example:
    >>> first, second = keras.Variable(1.0), keras.Variable(2.0)
    >>> optimizer = keras.optimizers.Adam()
    >>> optimizer.build([first, second])
    >>> variable_number(optimizer, second)
    1
    """
    return optimizer._get_variable_index(variable)


def moving_averages(adam, number):
    """The two moving averages of an Adam for one of its variables, to be updated in place.

    A fused operation needs the variables of TensorFlow themselves.

    Args:
        adam: keras.optimizers.Adam that is built.
        number: int, from `variable_number`.

    Returns:
        (mean of gradients, mean of squared gradients): two keras.Variable.

    Example:
    >>> weight, adam = keras.Variable(1.0), keras.optimizers.Adam(beta_1=0.9)
    >>> adam.apply([np.float32(2.0)], [weight])
    >>> round(float(moving_averages(adam, 0)[0]), 3)
    0.2
    """
    return adam._momentums[number], adam._velocities[number]


class GradientsAsGiven:
    """Makes an optimizer, as its first base class, apply the gradients as they are given.

    In a step of tf.distribute, Keras first clips the gradients of each replica and then sums them
    over the replicas. An optimizer that joins the gradients before they are clipped must not have
    them joined again, and Keras has no setting for that.

    Example:
    >>> class Joined(GradientsAsGiven, keras.optimizers.Adam):
    ...     pass
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


@contextlib.contextmanager
def step_function(model, name, functions, key):
    """A block in which `train_on_batch` or `test_on_batch` uses the compiled function of a key.

    Keras keeps one compiled function in an attribute of the model, for batches of all shapes, and
    makes it when there is none. Traced for an unknown number of words, it cannot write out the
    time loop. With a function for each shape it can.

    Args:
        model: compiled keras.Model.
        name: str. The attribute, `"train_function"` or `"test_function"`.
        functions: dict. The functions by key; one that Keras makes in the block is added.
        key: hashable. Which function to use, such as the shape of the batch.

    Example:
    >>> with step_function(model, "train_function", functions, targets.shape):
    ...     model.train_on_batch(inputs, targets)
    """
    setattr(model, name, functions.get(key))
    yield
    functions[key] = getattr(model, name)
