"""How well people agree about pictures: the scores of one of them against the others."""

from itertools import chain

from captioner.errors import require
from captioner.metrics.scores import score
from captioner.metrics.tokenization import choose_tokenization


def agreement(references, metrics=("bleu", "rouge", "cider"), tokenization="auto"):
    """Scores of people's own captions: each is left out in turn and scored against the others.

    What a captioner can be expected to reach, as far as these metrics can tell. A person has one
    reference fewer than a captioner.

    Args:
        references: dict from image id to list of str. Pictures with one caption only do not count.
        metrics, tokenization: as in `score`.

    Returns:
        dict from the metrics' names, as in `score`, to the mean over as many rounds as the picture
        with the fewest captions has: in the first the first captions of all pictures are left out,
        and so on. (CIDEr weighs words by the pictures that are scored: each round has them all.)

    Raises:
        CaptionerError: No picture has two captions.

    Example:
    >>> scores = agreement({1: ["A dog.", "A dog."], 2: ["A cat.", "A cat."]}, ["bleu"])
    >>> round(scores["BLEU-1"], 4)
    1.0

    Reference: Vinyals et al. 2015, "Show and tell", section 4.3.2, the row "Human".
    """
    usable = {name: texts for name, texts in references.items() if len(texts) > 1}
    require(usable, "agreement: no picture has two captions; agreement needs two people at least")
    tokenization = choose_tokenization(chain.from_iterable(usable.values()), tokenization)
    rounds = []
    for turn in range(min(map(len, usable.values()))):
        left_out = {name: texts[turn] for name, texts in usable.items()}
        others = {name: texts[:turn] + texts[turn + 1 :] for name, texts in usable.items()}
        rounds.append(score(others, left_out, metrics, tokenization))
    return {name: _mean([each[name] for each in rounds]) for name in rounds[0]}


def _mean(values):
    return values[0] if isinstance(values[0], str) else sum(values) / len(values)  # "n/a (...)"
