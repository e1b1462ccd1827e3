"""Scoring 1,000 captions with BLEU, ROUGE-L and CIDEr, against pycocoevalcap with Java.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.scoring --data flickr8k

The first reference of each dev picture is scored against the other four. Both programs take turns
for several rounds, and the medians are printed. Their scores must be equal.
"""

import argparse
import contextlib
import io
import time
from statistics import median

from captioner import load_dataset, metrics


def ours(references, captions):
    return metrics.score(references, captions, ["bleu", "rouge", "cider"])


def theirs(references, captions):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    wanted = tokenizer.tokenize({k: [{"caption": t} for t in v] for k, v in references.items()})
    given = tokenizer.tokenize({k: [{"caption": v}] for k, v in captions.items()})
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, _ = Bleu(4).compute_score(wanted, given, verbose=0)
    rouge, _ = Rouge().compute_score(wanted, given)
    cider, _ = Cider().compute_score(wanted, given)
    return {"BLEU-4": bleu[3], "ROUGE-L": rouge, "CIDEr": cider}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    dev = load_dataset(options.data, split="val", check_images=False)
    pairs = list(zip(dev.image_ids, dev.captions, strict=True))
    captions = {name: texts[0] for name, texts in pairs}
    references = {name: texts[1:] for name, texts in pairs}
    found = {"captioner": [], "pycocoevalcap": []}
    for _ in range(options.rounds + 1):  # the first warms up
        scores = []
        for name, run in (("captioner", ours), ("pycocoevalcap", theirs)):
            start = time.perf_counter()
            scores.append(run(references, captions))
            found[name].append(time.perf_counter() - start)
        for metric, value in scores[1].items():
            assert abs(scores[0][metric] - value) < 5e-5, (metric, scores)
    ours_median, theirs_median = (median(each[1:]) for each in found.values())
    print("| what | seconds | |\n|---|---|---|")
    print(f"| captioner | {ours_median:.2f} | |")
    print(f"| pycocoevalcap | {theirs_median:.2f} | {theirs_median / ours_median:.1f} times |")


if __name__ == "__main__":
    main()
