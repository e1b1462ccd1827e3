"""BLEU: nltk's n-gram precision and brevity penalty, put together as coco-caption does."""

_MATCHED_NOTHING = 1e-15
_NO_NGRAMS = 1e-9


def bleu(references, captions):
    """BLEU-1 to BLEU-4 of a set of captions.

    nltk's `corpus_bleu` on the same tokens, but for two cases where coco-caption does otherwise: a
    caption of fewer than n words adds nothing to the n-grams (nltk counts one), and where no
    n-gram matches at all the precision is not 0 but 1e-15 / number of n-grams, so that the BLEU-4
    of a few captions without a common 4-gram is not 0 but somewhere below 1e-4.

    Args:
        references: list (captions) of lists of token lists.
        captions: list of token lists, the same order.

    Returns:
        list of 4 floats between 0 and 1.

    Reference:
        Papineni et al. 2002, BLEU: a Method for Automatic Evaluation of Machine Translation.

    Example:
    >>> [round(score, 4) for score in bleu([[["a", "dog", "runs"]]], [["a", "dog", "sits"]])]
    [0.6667, 0.5774, 0.0, 0.0]
    """
    # Here, not above: importing nltk takes longer than all the rest of this package.
    from nltk.translate.bleu_score import brevity_penalty, closest_ref_length, modified_precision

    matched, possible = [0] * 4, [0] * 4
    caption_length = reference_length = 0
    for its_references, caption in zip(references, captions, strict=True):
        caption_length += len(caption)
        reference_length += closest_ref_length(its_references, len(caption))
        for n in range(1, 5):
            possible[n - 1] += max(0, len(caption) - n + 1)
        for n in range(1, 5):
            matches = modified_precision(its_references, caption, n).numerator
            if not matches:
                break  # so there is no longer match either
            matched[n - 1] += matches
    penalty = brevity_penalty(reference_length, caption_length)
    scores, product = [], 1.0
    for n in range(1, 5):
        product *= (matched[n - 1] + _MATCHED_NOTHING) / (possible[n - 1] + _NO_NGRAMS)
        scores.append(penalty * product ** (1 / n))
    return scores
