"""All caption metrics of a set of captions."""

from captioner.errors import CaptionerError, require_choice
from captioner.metrics.bleu import bleu
from captioner.metrics.cider import CiderD
from captioner.metrics.java import meteor, spice
from captioner.metrics.rouge import rouge_l
from captioner.metrics.tokenization import choose_tokenization, tokens_of

METRICS = ("bleu", "rouge", "cider", "meteor", "spice")


def score(references, captions, metrics=("bleu", "rouge", "cider"), tokenization="auto"):
    """Scores captions against their references, as coco-caption (pycocoevalcap) does.

    CIDEr weighs words by their frequency in the references given, so a part of a set does not
    score like the whole, and one image alone scores 0.

    Args:
        references: dict from image id to list of str, one or more captions by people.
        captions: dict from the same ids to str. An empty one is scored like any other.
        metrics: iterable of str. Any of `"bleu"`, `"rouge"`, `"cider"`, and of `"meteor"`,
            `"spice"`, which need Java and pycocoevalcap. Defaults to `("bleu", "rouge", "cider")`.
        tokenization: str. What counts as a word: `"ptb"`, as in coco-caption; `"characters"`, where
            a script has no spaces; or `"auto"`, which chooses by the references, see
            `choose_tokenization`. Defaults to `"auto"`.

    Returns:
        dict from `"BLEU-1"` to `"BLEU-4"`, `"ROUGE-L"`, `"CIDEr"`, `"METEOR"`, `"SPICE"`, in this
        order, those of `metrics`, to float: between 0 and 1, CIDEr between 0 and 10. Where METEOR
        or SPICE cannot run, the value is a str that says why, such as `"n/a (needs Java)"`.

    Raises:
        CaptionerError: The ids differ, an image has no reference, or a metric or tokenization is
            unknown.

    Example:
    >>> references = {1: ["A dog runs.", "A brown dog."], 2: ["Two cats sleep.", "Cats on a bed."]}
    >>> round(score(references, {1: "a dog runs", 2: "two cats"})["CIDEr"], 4)
    3.368
    """
    require_metrics(metrics)
    texts = _Texts(references, captions, tokenization)
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
        scores["SPICE"] = "n/a (English only)"
        if texts.tokenization == "ptb":
            scores["SPICE"] = spice(texts.reference_tokens, texts.caption_tokens)
    return scores


def require_metrics(names):
    """Raises CaptionerError for a name that is not one of `METRICS`.

    Example:
    >>> require_metrics(["bleu", "ciderd"])
    Traceback (most recent call last):
    captioner.errors.CaptionerError: metric 'ciderd': did you mean cider? choose one of bleu, ...
    """
    for name in names:
        require_choice("metric", name, METRICS)


def score_each(references, captions, tokenization="auto"):
    """CIDEr and BLEU-4 of each caption, to find the good and the bad ones.

    The mean of the CIDEr values is the CIDEr of the set. BLEU is made for sets: of one caption it
    is nearly 0 unless a 4-gram matches, and the mean of these values is not the BLEU of the set.

    Args:
        references: dict from image id to list of str.
        captions: dict from the same ids to str.
        tokenization: str. As for `score`. Defaults to `"auto"`.

    Returns:
        dict from id to `{"CIDEr": float, "BLEU-4": float}`, in the order of `references`.

    Raises:
        CaptionerError: The ids differ or an image has no reference.

    Example:
    >>> each = score_each({1: ["A dog."], 2: ["A cat."]}, {1: "a dog", 2: "a dog"})
    >>> each[1]["CIDEr"], each[2]["CIDEr"]
    (5.0, 0.0)
    """
    texts = _Texts(references, captions, tokenization)
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

    def __init__(self, references, captions, tokenization):
        _check(references, captions)
        texts = [text for texts in references.values() for text in texts]
        self.tokenization = choose_tokenization(texts, tokenization)
        lines = iter(tokens_of(texts, self.tokenization))
        self.reference_tokens = [[next(lines) for _ in texts] for texts in references.values()]
        written = [captions[name] for name in references]
        self.caption_tokens = tokens_of(written, self.tokenization)
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
