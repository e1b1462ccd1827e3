"""Draws the demo data set: scenes of coloured shapes with five captions each, in COCO's layout.

    python data/make_shapes.py --out data/shapes

A scene is what the captions describe: one shape with its size and place, two to five equal shapes,
or a big and a small shape and their relation. A picture is one drawing of a scene; sizes and places
vary a little from drawing to drawing. No scene is in two splits, so no caption of a validation or
test picture is among the training captions, but all its words are.

The pictures suit a CNN whose features are averaged over the whole picture. The shapes are large,
and their colours differ clearly. Of two shapes, the bigger one comes first in the caption, so that
the average shows which is which. The background changes colour from corner to corner, so that the
average also shows which part of it a shape covers.
"""

import argparse
import collections
import itertools
import json
import math
import pathlib
import random
from typing import NamedTuple

from PIL import Image, ImageDraw

SIZE = 224  # pixels, height and width
OVERSAMPLING = 4  # drawn this much larger, then averaged, for smooth edges
CENTRE = SIZE / 2
JITTER = 5  # pixels that a drawing may shift a shape

COLOURS = {
    "red": (225, 30, 35),
    "blue": (20, 40, 200),
    "green": (60, 190, 50),
    "yellow": (250, 205, 20),
    "black": (25, 25, 28),
}
SHAPES = ("circle", "square", "triangle", "star")
HOLLOWS = ("circle", "square")  # the shapes with room for another inside
GROUPS = {  # number: the place of each shape, in steps from the centre
    "two": [(-1, 0), (1, 0)],
    "three": [(0, -1), (-1, 1), (1, 1)],
    "four": [(-1, -1), (1, -1), (-1, 1), (1, 1)],
    "five": [(-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)],
}
PLACES = {  # words: the direction from the centre, in x and y
    "on the left": (-1, 0),
    "on the right": (1, 0),
    "at the top": (0, -1),
    "at the bottom": (0, 1),
    "in the middle": (0, 0),
}
SIDES = {  # relation of the big shape to the small one: its direction, and the converse
    "to the left of": ((-1, 0), "to the right of"),
    "to the right of": ((1, 0), "to the left of"),
    "above": ((0, -1), "below"),
    "below": ((0, 1), "above"),
}

RADIUS = {"big": 56, "small": 28}  # pixels; half the width of a single shape
PAIR_RADII, NESTED_RADII = (68, 30), (94, 34)  # of the big and the small one
GROUP_RADIUS, GROUP_STEP = 28, 58
GAP = 6  # pixels between two shapes side by side
MARGIN = 8  # pixels between a shape and the edge beside it


class Single(NamedTuple):
    """One shape."""

    size: str
    colour: str
    shape: str
    place: str


class Group(NamedTuple):
    """Some equal shapes."""

    number: str
    colour: str
    shape: str


class Pair(NamedTuple):
    """A big shape and a small one, of different colours."""

    relation: str  # of the big one to the small one: a key of SIDES, or "around"
    big_colour: str
    big_shape: str
    small_colour: str
    small_shape: str


