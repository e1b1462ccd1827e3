"""ROUGE-L: the longest common subsequence of words."""

_BETA = 1.2  # coco-caption's: recall weighs more than precision


def rouge_l(references, caption):
    """ROUGE-L of one caption, as coco-caption computes it.

    The best precision and the best recall, which may come from different references, in one
    F-score with beta 1.2. An empty text counts as one empty word.

    Args:
        references: list of token lists.
        caption: list of tokens.

    Returns:
        float between 0 and 1.

    Reference:
        Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries, section 3.

    Example:
    >>> round(rouge_l([["a", "dog", "runs", "fast"]], ["a", "dog", "sits"]), 4)
    0.5571
    """
    caption = caption or [""]
    places = {}
    for place, word in enumerate(caption):
        places[word] = places.get(word, 0) | 1 << place
    precision = recall = 0.0
    for reference in references:
        reference = reference or [""]
        common = _common_length(places, len(caption), reference)
        precision = max(precision, common / len(caption))
        recall = max(recall, common / len(reference))
    if not precision:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common_length(places, length, words):
    """Length of the longest common subsequence, all places of the caption at once.

    Each bit of `row` is a place of the caption: 0 where the table of dynamic programming grows by
    one. (Hyyrö 2004, Bit-Parallel LCS-length Computation Revisited.)

    Args:
        places: dict. Word to its places in the caption, one bit each.
        length: int. Words in the caption.
        words: list of str. The other text.
    """
    everywhere = (1 << length) - 1
    row = everywhere
    for word in words:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & everywhere
    return length - row.bit_count()
