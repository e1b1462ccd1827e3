"""What the scores count as a word: a word of coco-caption, or a character.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces. coco-caption's tokens
are whole phrases there, hardly one of which is in two captions, so CIDEr and BLEU would stay 0.
Published scores of Chinese and Japanese captions count the words that some program finds in them,
or characters; scores of different tokenizations cannot be compared.
"""

from captioner.errors import require_choice
from captioner.metrics.ptb_tokenizer import tokenize_lines
from captioner.vocabulary import count_spaceless, tokenize

TOKENIZATIONS = ("auto", "ptb", "characters")
LEAST_SPACELESS = 0.2  # share of the words, from which captions are cut into characters


def choose_tokenization(captions, tokenization="auto"):
    """The tokenization that suits a set of captions.

    Args:
        captions: iterable of str. The references.
        tokenization: str. `"ptb"`, `"characters"`, or `"auto"`. Defaults to `"auto"`.

    Returns:
        str. What is given, unless that is `"auto"`: `"characters"` where at least a fifth of the
        words of the captions are characters of a script written without spaces, else `"ptb"`.

    Raises:
        CaptionerError: There is no such tokenization.

    Example:
    >>> choose_tokenization(["一只狗在草地上", "dog 和猫"]), choose_tokenization(["a dog"])
    ('characters', 'ptb')
    """
    require_choice("tokenization", tokenization, TOKENIZATIONS)
    if tokenization != "auto":
        return tokenization
    words = spaceless = 0
    for caption in captions:
        found = count_spaceless(caption)
        # Blanks are enough to count other words by, and 20 times as quick as to find them.
        words += len(tokenize(caption)) if found else caption.count(" ") + 1
        spaceless += found
    return "characters" if spaceless and spaceless >= LEAST_SPACELESS * words else "ptb"


def tokens_of(captions, tokenization):
    """The tokens of captions.

    Args:
        captions: list of str.
        tokenization: str. `"ptb"`, as coco-caption cuts them, see `tokenize_ptb`; or
            `"characters"`, as captioners learn them, see `captioner.vocabulary.tokenize`: each
            character of a script without spaces is a token, with the marks on it, and so is each
            word and number of other scripts.

    Returns:
        list of lists of str.

    Example:
    >>> tokens_of(["一只 dog。"], "characters"), tokens_of(["一只 dog。"], "ptb")
    ([['一', '只', 'dog']], [['一只', 'dog', '。']])
    """
    if tokenization == "characters":
        return [tokenize(caption) for caption in captions]
    return tokenize_lines(captions)
