"""How far back a recurrence learns: gradients over time, by hand and by the backend.

For notebooks and `python -m captioner compare`; training does not use it.
"""

import numpy as np

from captioner.errors import require


def gradient_norms(layer, words, image, seed=0):
    """How much the last hidden state depends on the input of each step.

    The norm of the gradient of v·h_T by x_t, where v is a random direction for each row: the mean
    over the rows. Where it falls towards 0 with the distance T - t the gradient vanishes, and
    nothing can be learned from what was read there; where it grows, it explodes. TensorFlow only.

    Args:
        layer: ImageRNN, of either implementation.
        words: array (batch, time, embed).
        image: array, as the layer takes it.
        seed: int. Of the directions. Defaults to `0`.

    Returns:
        Array (time,); the last is that of distance 0.

    Example:
    >>> layer = captioner.ImageRNN(8, cell="lstm")
    >>> words, image = np.ones((2, 5, 4), "float32"), np.zeros((2, 1), "float32")
    >>> captioner.gradients.gradient_norms(layer, words, image).shape
    (5,)

    Reference: the document, section 1.1; Pascanu et al. 2013, "On the difficulty of training
    recurrent neural networks", section 2.
    """
    import keras
    import tensorflow as tf

    require(
        keras.backend.backend() == "tensorflow", "gradient_norms: needs KERAS_BACKEND=tensorflow"
    )
    words = tf.convert_to_tensor(words)
    direction = np.random.default_rng(seed).normal(size=(words.shape[0], layer.units))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    with tf.GradientTape() as tape:
        tape.watch(words)
        last = layer(words, image)[:, -1]
        seen = tf.reduce_sum(last * direction.astype("float32"))
    gradient = tape.gradient(seen, words).numpy()  # (batch, time, embed)
    return np.linalg.norm(gradient, axis=-1).mean(axis=0)


def back_propagation_through_time(layer, words, image, hidden_gradient):
    """The gradient of w_hh of a plain RNN by hand: one term a step, whose sum is the gradient.

        δ_t = (∂L/∂h_t + δ_{t+1} w_hhᵀ) (1 - h_t²),   ∂L/∂w_hh = Σ_t h_{t-1}ᵀ δ_t

    Vectors are rows, as in all the code, which computes w_hh h_{t-1} as `hidden @ w_hh`.

    Args:
        layer: ImageRNN with cell `"rnn"` and no attention, of either implementation.
        words: array (batch, time, embed).
        image: array (batch, features).
        hidden_gradient: array (batch, time, units), ∂L/∂h_t of the loss at each step alone.

    Returns:
        Array (time, units, units).

    Example:
    >>> layer = captioner.ImageRNN(8, cell="rnn")
    >>> words, image = np.ones((2, 5, 4), "float32"), np.ones((2, 3), "float32")
    >>> from captioner.study.gradients import back_propagation_through_time
    >>> back_propagation_through_time(layer, words, image, np.ones((2, 5, 8))).shape
    (5, 8, 8)

    Reference: the document, section 2.2; Werbos 1990, "Backpropagation through time".
    """
    require(
        layer.cell_name == "rnn" and layer.attention is None,
        "back_propagation_through_time: only for a plain RNN without attention",
    )
    hidden = np.asarray(layer(words, image))
    before = np.concatenate([np.zeros_like(hidden[:, :1]), hidden[:, :-1]], axis=1)  # h_{t-1}
    w_hh = layer.equation_weights()["w_hh"]
    terms = np.zeros((hidden.shape[1], *w_hh.shape))
    delta = np.zeros_like(hidden[:, 0])
    for t in reversed(range(hidden.shape[1])):
        delta = (hidden_gradient[:, t] + delta @ w_hh.T) * (1 - hidden[:, t] ** 2)
        terms[t] = before[:, t].T @ delta
    return terms
