"""Captions without their padding: on TensorFlow, only real words are computed in training."""

import keras
from keras import ops

# JAX compiles for sizes that are known beforehand; how many words are real is not.
CAN_PACK = keras.backend.backend() == "tensorflow"


class Packing:
    """The real words of a batch of captions, as one row each.

    They stand step by step: first the first word of every caption, then every second word. The
    longest caption comes first, so that the captions that have a word at one step are the first
    of those that had one at the step before.

    Args:
        mask: bool tensor (batch, time), True for words, False for the padding after them.

    Attributes:
        captions: int tensor (real words,). The caption of each word.
        counts: int tensor (time,). How many captions have a word at each step.

    Example:
    >>> packing = Packing(np.array([[True, False], [True, True]]))
    >>> np.asarray(packing.pack(np.array([[1, 0], [3, 4]])))
    array([3, 1, 4])
    """

    def __init__(self, mask):
        self.batch, self.time = mask.shape
        real = ops.cast(mask, "int32")
        order = ops.argsort(-ops.sum(real, axis=1))  # (batch,)
        by_step = ops.reshape(ops.transpose(ops.take(mask, order, axis=0)), (-1,))
        [places] = ops.nonzero(by_step)
        places = ops.cast(places, "int32")
        self.captions = ops.take(order, places % self.batch)
        self._places = self.captions * self.time + places // self.batch
        self.counts = ops.sum(real, axis=0)

    def pack(self, values):
        """The values (batch, time, ...) of real words: tensor (real words, ...)."""
        values = ops.reshape(values, (-1, *values.shape[2:]))
        return ops.take(values, self._places, axis=0)

    def of_captions(self, values):
        """The values (batch, ...) of captions, for each of their words: (real words, ...)."""
        return ops.take(values, self.captions, axis=0)

    def steps(self):
        """The rows of each step: list of slices."""
        ends = ops.unstack(ops.cumsum(self.counts), self.time)
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def run_packed(cell, projected, packing, dropout_mask=None):
    """A cell over the real words of captions, from states of zeros.

    Its gradient is written out, so that the gradient of w_hh is one matrix product over all words.
    That of a loop would be one product for each step, and the sum of these.

    Args:
        cell: DifferentiatedCell.
        projected: tensor (real words, gates·units): w_xh·x_t + w_ih·i_t + bias.
        packing: Packing.
        dropout_mask: tensor (batch, units) or None, as `ImageCell.step` takes it; its rows go to
            the captions from the longest to the shortest. Defaults to `None`.

    Returns:
        Tensor (real words, units): h_t.
    """
    steps, units, names = packing.steps(), cell.units, cell.state_names

    def masked(hidden):
        return hidden if dropout_mask is None else hidden * dropout_mask[: ops.shape(hidden)[0]]

    @ops.custom_gradient
    def run(projected, *weights):
        states = [ops.zeros((packing.batch, units), projected.dtype) for _ in names]
        passed = []  # for each step what its gradient needs
        for rows in steps:
            count = rows.stop - rows.start
            before = [state[:count] for state in states]
            hidden = masked(before[0])
            recurrent = cell.recurrent(hidden, weights)
            gates, states = cell.equations(projected[rows], recurrent, before)
            passed.append((hidden, recurrent, gates, before, states))

        def gradient(*arguments, upstream=None):
            [upstream] = arguments or [upstream]
            after = [ops.zeros((0, units), projected.dtype) for _ in names]
            of_projected, of_recurrent = [], []
            for rows, (_, recurrent, gates, before, states) in zip(
                reversed(steps), reversed(passed), strict=True
            ):
                count = rows.stop - rows.start
                after = [_with_rows(each, count) for each in after]
                after[0] = after[0] + upstream[rows]
                of_inputs, of_product, after = cell.gradients(
                    recurrent, gates, before, states, after
                )
                through = ops.matmul(of_product, ops.transpose(weights[0]))
                after[0] = after[0] + masked(through)
                of_projected.append(of_inputs)
                of_recurrent.append(of_product)
            of_projected = ops.concatenate(of_projected[::-1], axis=0)
            of_recurrent = ops.concatenate(of_recurrent[::-1], axis=0)
            hidden = ops.concatenate([hidden for hidden, *_ in passed], axis=0)
            of_weights = ops.matmul(ops.transpose(hidden), of_recurrent)
            return of_projected, of_weights, *[ops.sum(of_recurrent, axis=0) for _ in weights[1:]]

        return ops.concatenate([states[0] for *_, states in passed], axis=0), gradient

    # Copies: TensorFlow takes no variables as arguments of a function with its own gradient.
    return run(projected, *map(ops.copy, cell.recurrent_weights()))


def _with_rows(values, count):
    """The values (at most count, units) with rows of zeros after them."""
    missing = count - ops.shape(values)[0]
    return ops.concatenate([values, ops.zeros((missing, values.shape[1]), values.dtype)], axis=0)
