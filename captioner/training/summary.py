"""What a run reports before its first epoch."""

from captioner.errors import counted
from captioner.training.history_files import left_out
from captioner.training.set_scores import tokenization_of
from captioner.training.sources import shares
from captioner.vocabulary import UNKNOWN


def summary(config, captioner, data, stages, devices):
    """Where a run learns, and the sizes of what it learns from and of what learns.

    Args:
        config: TrainConfig.
        captioner: Captioner.
        data: TrainingData.
        stages: list of Stage classes, those of the run.
        devices: OneDevice or Replicas.

    Yields:
        str. Lines for the log.
    """
    if config.out:
        yield from (f"note: {line}" for line in left_out())
    if devices.describe():
        yield devices.describe()
    yield (
        f"{_size(data.training, len(data.captions))} to learn from, "
        f"{counted(len(data.validation), 'picture')} to choose by; "
        f"vocabulary {len(captioner.vocabulary)} (words seen at least {config.min_count} times)"
    )
    if len(data.training.by_set()) > 1:
        yield from _of_each_set(config, data)
    if data.text:
        yield from _of_text(data, stages)
    if tokenization_of(data.validation) == "characters":
        yield (
            "note: the captions are in a script without spaces: each character is a word, in "
            "training and in the scores, which cannot be compared with scores of whole words"
        )
    if data.captions.cut:
        yield _of_cut_captions(data.captions, config.max_length)
    yield (
        f"{config.encoder} {captioner.encoder.count_params():,} weights, decoder "
        f"({config.cell}, {config.implementation}) {captioner.decoder.count_params():,}"
    )


def _size(pictures, captions):
    return f"{counted(len(pictures), 'picture')} with {counted(captions, 'caption')}"


def _of_each_set(config, data):
    """What each of several data sets brings."""
    weights, chosen_by = shares(config), data.validation.by_set()
    for name, rows in data.training.by_set().items():
        captions = sum(len(data.training.captions[n]) for n in rows)
        share = weights.get(name, captions / len(data.captions))
        own = f"; {counted(len(chosen_by.get(name, ())), 'picture')} to choose by"
        if "" in chosen_by:  # one --val-data for all sets
            own = ""
        yield (f"{name}: {_size(rows, captions)}, {100 * share:.1f} % of what is learned from{own}")


def _of_cut_captions(captions, most):
    """How many captions were cut, and which length would leave all but 1 in 100 whole."""
    cut = f"{captions.cut} of {len(captions)} captions are longer than --max-length {most} words"
    allowed = len(captions) // 100
    if captions.cut <= allowed:
        return f"note: {cut} and are cut"
    enough = sorted(captions.cut_lengths, reverse=True)[allowed]
    return f"note: {cut} and are cut; with --max-length {enough} at most 1 in 100 is"


def _of_text(data, stages):
    """How many captions have no pictures, and how many of their words are unknown."""
    counts = data.text.word_counts()[UNKNOWN:]  # the unknown word comes before the known ones
    unknown = 100 * counts[0] / max(1, counts.sum())
    yield (
        f"{counted(len(data.text), 'caption')} without pictures; "
        f"{unknown:.1f} % of their words are not in the vocabulary"
    )
    if not any(stage.learns_from_text(data.config) for stage in stages):
        yield "note: no stage learns from --text; give --text-epochs, or --text-weight"
