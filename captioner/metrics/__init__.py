"""Caption metrics: BLEU, ROUGE-L and CIDEr-D equal to coco-caption's, without Java.

Captions in scripts without spaces are scored by characters, see `choose_tokenization`. METEOR and
SPICE need Java and the optional package pycocoevalcap. It may import the road only (the modules of
`captioner` itself).

Example:
>>> from captioner import metrics
>>> references = {1: ["A dog runs.", "A brown dog."], 2: ["Two cats sleep.", "Cats on a bed."]}
>>> scores = metrics.score(references, {1: "a dog runs", 2: "cats sleep"}, ["bleu", "cider"])
>>> {name: round(value, 2) for name, value in scores.items() if name in ("BLEU-2", "CIDEr")}
{'BLEU-2': 0.82, 'CIDEr': 3.37}
"""

from captioner.metrics.agreement import agreement
from captioner.metrics.calibration import calibrate
from captioner.metrics.cider import CiderD, NGramFrequencies
from captioner.metrics.diversity import diversity
from captioner.metrics.faults import caption_faults, faults_of, seem_english
from captioner.metrics.ptb_tokenizer import tokenize_ptb
from captioner.metrics.results import load_results, require_replaceable_results, save_results
from captioner.metrics.scores import METRICS, require_metrics, score, score_each
from captioner.metrics.tokenization import TOKENIZATIONS, choose_tokenization, tokens_of

__all__ = [
    "METRICS",
    "TOKENIZATIONS",
    "CiderD",
    "NGramFrequencies",
    "agreement",
    "calibrate",
    "caption_faults",
    "choose_tokenization",
    "diversity",
    "faults_of",
    "load_results",
    "require_metrics",
    "require_replaceable_results",
    "save_results",
    "score",
    "score_each",
    "seem_english",
    "tokenize_ptb",
    "tokens_of",
]
