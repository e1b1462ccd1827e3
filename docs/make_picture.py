"""Draws the picture in README.md, the sample photographs with their captions:

python -m docs.make_picture docs/captions.png
"""

import sys
from pathlib import Path

from PIL import Image

from captioner import reports
from captioner.models import load_models
from captioner.presets import DEFAULT_PRESET

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


def draw(output):
    """Captions the samples with the shipped model, and writes them in two rows as a PNG."""
    paths = sorted(SAMPLES.glob("*.jpg"))
    captions = load_models([DEFAULT_PRESET]).generate([str(path) for path in paths])
    pictures = [Image.open(path).convert("RGB").resize((224, 224)) for path in paths]
    reports.pictures(pictures, captions, columns=4).savefig(output, dpi=90)


if __name__ == "__main__":
    draw(sys.argv[1])
