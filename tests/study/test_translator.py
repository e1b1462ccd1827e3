"""Text to text."""

import keras
import pytest

from captioner import Translator, Vocabulary

PAIRS = [
    ("a red circle above a blue star", "a blue star below a red circle"),
    ("a blue star above a red circle", "a red circle below a blue star"),
    ("two stars", "stars two"),
    ("three circles", "circles three"),
]


@pytest.mark.long
def test_pairs_are_learned_by_heart_and_said_again():
    vocabulary = Vocabulary.build([text for pair in PAIRS for text in pair], min_count=1)
    model = Translator(vocabulary, units=32, embedding=16, cell="gru", seed=0)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        jit_compile=False,  # quicker to trace
    )
    inputs, targets = model.examples(PAIRS)
    assert inputs["words"].shape == targets.shape == (4, 8)  # seven words and the end
    model.fit(inputs, targets, epochs=80, verbose=0)
    sources, wanted = zip(*PAIRS, strict=True)
    assert model.translate(list(sources)) == list(wanted)
    assert model.translate(list(sources), method="beam", beam_size=2) == list(wanted)
