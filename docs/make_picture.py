"""Draws the README's picture, the sample photographs with their captions:

python -m docs.make_picture docs/captions.png
"""

import sys
import textwrap
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from captioner.cli.models import load_models

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


def draw(output):
    """Captions the samples with the shipped model and writes one row of them as a PNG."""
    paths = sorted(SAMPLES.glob("*.jpg"))
    captions = load_models(["flickr8k"]).generate([str(path) for path in paths])
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, path, caption in zip(figure.subplots(1, len(paths)), paths, captions, strict=True):
        axes.imshow(Image.open(path).convert("RGB").resize((224, 224)))
        axes.set_title("\n".join(textwrap.wrap(caption, 26)), fontsize=10)
        axes.axis("off")
    figure.savefig(output, dpi=90)


if __name__ == "__main__":
    draw(sys.argv[1])
