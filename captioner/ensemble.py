"""Several captioners that choose every word together."""

from itertools import chain

import numpy as np

from captioner.errors import CaptionerError
from captioner.generation import Generation
from captioner.vocabulary import best_informed


class Ensemble(Generation):
    """Averages the word probabilities of captioners at each step.

    Its captions have no confidence: the members' were learned from probabilities that are not
    averages.

    Args:
        members: list of Captioner, of one vocabulary, direction and picture size. The search
            settings stored in the first are taken.

    Raises:
        CaptionerError: The members' words, directions or picture sizes differ.

    Example:
    >>> ensemble = captioner.Ensemble([captioner.load("a.keras"), captioner.load("b.keras")])
    >>> ensemble.generate("photo.jpg")

    Reference: Vinyals et al. 2017, "Show and tell: lessons learned", section 4.3.3.
    """

    def __init__(self, members):
        first, *others = members
        for number, other in enumerate(others, 2):
            for what, one, two in (
                ("vocabularies", first.vocabulary.words, other.vocabulary.words),
                ("directions", first.vocabulary.direction, other.vocabulary.direction),
                ("picture sizes", first.picture_size, other.picture_size),
            ):
                if one != two:
                    raise CaptionerError(
                        f"model 1 and model {number} have different {what}: an ensemble needs "
                        "models trained on the same data with the same encoder"
                    )
        self.members = list(members)
        self.vocabulary = best_informed([each.vocabulary for each in members])
        self.generation = first.generation
        self.picture_size = first.picture_size

    def encode(self, pixels, batch_size=32):
        """What each member makes of the pictures, a list."""
        return [member.encode(pixels, batch_size) for member in self.members]

    def start(self, image):
        parts = [member.start(each) for member, each in zip(self.members, image, strict=True)]
        self._ends = [np.cumsum([len(part[which]) for part in parts])[:-1] for which in (0, 1)]
        contexts, states = zip(*parts, strict=True)
        return list(chain(*contexts)), list(chain(*states))

    def step(self, words, context, state):
        contexts, states = (
            [values[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
            for values, ends in zip((context, state), self._ends, strict=True)
        )
        found = [
            member.step(words, *parts)
            for member, *parts in zip(self.members, contexts, states, strict=True)
        ]
        log_probs, states = zip(*found, strict=True)
        mean = np.logaddexp.reduce(log_probs) - np.log(len(self.members))
        return mean, list(chain(*states))
