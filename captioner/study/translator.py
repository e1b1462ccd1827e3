"""Text to text: an encoder reads (many to one), the captioner's decoder writes (one to many)."""

import keras
from keras import ops

from captioner.decoder import Decoder
from captioner.decoding import stored_settings
from captioner.generation import Generation
from captioner.study.labeller import SequenceLabeller
from captioner.study.sequences import padded
from captioner.training.batches import EncodedCaptions


class Translator(Generation, keras.Model):
    """Turns texts into texts of any length: the decoder sees a text's vector, not a picture's.

    It is for learning how such models work, and cannot be saved.

    Args:
        vocabulary: Vocabulary. Of both texts.
        units: int. Size of both hidden states, and of the vector between them. Defaults to `128`.
        embedding: int. Size of a word's vector. Defaults to `32`.
        cell: `"rnn"`, `"lstm"` or `"gru"`. Defaults to `"lstm"`.
        seed: int or None. Of the weights. Defaults to `None`.

    Call arguments:
        inputs: dict with `source`, int (batch, time), padded at the end, and `words`, int
            (batch, time), the start id first.

    Returns:
        Logits (batch, time, vocabulary).

    Example:
    >>> model = captioner.Translator(captioner.Vocabulary(["one", "two"]))
    >>> words, targets = model.examples([("one", "two")])
    >>> model(words).shape
    (1, 2, 6)

    Reference: the document, section 2.2; Sutskever et al. 2014, "Sequence to sequence learning",
    section 2, where the vector is the decoder's first state.
    """

    def __init__(self, vocabulary, units=128, embedding=32, cell="lstm", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary = vocabulary
        self.encoder = SequenceLabeller(
            len(vocabulary), labels=units, units=units, embedding=embedding, cell=cell, seed=seed
        )
        self.decoder = Decoder(
            len(vocabulary), units, units=units, embedding=embedding, image_units=0, cell=cell
        )
        self.generation = stored_settings({"method": "greedy"})

    def call(self, inputs):
        return self.decoder(inputs["words"], self.encoder(inputs["source"]))

    def examples(self, pairs):
        """What `fit` takes.

        Args:
            pairs: list of (str, str), each a text and what it should become.

        Returns:
            (inputs as `call` takes them, targets (pairs, time)).
        """
        sources, wanted = zip(*pairs, strict=True)
        encoded = EncodedCaptions([[text] for text in wanted], self.vocabulary, max_length=100)
        words, targets = encoded.matrix(range(len(pairs)), len(pairs), encoded.lengths.max())
        return {"source": padded(sources, self.vocabulary), "words": words}, targets

    def translate(self, texts, **settings):
        """The texts that the model turns these texts into.

        Args:
            texts: list of str.
            **settings: of the search, as `captioner.Captioner.generate` takes them. Defaults to
                greedy search.

        Returns:
            list of str, the best for each.
        """
        found = self.decode(self.encode(texts), **self.search_settings(settings))
        return [best.text for best, *_ in found]

    def encode(self, texts):
        """One vector for each text: array (texts, units)."""
        return ops.convert_to_numpy(self.encoder(padded(texts, self.vocabulary)))

    def start(self, image):
        context, state = self.decoder.start(ops.convert_to_tensor(image))
        return _as_arrays(context), _as_arrays(state)

    def step(self, words, context, state):
        tensors = [ops.convert_to_tensor(each) for each in state]
        log_probs, state = self.decoder.step(words, context, tensors)
        return ops.convert_to_numpy(log_probs), _as_arrays(state)


def _as_arrays(tensors):
    return [ops.convert_to_numpy(each) for each in tensors]
