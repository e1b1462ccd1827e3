"""The demo set: the same every time, laid out as COCO does, its captions true of the drawings."""

import collections
import importlib.util
import itertools
import json
import pathlib
import random
import re

import numpy as np
import pytest
from PIL import Image, ImageColor

DATA = pathlib.Path(__file__).parent.parent / "data"
COMMITTED = DATA / "shapes"
SIZE = 224  # the height and width of the pictures
SPLITS = {"train": 900, "val": 60, "test": 60}  # as data/README.md says
FEW = ["--train", "8", "--val", "3", "--test", "2"]

# What the words mean, said anew here: a look at the generator's own tables would prove nothing.
COLOURS = {  # a colour word: the web colour that it is nearest to
    "red": "red",
    "blue": "blue",
    "green": "limegreen",
    "yellow": "gold",
    "black": "black",
}
FILLS = {  # how much of its bounding box a shape covers
    "square": (0.97, 1),
    "circle": (0.75, 0.82),  # pi / 4 = 0.785
    "triangle": (0.46, 0.54),  # 1 / 2
    "star": (0.3, 0.44),  # a pentagram 0.33, a fatter star more
}
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
PLACES = {  # which way from the middle, in x and y
    "on the left": (-1, 0),
    "on the right": (1, 0),
    "at the top": (0, -1),
    "at the bottom": (0, 1),
    "in the middle": (0, 0),
}
CONVERSES = {"below": "above", "to the right of": "to the left of", "inside": "around"}
RELATIONS = [*CONVERSES, *CONVERSES.values()]

ONE = re.compile(rf"a (big|small) ({'|'.join(COLOURS)}) ({'|'.join(FILLS)})\b")
MANY = re.compile(rf"({'|'.join(NUMBERS)}) ({'|'.join(COLOURS)}) ({'|'.join(FILLS)})s\b")
SENTENCES = [  # with * for the things, and what is said of them in the brackets
    rf"(?:there is |the picture shows )?\* ({'|'.join(PLACES)})(?: of the picture)?",
    rf"({'|'.join(PLACES)}) there is \*",
    r"(?:there are |the picture shows |a picture of )?()\*(?: on a light background)?",
    rf"(?:there is |the picture shows )?\* (?:is )?({'|'.join(RELATIONS)}) \*",
    r"\* (with) \* inside",
]


