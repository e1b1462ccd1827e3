"""Re-ranking: one captioner writes captions, and another that reads backwards helps to choose."""

from captioner.decoding import DEFAULT, check_settings
from captioner.errors import require
from captioner.generation import Generation
from captioner.vocabulary import tokenize

WEIGHT = 0.5  # of the judgement, by default


class Reranked(Generation):
    """Beam search by one captioner, whose hypotheses another one helps to rank.

    The document's best practices recommend bidirectional recurrences. In the decoder of a captioner
    such a layer would see, in training, the words that it must predict. Here the second direction
    has a decoder of its own, which has learned to write captions from their last word to their
    first, and judges whole captions only. A caption's confidence is what the first captioner gives
    it: it comes from the probabilities of the words, and the judgement does not change it.

    Args:
        forward: Captioner. Writes the captions.
        backward: Captioner. Judges them; trained with `--direction backward`.
        weight: float from 0 to 1. How much the judgement counts: scores are
            (1 - weight) · forward + weight · backward, both log-probabilities normalised by length.
            Defaults to `0.5`.

    Raises:
        CaptionerError: The picture sizes differ, a direction is wrong, or the weight is out of
            range.

    Example:
    >>> forward, backward = captioner.load("runs/a/best.keras"), captioner.load("runs/b/best.keras")
    >>> model = captioner.Reranked(forward, backward)
    >>> model.generate("photo.jpg", beam_size=5)
    """

    def __init__(self, forward, backward, weight=WEIGHT):
        require(
            forward.picture_size == backward.picture_size,
            "the two models have different picture sizes; use one encoder",
        )
        for model, direction, does in (
            (forward, "forward", "writes"),
            (backward, "backward", "re-ranks"),
        ):
            require(
                model.vocabulary.direction == direction,
                f"the model that {does} must be trained with --direction {direction}",
            )
        require(0 <= weight <= 1, f"weight {weight}: must be from 0 to 1")
        self.forward, self.backward, self.weight = forward, backward, weight
        self.vocabulary = forward.vocabulary
        self.generation = forward.generation
        self.confidence = forward.confidence
        self.picture_size = forward.picture_size

    def encode(self, pixels, batch_size=32):
        return [model.encode(pixels, batch_size) for model in (self.forward, self.backward)]

    def decode(
        self,
        image,
        method="beam",
        beam_size=DEFAULT.beam_size,
        length_penalty=DEFAULT.length_penalty,
        n_best=DEFAULT.n_best,
        **settings,
    ):
        """As `Generation.decode`: ranks all that the beam holds, and returns the n_best."""
        require(
            method == "beam",
            f"method {method}: re-ranking needs several captions, which only beam search has",
        )
        check_settings({"beam_size": beam_size, "n_best": n_best})
        own, other = image
        search = {"beam_size": beam_size, "length_penalty": length_penalty, **settings}
        found = self.forward.decode(own, method="beam", n_best=beam_size, **search)
        most = max(len(captions) for captions in found)
        texts = [[each.text for each in captions] for captions in found]
        padded = [each + each[-1:] * (most - len(each)) for each in texts]
        judged = self.backward.log_probabilities(other, padded)
        return [
            self._ranked(captions, judgement, length_penalty)[:n_best]
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
