"""How varied captions are, which no comparison with references shows."""

from itertools import chain

from captioner.metrics.tokenization import choose_tokenization, tokens_of


def diversity(captions, training_captions, tokenization="auto"):
    """Statistics that show whether a captioner says the same of everything.

    Captions are compared by their tokens, so case and punctuation make no difference.

    Args:
        captions: list of str.
        training_captions: iterable of str. What the model could have copied.
        tokenization: str. As for `score`, `"auto"` choosing by the training captions. Defaults to
            `"auto"`.

    Returns:
        dict of `"distinct"`, the share of different captions among `captions`; `"copied"`, the
        share of captions that are also training captions; `"words"`, the number of different words
        used; `"length"`, the mean number of words. All 0 where there are no captions.

    Reference:
        van Miltenburg et al. 2018, Measuring the Diversity of Automatic Image Descriptions.

    Example:
    >>> diversity(["A dog.", "a dog", "A red bus"], ["a red bus", "a cat"])["distinct"]
    0.6666666666666666
    """
    training_captions = list(training_captions)
    tokenization = choose_tokenization(training_captions, tokenization)
    # One by one: what a caption's last word is must not depend on the caption after it.
    spoken = [tuple(*tokens_of([caption], tokenization)) for caption in captions]
    heard = {tuple(*tokens_of([caption], tokenization)) for caption in training_captions}
    number = max(1, len(spoken))
    return {
        "distinct": len(set(spoken)) / number,
        "copied": sum(caption in heard for caption in spoken) / number,
        "words": len(set(chain.from_iterable(spoken))),
        "length": sum(map(len, spoken)) / number,
    }
