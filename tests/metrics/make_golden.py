"""Writes golden/coco_caption.json: what pycocoevalcap makes of golden/captions.json.

The captions were invented for this purpose, half of them to be hard to tokenize. To make the file
anew, where Java and pycocoevalcap are installed:

    python -m tests.metrics.make_golden
"""

import contextlib
import io
import json
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
# Scenes scored together: the first and one behind the last. 24 to 30 have odd captions, an empty
# one, one word, punctuation only; no caption of 11 to 14 has a 4-gram of its references.
SETS = {"all": (0, 40), "one": (0, 1), "two": (5, 7), "no 4-gram": (11, 15), "odd": (24, 31)}


def missing():
    """Why pycocoevalcap cannot run here, or None."""
    if shutil.which("java") is None:
        return "java is not on PATH"
    try:
        version("pycocoevalcap")
    except PackageNotFoundError:
        return "pycocoevalcap is not installed"
    return None


def coco_tokens(texts):
    """pycocoevalcap's tokens of a list of str, each as one str."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    found = PTBTokenizer().tokenize({n: [{"caption": text}] for n, text in enumerate(texts)})
    return [line for lines in found.values() for line in lines]


def coco_scores(references, captions):
    """pycocoevalcap's scores of the set, and the CIDEr and BLEU-4 of each caption."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    lines = iter(coco_tokens([text for texts in references.values() for text in texts]))
    references = {name: [next(lines) for _ in texts] for name, texts in references.items()}
    lines = iter(coco_tokens([captions[name] for name in references]))
    captions = {name: [next(lines)] for name in references}
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, bleu_each = Bleu(4).compute_score(references, captions)
    rouge, _ = Rouge().compute_score(references, captions)
    cider, cider_each = Cider().compute_score(references, captions)
    scores = {f"BLEU-{n}": value for n, value in enumerate(bleu, 1)}
    scores |= {"ROUGE-L": float(rouge), "CIDEr": float(cider)}
    each = {
        name: {"CIDEr": float(its_cider), "BLEU-4": its_bleu}
        for name, its_cider, its_bleu in zip(references, cider_each, bleu_each[3], strict=True)
    }
    return scores, each


def load_captions():
    """The invented captions: references {scene: [str]}, captions {scene: str}, lines [str]."""
    given = json.loads((GOLDEN / "captions.json").read_text(encoding="utf-8"))
    references = {n: scene["references"] for n, scene in enumerate(given["scenes"])}
    captions = {n: scene["caption"] for n, scene in enumerate(given["scenes"])}
    return references, captions, given["lines"]


def part(texts, name):
    """The scenes of one of `SETS`."""
    return {n: texts[n] for n in range(*SETS[name])}


def main():
    references, captions, lines = load_captions()
    tokens = {
        "references": coco_tokens([text for texts in references.values() for text in texts]),
        "captions": coco_tokens(list(captions.values())),
        "lines": coco_tokens(lines),
    }
    scores, each = {}, {}
    for name in SETS:
        scores[name], each[name] = coco_scores(part(references, name), part(captions, name))
    golden = {
        "made_with": f"pycocoevalcap {version('pycocoevalcap')}",
        "scores": scores,
        "each": list(each["all"].values()),
        "tokens": tokens,
    }
    text = json.dumps(golden, ensure_ascii=False, indent=1)
    (GOLDEN / "coco_caption.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
