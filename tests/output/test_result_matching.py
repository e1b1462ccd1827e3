"""Names in results find their pictures: by id, by file name, by stem, or not at all."""

import pytest

from captioner.datasets import CaptionDataset
from captioner.errors import CaptionerError
from captioner.output.result_matching import match_results

STEM = "name without ending"


def data(*paths, ids=None):
    return CaptionDataset(list(ids or paths), list(paths), [["a dog"]] * len(paths))


COCO = data("val/COCO_val2014_000000000042.jpg", "val/COCO_val2014_000000000007.jpg", ids=[42, 7])
OWN = data("photos/a.jpg", "photos/B.v1.png", ids=[1, 2])
NESTED = data("x/cats/1.jpg", "x/dogs/1.jpg", ids=["cats/1.jpg", "dogs/1.jpg"])


@pytest.mark.parametrize(
    ("dataset", "names", "way"),
    [
        (COCO, [42, 7], "image id"),
        (COCO, ["42", "7.0"], "image id"),
        (data("a.jpg", ids=["42"]), [42], "image id"),
        (COCO, ["COCO_val2014_000000000042.jpg", "000000000007"], "number in COCO's file names"),
        (
            data("beach.jpg", ids=[42]),
            ["COCO_val2014_000000000042.jpg"],
            "number in COCO's file na",
        ),
        (data("COCO_val2014_000000000042.jpg"), [42], STEM),  # as caption.py --format coco says it
        (OWN, ["photos/a.jpg", "photos/B.v1.png"], "file name"),
        (OWN, ["/home/me/photos/a.jpg", "B.v1.png"], "file name"),
        (OWN, [r"C:\photos\a.jpg", r"C:\photos\B.v1.png"], "file name"),
        (OWN, ["a", "B.v1"], STEM),
        (OWN, ["a.png", "B.v1.jpg"], STEM),
        (OWN, ["a.heic", "B.v1.dng"], STEM),  # converted for the data set
        (OWN, ["A", "b.v1"], f"{STEM} and case"),
        (data("été.jpg"), ["e\u0301te\u0301.jpg"], "file name"),
        (NESTED, ["cats/1.jpg", "dogs/1.jpg"], "image id"),
        (NESTED, ["/photos/cats/1.jpg", "/photos/dogs/1.jpg"], "file name"),
        (NESTED, ["cats/1", "dogs/1"], STEM),
        (data("x/7.jpg", ids=["7.jpg"]), [7], STEM),
    ],
)
def test_every_picture_is_found(dataset, names, way):
    others = ["elsewhere/zebra.jpg", 123456]
    match = match_results([*others, *reversed(names)], dataset, "r.json")
    assert match.names == dict(zip(dataset.image_ids, names, strict=True))
    assert match.way.startswith(way)


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        (data("x/a.jpg", "x/a.png"), ["a"]),  # two pictures of one stem
        (data("x/a.jpg", "y/a.jpg"), ["a.jpg"]),
        (data("x/a.jpg", "x/b.jpg"), ["a.jpg", "zebra.jpg"]),  # half of each side
        (data("x/a.jpg"), ["a.png", "a.gif"]),  # two captions
        (data("0001.jpg", ids=[1]), ["001"]),
        (data("x/a.jpg", ids=[1]), []),
    ],
)
def test_what_is_ambiguous_or_different_does_not_fit(dataset, names):
    with pytest.raises(CaptionerError, match="no caption"):
        match_results(names, dataset, "r.json")


def test_ambiguous_stems_do_not_hinder_file_names():
    dataset = data("x/a.jpg", "x/a.png")
    assert match_results(["a.png", "a.jpg"], dataset, "r").names == {
        "x/a.jpg": "a.jpg", "x/a.png": "a.png",
    }  # fmt: skip
    # The split is val; the results are of train too, with the same file names.
    split = data("val/1.jpg", ids=[5])
    assert match_results(["p/train/1.jpg", "p/val/1.jpg"], split, "r").names == {5: "p/val/1.jpg"}


def test_captions_of_a_part_fit_and_so_do_pictures_that_could_not_be_read():
    assert match_results(["B.v1.png"], OWN, "r").names == {2: "B.v1.png"}
    many = data(*(f"{n}.jpg" for n in range(40)))
    names = [f"{n}.jpg" for n in range(3, 40)]
    assert len(match_results(names, many, "r").names) == 37
    with pytest.raises(CaptionerError, match="no caption for 3 of 40 pictures"):
        match_results([*names, "zebra.jpg"], many, "r")
    assert len(match_results([*names, "2.jpg", "zebra.jpg"], many, "r").names) == 38


def test_ids_that_are_file_names_of_other_pictures():
    """Scoring a picture with the caption of another one must not go unseen."""
    shuffled = data("2.jpg", "1.jpg", ids=[1, 2])
    message = r"r.json: fits the data set by image id and by name without ending, with "
    with pytest.raises(CaptionerError, match=message + r".*id 1, file 2.jpg has that of '1' or of"):
        match_results(["1", "2"], shuffled, "r.json")
    assert match_results(["1.jpg", "2.jpg"], shuffled, "r.json").names == {1: "2.jpg", 2: "1.jpg"}
    in_order = data("1.jpg", "2.jpg", ids=[1, 2])
    assert match_results(["1", "2"], in_order, "r.json").names == {1: "1", 2: "2"}


def test_a_failure_shows_both_sides_and_the_ways_tried():
    with pytest.raises(CaptionerError) as none_fits:
        match_results(["zebra.jpg"], OWN, "r.json")
    for part in (
        "r.json: has a caption of 'zebra.jpg', the data set has image id 1, file a.jpg",
        f"by image id, number in COCO's file names, file name, {STEM}, ",
        "check --data and --split",
    ):
        assert part in str(none_fits.value)
    with pytest.raises(CaptionerError) as one_is_missing:
        match_results(["a", "zebra"], OWN, "r.json")
    for part in (
        "r.json: has no caption for 1 of 2 pictures, the first image id 2, file B.v1.png",
        "and 1 of its 2 captions are of other pictures (tried image id, ",
        f"{STEM} fits best",
    ):
        assert part in str(one_is_missing.value)