def load():
    spec = importlib.util.spec_from_file_location("make_shapes", DATA / "make_shapes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_shapes = load()


def make(folder, *arguments):
    make_shapes.main(["--out", str(folder), *arguments])
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Has the annotations made at once: the pictures, which take the time, are left blank."""
    monkeypatch.setattr(make_shapes, "draw", lambda items: Image.new("P", (1, 1)))


def annotations(folder, split):
    return json.loads((folder / f"captions_{split}.json").read_text(encoding="utf-8"))


def captioned(folder, split):
    """A split: a dict from the path of each picture to its captions."""
    document = annotations(folder, split)
    captions = collections.defaultdict(list)
    for annotation in document["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"])
    return {
        folder / "images" / image["file_name"]: captions[image["id"]]
        for image in document["images"]
    }


def pixels(path):
    with Image.open(path) as image:
        return image.convert("RGB").tobytes()


def said(caption):
    """What a caption says: its things, and how they stand. The same for all who say the same."""
    things = ONE.findall(caption) + MANY.findall(caption)
    rest = MANY.sub("*", ONE.sub("*", caption))
    hows = [match[1] for match in (re.fullmatch(s, rest) for s in SENTENCES) if match]
    assert len(hows) == 1, f"not a sentence known here: {caption!r}"
    how = {"with": "around"}.get(hows[0], hows[0])
    if how in CONVERSES:
        how = CONVERSES[how]
        things.reverse()
    return how, tuple(things)


class Piece:
    """The pixels of a shape: their bounding box, in x and y, and how much of it they cover."""

    def __init__(self, rows, columns):
        self.first = np.array([columns.min(), rows.min()])
        self.last = np.array([columns.max(), rows.max()])
        self.centroid = np.array([columns.mean(), rows.mean()])
        self.width, height = self.last - self.first + 1
        self.fill = len(rows) / (self.width * height)

    def has_shape(self, shape):
        low, high = FILLS[shape]
        return low <= self.fill <= high


def colour_areas(path):
    """Where the colours are in a picture: a dict from each that is there to an array of truths."""
    with Image.open(path) as image:
        palette = np.array(image.getpalette("RGB"), float).reshape(-1, 3)
        indices = np.asarray(image)
    assert indices.shape == (SIZE, SIZE)
    border = np.concatenate([indices[0], indices[-1], indices[:, 0], indices[:, -1]])
    assert palette[border].min() > 200, "the border is not light all round: a shape is cut off"
    areas = {}
    for word, name in COLOURS.items():
        # Near enough that the blends at the edges of shapes are taken for none of them.
        near = np.linalg.norm(palette - ImageColor.getrgb(name), axis=1) < 80
        if near[indices].any():
            areas[word] = near[indices]
    return areas


def connected_pieces(area):
    """The pieces of an area, found by flooding; pixels that meet at a corner are connected."""
    # A pixel is its place in the rows strung together. As the border is free (see above), going
    # left or right from a pixel never leads to another row.
    steps = [SIZE * down + right for down in (-1, 0, 1) for right in (-1, 0, 1)]
    left = set(np.flatnonzero(area).tolist())
    pieces = []
    while left:
        piece, edge = [], [left.pop()]
        while edge:
            pixel = edge.pop()
            piece.append(pixel)
            reached = left.intersection([pixel + step for step in steps])
            left -= reached
            edge += reached
        pieces.append(Piece(*np.divmod(piece, SIZE)))
    return pieces


def is_true(how, things, areas):
    """Whether a picture with these areas shows what a caption says."""
    if {colour for _, colour, _ in things} != set(areas):
        return False
    if how in PLACES:
        return single_is_true(how, *things[0], areas)
    if how == "":
        return group_is_true(*things[0], areas)
    return pair_is_true(how, *things, areas)


def single_is_true(place, size, colour, shape, areas):
    piece = Piece(*areas[colour].nonzero())
    # A tenth of the picture is what counts as off the middle; where the caption names one
    # direction, the shape must be in the middle of the other.
    offset = (piece.first + piece.last + 1) / 2 / SIZE - 0.5
    way = np.sign(offset) * (np.abs(offset) > 0.1)
    off_centroid = np.sign(piece.centroid - (SIZE - 1) / 2)
    return (
        piece.has_shape(shape)
        and (piece.width > SIZE / 3) == (size == "big")
        and (way == PLACES[place]).all()
        and (off_centroid == way)[way != 0].all()
    )


def group_is_true(number, colour, shape, areas):
    pieces = connected_pieces(areas[colour])
    widths = [piece.width for piece in pieces]
    return (
        len(pieces) == NUMBERS[number]
        and all(piece.has_shape(shape) for piece in pieces)
        and max(widths) <= 1.1 * min(widths)  # equal, but for where the pixels fall
    )


def pair_is_true(relation, first, second, areas):
    one, other = (Piece(*areas[colour].nonzero()) for _, colour, _ in (first, second))
    if relation == "around":
        stands = (one.first < other.first).all() and (other.last < one.last).all()
        one = Piece(*np.logical_or(*areas.values()).nonzero())  # with its hole filled
    else:
        axis = {"to the left of": 0, "above": 1}[relation]
        apart = other.centroid - one.centroid
        # Past each other, and so little aslant that no other word would fit.
        stands = one.last[axis] < other.first[axis] and abs(apart[1 - axis]) < apart[axis] / 2
    sizes = ("big", "small") if one.width > other.width else ("small", "big")
    return (
        stands
        and (first[0], second[0]) == sizes
        and one.has_shape(first[2])
        and other.has_shape(second[2])
    )


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    one, same, other = (
        make(tmp_path / name, *FEW, "--seed", seed)
        for name, seed in (("one", "7"), ("same", "7"), ("other", "8"))
    )
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 3 + 8 + 3 + 2
    for path in files:
        assert (same / path).read_bytes() == (one / path).read_bytes(), path
        assert (other / path).read_bytes() != (one / path).read_bytes(), path


def test_the_committed_files_are_what_the_defaults_make(tmp_path, monkeypatch):
    # Drawing all takes a quarter of a minute, so one in 60 is. As each draws on the random numbers
    # after those of all before it, the last being right tells of the others.
    draw, drawn = make_shapes.draw, itertools.count(1)
    monkeypatch.setattr(
        make_shapes,
        "draw",
        lambda items: draw(items) if next(drawn) % 60 == 0 else Image.new("P", (1, 1)),
    )
    made = make(tmp_path / "shapes")
    for split in SPLITS:
        assert annotations(made, split) == annotations(COMMITTED, split)
    names = {path.name for path in (made / "images").iterdir()}
    assert names == {path.name for path in (COMMITTED / "images").iterdir()}
    whole = [name for name in names if int(re.search(r"\d+", name)[0]) % 60 == 0]
    assert len(whole) == 1020 // 60
    for name in whole:
        assert pixels(made / "images" / name) == pixels(COMMITTED / "images" / name), name


def test_the_committed_files_are_laid_out_as_coco_does():
    image_ids, annotation_ids, names = [], [], []
    for split, count in SPLITS.items():
        document = annotations(COMMITTED, split)
        assert {"info", "images", "annotations"} <= set(document)
        ids = [image["id"] for image in document["images"]]
        assert len(ids) == count
        of_images = collections.Counter(a["image_id"] for a in document["annotations"])
        assert of_images == dict.fromkeys(ids, 5)
        assert {(image["width"], image["height"]) for image in document["images"]} == {(224, 224)}
        image_ids += ids
        annotation_ids += [annotation["id"] for annotation in document["annotations"]]
        names += [image["file_name"] for image in document["images"]]
    for things in (image_ids, annotation_ids, names):
        assert len(set(things)) == len(things)
    paths = list((COMMITTED / "images").iterdir())
    assert sorted(names) == sorted(path.name for path in paths)
    for path in paths:
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (224, 224)), path.name


def test_no_two_committed_pictures_are_the_same():
    paths = list((COMMITTED / "images").iterdir())
    assert len({pixels(path) for path in paths}) == len(paths) == 1020


def test_of_25_pictures_6_are_singles_4_groups_and_15_pairs():
    kinds = collections.Counter()
    for captions in captioned(COMMITTED, "train").values():
        how, _ = said(captions[0])
        kinds["single" if how in PLACES else how or "group"] += 1
    side, nested = 900 * 6 // 25, 900 * 3 // 25  # two converse relations, of three pictures each
    assert kinds == {
        "single": 900 * 6 // 25,
        "group": 900 * 4 // 25,
        "to the left of": side,
        "above": side,
        "around": nested,
    }


def test_no_scene_is_in_two_splits_nor_twice_in_val_or_test(undrawn, tmp_path):
    # The second is as large as can be: 4 numbers of 5 colours and 4 shapes are 80 groups, of which
    # 4 in 25 pictures, here 76, are taken.
    large = make(tmp_path / "large", "--train", "300", "--val", "250", "--test", "225")
    for folder in (COMMITTED, large):
        scenes = {
            split: [said(captions[0]) for captions in captioned(folder, split).values()]
            for split in SPLITS
        }
        train, val, test = map(set, scenes.values())
        assert not train & val
        assert not train & test
        assert not val & test
        assert (len(val), len(test)) == (len(scenes["val"]), len(scenes["test"]))


def test_all_words_are_in_the_training_captions():
    words = {
        split: {w for c in captioned(COMMITTED, split).values() for w in " ".join(c).split()}
        for split in SPLITS
    }
    assert words["val"] <= words["train"]
    assert words["test"] <= words["train"]


def test_the_five_captions_of_a_picture_differ_and_say_the_same():
    for split in SPLITS:
        for path, captions in captioned(COMMITTED, split).items():
            assert len(set(captions)) == 5, path.name
            assert len({said(caption) for caption in captions}) == 1, (path.name, captions)


@pytest.mark.long
@pytest.mark.parametrize("split", SPLITS)
def test_captions_are_true_of_the_committed_pictures(split):
    for path, captions in captioned(COMMITTED, split).items():
        assert is_true(*said(captions[0]), colour_areas(path)), (path.name, captions[0])


def test_captions_are_true_of_pictures_drawn_now(tmp_path):
    # Two scenes of each size at each place, of each number and of each relation.
    rng = random.Random(7)
    scenes = list(itertools.chain(*make_shapes.all_scenes().values()))
    rng.shuffle(scenes)
    checked = collections.Counter()
    for scene in scenes:
        captions = make_shapes.captions(scene)
        how, things = said(captions[0])
        kind = (how, things[0][0])
        if checked[kind] < 2:
            checked[kind] += 1
            make_shapes.draw(make_shapes.arrange(scene, rng)).save(tmp_path / "picture.png")
            areas = colour_areas(tmp_path / "picture.png")
            for caption in captions:
                assert is_true(*said(caption), areas), caption
    assert len(checked) == 2 * 5 + 4 + 4 + 1


def test_captions_with_one_word_changed_are_not_true():
    # Else the checks above would say little.
    for path, captions in captioned(COMMITTED, "test").items():
        areas = colour_areas(path)
        for words in (COLOURS, FILLS, NUMBERS, PLACES, RELATIONS, ("big", "small")):
            for word, other in itertools.permutations(words, 2):
                if word in captions[0]:
                    changed = captions[0].replace(word, other, 1)
                    assert not is_true(*said(changed), areas), (path.name, changed)


@pytest.mark.parametrize(("val", "test"), [(250, 250), (1, 500)])
def test_too_many_pictures_to_keep_the_splits_apart(undrawn, tmp_path, val, test):
    # At least one group must be left for training; 500 pictures would take all 80 (see above).
    message = "there are 80 scenes of kind 'group'; val and test would take 80; ask for fewer"
    with pytest.raises(ValueError, match=message):
        make_shapes.make_shapes(tmp_path, {"train": 1, "val": val, "test": test})
    assert not list(tmp_path.rglob("*.png"))


def refusal(capsys, *arguments):
    """The one line with which the command refuses its arguments."""
    with pytest.raises(SystemExit) as caught:
        make_shapes.main(list(map(str, arguments)))
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    usage, line = printed.err.split("error: ")
    assert usage.startswith("usage: ")
    assert line.count("\n") == 1
    return line.strip()


def test_the_command_refuses_numbers_in_one_line(tmp_path, capsys):
    out = tmp_path / "shapes"
    assert "ask for fewer pictures" in refusal(capsys, "--out", out, "--val", 600)
    for option in ("--train", "--val", "--test"):
        for number in (0, -1):
            line = refusal(capsys, "--out", tmp_path / "none", option, number)
            assert line == "--train, --val and --test must be 1 or more"
    assert not (tmp_path / "none").exists()


def test_too_many_pictures_leave_no_folder_behind(undrawn, tmp_path, capsys):
    out = tmp_path / "shapes"
    refusal(capsys, "--out", out, "--val", 600)
    make(out, *FEW)


def test_a_place_where_no_folder_can_be_made(undrawn, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    out = tmp_path / "notes.txt" / "shapes"
    assert f"{out}: Not a directory" in refusal(capsys, "--out", out)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for out in (tmp_path, tmp_path / "notes.txt"):
        assert refusal(capsys, "--out", out) == (
            f"{out} already exists; remove it or give another --out"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_and_folders_to_be_made_are_taken(undrawn, tmp_path, capsys):
    for out in (tmp_path / "not" / "there", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        make(out, *FEW)
        assert capsys.readouterr().out == f"{out}: 8 train, 3 val, 2 test\n"
        assert len(list((out / "images").iterdir())) == 8 + 3 + 2