class Item(NamedTuple):
    """One shape on the canvas, in pixels."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float


def all_scenes():
    """All scenes: a dict from a kind to its list of scenes."""
    scenes = {
        "single": [Single(*words) for words in itertools.product(RADIUS, COLOURS, SHAPES, PLACES)],
        "group": [Group(*words) for words in itertools.product(GROUPS, COLOURS, SHAPES)],
    }
    for relation in [*SIDES, "around"]:
        big_shapes = HOLLOWS if relation == "around" else SHAPES
        scenes[relation] = [
            Pair(relation, *words)
            for words in itertools.product(COLOURS, big_shapes, COLOURS, SHAPES)
            if words[0] != words[2]
        ]
    return scenes


def choose_scenes(rng, counts):
    """Divides the scenes among the splits; no scene is in two splits.

    Args:
        rng: random.Random.
        counts: dict. Split name -> number of pictures. The first split may use a scene more than
            once; the others never do.

    Returns:
        dict. Split name -> list of scenes, one for each picture.

    Raises:
        ValueError: There are too few scenes for the splits after the first.
    """
    first, *others = counts
    decks = all_scenes()
    needed = collections.Counter(kind for split in others for kind in kinds(counts[split]))
    for kind, deck in decks.items():
        if needed[kind] >= len(deck):
            raise ValueError(
                f"there are {len(deck)} scenes of kind {kind!r}; {' and '.join(others)} "
                f"would take {needed[kind]}; ask for fewer pictures"
            )
        rng.shuffle(deck)
    chosen = {split: [decks[kind].pop() for kind in kinds(counts[split])] for split in others}
    endless = {kind: itertools.cycle(deck) for kind, deck in decks.items()}
    return {first: [next(endless[kind]) for kind in kinds(counts[first])], **chosen}


def kinds(count):
    """The kind of each of `count` pictures, well mixed.

    Of 25 pictures 6 are singles, 4 groups and 15 pairs, because pairs are the hardest to learn.
    """
    pairs = [relation for relation in [*SIDES, "around"] for _ in range(3)]
    cycle = ["single"] * 6 + ["group"] * 4 + pairs
    return [cycle[7 * index % len(cycle)] for index in range(count)]


def captions(scene):
    """Five true sentences about a scene."""
    if isinstance(scene, Single):
        thing = f"a {scene.size} {scene.colour} {scene.shape}"
        return [
            f"{thing} {scene.place}",
            f"{thing} {scene.place} of the picture",
            f"there is {thing} {scene.place}",
            f"the picture shows {thing} {scene.place}",
            f"{scene.place} there is {thing}",
        ]
    if isinstance(scene, Group):
        things = f"{scene.number} {scene.colour} {scene.shape}s"
        return [
            things,
            f"{things} on a light background",
            f"there are {things}",
            f"the picture shows {things}",
            f"a picture of {things}",
        ]
    big = f"a big {scene.big_colour} {scene.big_shape}"
    small = f"a small {scene.small_colour} {scene.small_shape}"
    if scene.relation == "around":
        return [
            f"{small} inside {big}",
            f"{small} is inside {big}",
            f"there is {small} inside {big}",
            f"{big} around {small}",
            f"{big} with {small} inside",
        ]
    _, converse = SIDES[scene.relation]
    return [
        f"{big} {scene.relation} {small}",
        f"{big} is {scene.relation} {small}",
        f"there is {big} {scene.relation} {small}",
        f"the picture shows {big} {scene.relation} {small}",
        f"{small} {converse} {big}",
    ]


def arrange(scene, rng):
    """The shapes of a scene on the canvas, a little different each time: a list of Item."""

    def near(value):
        return value + rng.uniform(-JITTER, JITTER)

    def about(radius):
        return radius * rng.uniform(0.95, 1.05)

    if isinstance(scene, Single):
        radius = about(RADIUS[scene.size])
        push = CENTRE - MARGIN - JITTER - radius  # pixels from the centre to beside an edge
        x, y = (near(CENTRE + push * way) for way in PLACES[scene.place])
        return [Item(scene.colour, scene.shape, x, y, radius)]
    if isinstance(scene, Group):
        radius = about(GROUP_RADIUS)
        places = [
            [near(CENTRE + GROUP_STEP * way) for way in ways] for ways in GROUPS[scene.number]
        ]
        return [Item(scene.colour, scene.shape, x, y, radius) for x, y in places]
    x, y = near(CENTRE), near(CENTRE)
    big = (scene.big_colour, scene.big_shape)
    small = (scene.small_colour, scene.small_shape)
    radii = NESTED_RADII if scene.relation == "around" else PAIR_RADII
    big_radius, small_radius = map(about, radii)
    if scene.relation == "around":
        return [Item(*big, x, y, big_radius), Item(*small, x, y, small_radius)]
    (way_x, way_y), _ = SIDES[scene.relation]
    to_big, to_small = small_radius + GAP / 2, big_radius + GAP / 2  # the two balance on the centre
    return [
        Item(*big, x + way_x * to_big, y + way_y * to_big, big_radius),
        Item(*small, x - way_x * to_small, y - way_y * to_small, small_radius),
    ]


def draw(items):
    """Draws shapes, later ones over earlier ones: a PIL image with a palette."""
    image = background().resize((SIZE * OVERSAMPLING,) * 2)
    canvas = ImageDraw.Draw(image)
    for item in items:
        corners = [
            ((item.x + item.radius * x) * OVERSAMPLING, (item.y + item.radius * y) * OVERSAMPLING)
            for x, y in outline(item.shape)
        ]
        canvas.polygon(corners, fill=COLOURS[item.colour])
    image = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    return image.quantize(128, dither=Image.Dither.NONE)


def background():
    """White at the top left, tinted red to the right and blue-green to the bottom."""
    down = Image.linear_gradient("L").resize((SIZE, SIZE))  # 0 at the top, 255 at the bottom
    across = down.transpose(Image.Transpose.TRANSPOSE)
    bands = ((down, 40), (across, 20), (across, 40))  # red, green, blue: how much each loses
    return Image.merge("RGB", [band.point(lambda v, n=n: 255 - n * v // 255) for band, n in bands])


def outline(shape):
    """The corners of a shape, about the origin, within about 1 of it: a list of (x, y)."""
    if shape == "square":
        return [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)]
    if shape == "triangle":
        return [(0, -1), (1, 0.8), (-1, 0.8)]
    pairs, inner = {"circle": (45, 1), "star": (5, 0.46)}[shape]  # an outer and an inner corner
    reaches = [1, inner] * pairs
    turns = [math.pi * index / pairs for index in range(2 * pairs)]
    return [
        (reach * math.sin(turn), -reach * math.cos(turn))
        for reach, turn in zip(reaches, turns, strict=True)
    ]


def coco(scenes, split, first_id):
    """The captions file of a split, as COCO lays it out: a dict."""
    images, annotations = [], []
    for image_id, scene in enumerate(scenes, first_id):
        name = f"{split}_{image_id:04d}.png"
        images.append({"id": image_id, "file_name": name, "width": SIZE, "height": SIZE})
        annotations += [
            {"id": 10 * image_id + number, "image_id": image_id, "caption": caption}
            for number, caption in enumerate(captions(scene))
        ]
    info = {"description": f"Drawn scenes of coloured shapes, {split}", "version": "1.0"}
    return {"info": info, "licenses": [], "images": images, "annotations": annotations}


def make_shapes(folder, counts, seed=0):
    """Writes the data set.

    Args:
        folder: pathlib.Path. Where captions_SPLIT.json, for each split, and images/ are written.
        counts: dict. Split name -> number of pictures; the first is the training split.
        seed: int. The same seed gives the same data set. Defaults to `0`.

    Raises:
        ValueError: There are too few scenes to keep the splits apart.

    Example:
    >>> make_shapes(pathlib.Path("tiny"), {"train": 30, "val": 5, "test": 5})
    """
    rng = random.Random(seed)
    chosen = choose_scenes(rng, counts)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    first_id = 1
    for split, scenes in chosen.items():
        document = coco(scenes, split, first_id)
        for scene, image in zip(scenes, document["images"], strict=True):
            path = folder / "images" / image["file_name"]
            draw(arrange(scene, rng)).save(path, optimize=True)
        text = json.dumps(document, separators=(",", ":"))
        (folder / f"captions_{split}.json").write_text(text + "\n", encoding="utf-8")
        first_id += len(scenes)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Draw a small data set of captioned shapes.")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to create")
    for split, count in {"train": 900, "val": 60, "test": 60}.items():
        parser.add_argument(f"--{split}", type=int, default=count, help=f"pictures ({count})")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (0)")
    given = parser.parse_args(arguments)
    counts = {split: getattr(given, split) for split in ("train", "val", "test")}
    if min(counts.values()) < 1:
        parser.error("--train, --val and --test must be 1 or more")
    if given.out.exists() and (not given.out.is_dir() or any(given.out.iterdir())):
        parser.error(f"{given.out} already exists; remove it or give another --out")
    try:
        make_shapes(given.out, counts, given.seed)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{given.out}: {error.strerror}; give another --out")
    print(f"{given.out}: " + ", ".join(f"{count} {split}" for split, count in counts.items()))


if __name__ == "__main__":
    main()
