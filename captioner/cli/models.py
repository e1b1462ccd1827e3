"""List the shipped captioners: their sizes, what they learned from, and their scores.

  python -m captioner models
  python -m captioner models --json

Give one by its name: python caption.py photo.jpg --model everyday. The scores are those of its
training, on the validation split of each data set. MODEL_CARD.md says more.
"""

import json

from captioner.cli.messages import megabytes
from captioner.presets import facts_of, shipped_names


def add_arguments(parser):
    parser.add_argument("--json", action="store_true", help="print all this as JSON")


def run(options):
    models = [facts_of(name) for name in shipped_names()]
    if options.json:
        print(json.dumps(models, indent=2))
        return 0
    for facts in models:
        print(facts["name"] + " (the default)" * facts["is_default"])
        for name, value in _lines(facts):
            print(f"  {name:13} {value}")
    return 0


def _lines(facts):
    """(what, in words) of what there is to say of a captioner."""
    yield (
        "files",
        ", ".join(f"{name} {megabytes(size)}" for name, size in facts["files"].items()),
    )
    if "picture_size" not in facts:
        return
    size = facts["picture_size"]
    yield "pictures", f"{facts['encoder']} at {size} x {size} pixels"
    yield (
        "words",
        f"{facts['cell']}, layers: {facts['layers']}, units: {facts['units']}, attention: "
        f"{facts['attention']}",
    )
    data = facts["data"] if isinstance(facts["data"], list) else [facts["data"]]
    text = ", and captions without pictures" if facts["text"] else ""
    yield "learned from", ", ".join(data) + text
    scores = facts["validation"].items()
    yield "validation", ", ".join(f"{name} {value:.3f}" for name, value in scores)
