"""All caption metrics of a set of captions."""

import difflib

from captioner.errors import CaptionerError
from captioner.metrics.bleu import bleu
from captioner.metrics.cider import CiderD
from captioner.metrics.java import meteor, spice
from captioner.metrics.ptb_tokenizer import tokenize_lines
from captioner.metrics.rouge import rouge_l

METRICS = ("bleu", "rouge", "cider", "meteor", "spice")


def score(references, captions, metrics=("bleu", "rouge", "cider")):
    """Scores captions against their references, as coco-caption (pycocoevalcap) does.

    CIDEr weighs words by their frequency in the references given, so a part of a set does not
    score like the whole, and one image alone scores 0.

    Args:
        references: dict from image id to list of str, one or more captions by people.
        captions: dict from the same ids to str. An empty one is scored like any other.
        metrics: iterable of str. Any of `"bleu"`, `"rouge"`, `"cider"`, and of `"meteor"`,
            `"spice"`, which need Java and pycocoevalcap. Defaults to `("bleu", "rouge", "cider")`.

    Returns:
        dict from `"BLEU-1"` to `"BLEU-4"`, `"ROUGE-L"`, `"CIDEr"`, `"METEOR"`, `"SPICE"`, in this
        order, those of `metrics`, to float: between 0 and 1, CIDEr between 0 and 10. Where METEOR
        or SPICE cannot run, the value is a str that says why, such as `"n/a (needs Java)"`.

    Raises:
        CaptionerError: The ids differ, an image has no reference, or a metric is unknown.

    Example:
    >>> references = {1: ["A dog runs.", "A brown dog."], 2: ["Two cats sleep.", "Cats on a bed."]}
    >>> round(score(references, {1: "a dog runs", 2: "two cats"})["CIDEr"], 4)
    3.368
    """
    require_metrics(metrics)
    texts = _Texts(references, captions)
    scores = {}
    if "bleu" in metrics:
        values = bleu(texts.reference_words, texts.caption_words)
        scores |= {f"BLEU-{n}": value for n, value in enumerate(values, 1)}
    if "rouge" in metrics:
        values = map(rouge_l, texts.reference_tokens, texts.caption_tokens)
        scores["ROUGE-L"] = sum(values) / len(captions)
    if "cider" in metrics:
        scores["CIDEr"] = float(texts.cider().mean())
    if "meteor" in metrics:
        scores["METEOR"] = meteor(texts.reference_tokens, texts.caption_tokens)
    if "spice" in metrics:
        scores["SPICE"] = spice(texts.reference_tokens, texts.caption_tokens)
    return scores


def require_metrics(names):
    """Raises CaptionerError for a name that is not one of `METRICS`.

    Example:
    >>> require_metrics(["bleu", "ciderd"])
    Traceback (most recent call last):
    captioner.errors.CaptionerError: metric 'ciderd': choose one of bleu, rouge, cider, ...
    """
    for name in names:
        if name not in METRICS:
            close = difflib.get_close_matches(name.lower(), METRICS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise CaptionerError(f"metric {name!r}: choose one of {', '.join(METRICS)}{hint}")


def score_each(references, captions):
    """CIDEr and BLEU-4 of each caption, to find the good and the bad ones.

    The mean of the CIDEr values is the CIDEr of the set. BLEU is made for sets: of one caption it
    is nearly 0 unless a 4-gram matches, and the mean of these values is not the BLEU of the set.

    Args:
        references: dict from image id to list of str.
        captions: dict from the same ids to str.

    Returns:
        dict from id to `{"CIDEr": float, "BLEU-4": float}`, in the order of `references`.

    Raises:
        CaptionerError: The ids differ or an image has no reference.

    Example:
    >>> each = score_each({1: ["A dog."], 2: ["A cat."]}, {1: "a dog", 2: "a dog"})
    >>> each[1]["CIDEr"], each[2]["CIDEr"]
    (5.0, 0.0)
    """
    texts = _Texts(references, captions)
    return {
        name: {"CIDEr": float(cider), "BLEU-4": bleu([its_references], [caption])[3]}
        for name, cider, its_references, caption in zip(
            references, texts.cider(), texts.reference_words, texts.caption_words, strict=True
        )
    }


class _Texts:
    """References and captions as tokens, in the same order.

    coco-caption joins the tokens with blanks and cuts them again. Its ROUGE-L cuts at blanks only;
    BLEU and CIDEr cut at no-break spaces too, and see two words in the token `1 1/2`.
    """

    def __init__(self, references, captions):
        _check(references, captions)
        lines = iter(tokenize_lines([text for texts in references.values() for text in texts]))
        self.reference_tokens = [[next(lines) for _ in texts] for texts in references.values()]
        self.caption_tokens = tokenize_lines([captions[name] for name in references])
        self.reference_words = [list(map(_words, texts)) for texts in self.reference_tokens]
        self.caption_words = list(map(_words, self.caption_tokens))

    def cider(self):
        """The CIDEr of each caption."""
        scorer = CiderD(dict(enumerate(self.reference_words)))
        return scorer.score(list(enumerate(self.caption_words)))


def _words(tokens):
    return " ".join(tokens).split()


def _check(references, captions):
    if not references:
        raise CaptionerError("there are no captions to score; check the data set and its split")
    missing = [name for name in references if name not in captions]
    if missing:
        raise CaptionerError(
            f"{len(missing)} of {len(references)} images with references have no caption, the "
            f"first {missing[0]!r}; score the same ids on both sides"
        )
    extra = [name for name in captions if name not in references]
    if extra:
        raise CaptionerError(
            f"{len(extra)} of {len(captions)} captions have no references, the first "
            f"{extra[0]!r}; score the same ids on both sides"
        )
    bare = [name for name, texts in references.items() if not texts or isinstance(texts, str)]
    if bare:
        raise CaptionerError(
            f"image {bare[0]!r} needs a list of one reference or more, not {references[bare[0]]!r}"
        )
