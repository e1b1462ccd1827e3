"""Two readers: a captioner writes, another that reads backwards has a say in which is best."""

from captioner.decoding import BEAM_SIZE
from captioner.errors import CaptionerError
from captioner.generation import Generation
from captioner.vocabulary import tokenize


class Reranked(Generation):
    """Beam search by one captioner, its hypotheses put in a new order with the help of another.

    The document's best practices ask for bidirectional recurrences. In the decoder of a captioner
    such a layer would see, in training, the very words it is to predict. Here the second direction
    has a decoder of its own, which has learned to write captions from their last word to their
    first, and judges whole captions only.

    Args:
        forward: Captioner. Writes the captions.
        backward: Captioner. Judges them; trained with `--direction backward`.
        weight: float between 0 and 1. How much it has to say: scores are
            (1 - weight) · forward + weight · backward, both log-probabilities normalised by length.
            Defaults to `0.5`.

    Raises:
        CaptionerError: The picture sizes differ, a direction is the wrong one, or the weight is out
            of range.

    Example:
    >>> forward, backward = captioner.load("runs/a/best.keras"), captioner.load("runs/b/best.keras")
    >>> model = captioner.Reranked(forward, backward)
    >>> model.generate("photo.jpg", beam_size=5)
    """

    def __init__(self, forward, backward, weight=0.5):
        if forward.picture_size != backward.picture_size:
            raise CaptionerError("the two models have different picture sizes; use one encoder")
        for model, direction in ((forward, "forward"), (backward, "backward")):
            if model.vocabulary.direction != direction:
                raise CaptionerError(
                    f"the model that {'writes' if direction == 'forward' else 're-ranks'} must be "
                    f"one trained with --direction {direction}"
                )
        if not 0 <= weight <= 1:
            raise CaptionerError(f"weight {weight}: must be between 0 and 1")
        self.forward, self.backward, self.weight = forward, backward, weight
        self.vocabulary = forward.vocabulary
        self.generation = forward.generation
        self.picture_size = forward.picture_size

    def encode(self, pixels, batch_size=32):
        return [model.encode(pixels, batch_size) for model in (self.forward, self.backward)]

    def decode(self, image, method="beam", **settings):
        if method != "beam":
            raise CaptionerError(f"method {method}: only beam search has several captions to rank")
        settings = {**settings, "n_best": settings.get("beam_size", BEAM_SIZE)}
        own, other = image
        found = self.forward.decode(own, method="beam", **settings)
        most = max(len(captions) for captions in found)
        texts = [[each.text for each in captions] for captions in found]
        padded = [each + each[-1:] * (most - len(each)) for each in texts]
        judged = self.backward.log_probabilities(other, padded)
        penalty = settings.get("length_penalty", 1.0)
        return [
            self._ranked(captions, judgement, penalty)
            for captions, judgement in zip(found, judged, strict=True)
        ]

    def _ranked(self, captions, judgement, penalty):
        scored = [
            each._replace(
                score=(1 - self.weight) * each.score
                + self.weight * float(backward) / (len(tokenize(each.text)) + 1) ** penalty
            )
            for each, backward in zip(captions, judgement, strict=False)
        ]
        return sorted(scored, key=lambda each: -each.score)
