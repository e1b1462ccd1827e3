"""What a run changes where there are few captions to learn from.

The defaults suit thousands of captions. Of fifty, hardly a word is seen five times, and all are one
batch, so that fifteen epochs would be fifteen steps.
"""

import dataclasses
from collections import Counter

from captioner.errors import flag
from captioner.metrics import seem_english
from captioner.training.config import TrainConfig
from captioner.vocabulary import tokenize

MANY = 10_000  # captions; they are never few
LEAST_KNOWN = 0.85  # share of the words of the captions that the vocabulary should know
FEWEST_STEPS = 4  # in an epoch, but for the smallest batch
SMALLEST_BATCH = 4  # captions
ADAPTED = ("min_count", "batch_size")


def adapted(config, captions):
    """The settings that suit so few captions; settings that differ from their defaults stay.

    Args:
        config: TrainConfig.
        captions: list of str. All that is learned from with pictures.

    Returns:
        TrainConfig. The least count of a word is lowered until the vocabulary knows 85 percent of
        the words said; the batch size, until an epoch has 4 steps, or a batch 4 captions.

    Example:
    >>> config = adapted(TrainConfig(), ["a dog runs", "a cat sleeps"] * 20)
    >>> config.min_count, config.batch_size
    (5, 10)
    """
    if not config.adapt_to_few or len(captions) >= MANY:
        return config
    suited = {
        "min_count": _least_count(captions, config.min_count),
        "batch_size": min(config.batch_size, max(SMALLEST_BATCH, len(captions) // FEWEST_STEPS)),
    }
    changed = {name: value for name, value in suited.items() if _is_default(config, name)}
    return dataclasses.replace(config, **changed)


def note(given, config, captions):
    """A line about what `adapted` changed.

    Args:
        given, config: TrainConfig. The settings before and after.
        captions: list of str.

    Returns:
        str. Empty where nothing is changed.
    """
    changes = [
        f"{flag(name)} {getattr(config, name)} in place of {getattr(given, name)}"
        for name in ADAPTED
        if getattr(config, name) != getattr(given, name)
    ]
    if not changes:
        return ""
    line = f"few captions ({len(captions)}): {' and '.join(changes)} (--no-adapt-to-few keeps them)"
    if config.init_from or not seem_english(captions):
        return line
    return f"{line}; --init-from everyday needs fewer pictures"


def _least_count(captions, most):
    counts = Counter(word for caption in captions for word in tokenize(caption))
    enough = LEAST_KNOWN * counts.total()
    for least in range(most, 1, -1):
        if sum(count for count in counts.values() if count >= least) >= enough:
            return least
    return 1


def _is_default(config, name):
    return getattr(config, name) == getattr(TrainConfig, name)
