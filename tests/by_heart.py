"""A few captions learned by heart and said again, for decoders of every kind."""

import keras
import numpy as np

from captioner.training.teacher_forcing import word_loss
from captioner.vocabulary import END, START

CAPTIONS = np.array([[4, 5, 6, 2, 0], [5, 5, 8, 7, 2], [7, 2, 0, 0, 0], [8, 4, 4, 4, 2]])


def learn_by_heart(decoder, image):
    """Trains a decoder of 9 words on four captions, and has it say them word for word.

    Args:
        decoder: Decoder.
        image: float array (4, ...), a picture for each caption.
    """
    words = np.concatenate([np.full((4, 1), START), CAPTIONS[:, :-1]], axis=1)
    words[words == END] = 0
    inputs = keras.Input((5,), dtype="int32"), keras.Input(image.shape[1:])
    model = keras.Model(inputs, decoder(*inputs))
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=word_loss)
    model.fit((words, image), CAPTIONS, epochs=150, batch_size=4, verbose=0)
    assert model.evaluate((words, image), CAPTIONS, verbose=0) < 0.1
    context, state = decoder.start(image)
    said, word = [], np.full(4, START)
    for _ in range(5):
        log_probs, state = decoder.step(word, context, state)
        word = np.argmax(log_probs, axis=-1)
        said.append(word)
    for row, caption in zip(np.stack(said, 1), CAPTIONS, strict=True):
        length = list(caption).index(END) + 1
        assert list(row[:length]) == list(caption[:length])
