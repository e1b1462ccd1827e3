"""Captions without their padding: of real words, the same is computed as by the plain loop."""

import keras
import numpy as np
import pytest
from keras import ops

from captioner.decoder import Decoder
from captioner.packing import CAN_PACK, Packing, run_packed
from captioner.recurrent import ImageRNN

pytestmark = pytest.mark.skipif(not CAN_PACK, reason="this backend needs to know every size")

CELLS = ["rnn", "lstm", "gru"]
LENGTHS, TIME = [2, 4, 0, 3], 5
rng = np.random.default_rng(0)


def a_mask(lengths=LENGTHS):
    return np.arange(TIME) < np.array(lengths)[:, None]


def with_random_weights(layer):
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def value_and_gradients(run, variables):
    """What a compiled function gives, and the gradients of its sum of squares."""
    import tensorflow as tf

    @tf.function
    def learned():
        with tf.GradientTape() as tape:
            result = run()
            loss = ops.sum(ops.square(result))
        return result, list(map(tf.convert_to_tensor, tape.gradient(loss, variables)))

    return learned()


def assert_same(mine, theirs):
    for one, other in zip(keras.tree.flatten(mine), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_real_words_stand_step_by_step_with_the_longest_caption_first():
    packing = Packing(a_mask())
    numbers = 10 * np.arange(4)[:, None] + np.arange(TIME)
    steps = [[10, 30, 0], [11, 31, 1], [12, 32], [13], []]
    packed = np.asarray(packing.pack(numbers))
    assert [packed[rows].tolist() for rows in packing.steps()] == steps
    np.testing.assert_array_equal(packing.of_captions(np.arange(4)), packed // 10)


@pytest.mark.parametrize("cell", CELLS)
def test_output_and_gradients_are_those_of_the_plain_loop(cell):
    layer = ImageRNN(7, cell)
    layer.build((None, None, 3), (None, 6))
    with_random_weights(layer)
    words, image = (
        keras.Variable(rng.normal(size=shape).astype("float32"))
        for shape in ((len(LENGTHS), TIME, 3), (4, 6))
    )
    packing = Packing(a_mask())
    learned = [each.value for each in (*layer.trainable_variables, words, image)]
    packed = value_and_gradients(
        lambda: layer.run_packed(packing.pack(words.value), image.value, packing), learned
    )
    plain = value_and_gradients(
        lambda: packing.pack(layer(words.value, image.value, mask=a_mask())), learned
    )
    assert_same(packed, plain)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_with_recurrent_dropout_are_those_of_the_steps(cell):
    made = ImageRNN(7, cell)
    made.build((None, None, 3), (None, 6))
    cell = with_random_weights(made.cell)
    lengths = [4, 3, 1]  # the longest first, as the rows of the dropout mask are
    packing = Packing(a_mask(lengths))
    dropped = rng.integers(0, 2, size=(3, 7)).astype("float32")
    projected = keras.Variable(rng.normal(size=(8, cell.gates * 7)).astype("float32"))

    def by_steps():
        states, found = [ops.zeros((3, 7))] * len(cell.state_names), []
        for rows, count in zip(packing.steps(), [3, 2, 2, 1, 0], strict=True):
            states = [each[:count] for each in states]
            states = cell.step(projected.value[rows], states, dropped[:count])
            found.append(states[0])
        return ops.concatenate(found, axis=0)

    weights = [cell.w_hh.value, projected.value, *[cell.bias.value] * (cell.gates == 3)]
    packed = value_and_gradients(
        lambda: run_packed(cell, projected.value, packing, dropped), weights
    )
    assert_same(packed, value_and_gradients(by_steps, weights))


@pytest.mark.parametrize(
    "settings", [{"layers": 2}, {"implementation": "keras"}, {"attention": "additive"}], ids=str
)
def test_a_decoder_gives_the_logits_of_real_words(settings):
    decoder = with_random_weights(Decoder(20, 6, units=7, embedding=3, **settings))
    words = rng.integers(4, 20, size=a_mask().shape) * a_mask()
    image = rng.normal(size=(4, 5, 6) if "attention" in settings else (4, 6)).astype("float32")
    packed = decoder(words, image, packed=True)
    np.testing.assert_allclose(
        packed, Packing(a_mask()).pack(decoder(words, image)), rtol=1e-4, atol=1e-5
    )
