import random
from collections import Counter

import pytest

from captioner.datasets import load_dataset
from captioner.datasets.annotations import Record
from captioner.datasets.splits import (
    by_folder,
    canonical,
    divide,
    split_in_file_name,
    split_of_folder,
)
from captioner.errors import CaptionerError
from tests.datasets import coco_document, write_json

NAMES = [f"{n:06d}.jpg" for n in range(2000)]


def test_shares_are_80_10_10():
    counts = Counter(divide(NAMES).values())
    # The standard deviation of 2000 draws is 18 for train and 13 for the others; 4 of them allowed.
    assert abs(counts["train"] - 1600) < 72
    assert abs(counts["val"] - 200) < 52
    assert abs(counts["test"] - 200) < 52


def test_parts_do_not_depend_on_order_or_on_the_other_pictures():
    shuffled = NAMES.copy()
    random.Random(0).shuffle(shuffled)
    whole = divide(NAMES)
    assert divide(shuffled) == whole
    assert divide(NAMES[:500]) == {name: whole[name] for name in NAMES[:500]}


def test_parts_stay_the_same_for_ever():
    # `printf 000000.jpg | sha256sum` begins 941d, 000008 d27a, 000028 efc9; train ends
    # at 0.8 · 2**16 = cccc and val at 0.9 · 2**16 = e666.
    parts = divide(NAMES)
    assert [parts[f"{n:06d}.jpg"] for n in (0, 8, 28)] == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        (3, (1, 1, 1)),
        (9, (7, 1, 1)),
        (10, (6, 2, 2)),
        (15, (9, 3, 3)),
        (29, (23, 3, 3)),
        (30, (24, 3, 3)),
        (99, (81, 9, 9)),
    ],
)
def test_no_part_of_a_few_pictures_is_empty(size, counts):
    parts = divide(NAMES[:size])
    assert divide(reversed(NAMES[:size])) == parts
    found = Counter(parts.values())
    assert tuple(found[each] for each in ("train", "val", "test")) == counts


def test_a_few_pictures_are_ranked_by_hash():
    # `sha256sum` of the names: 941d..., 5206... and c0b9...; the highest is test, the next val.
    assert divide(NAMES[:3]) == {NAMES[0]: "val", NAMES[1]: "train", NAMES[2]: "test"}


def test_a_source_without_splits_is_divided_and_says_so(tmp_path):
    path = write_json(
        tmp_path / "captions.json", coco_document({name: ["x"] for name in NAMES[:200]})
    )
    parts = {
        split: load_dataset(path, split=split, check_images=False)
        for split in ("train", "val", "test")
    }
    ids = [each for part in parts.values() for each in part.image_ids]
    assert sorted(ids) == list(range(1, 201))
    assert parts["val"].warnings == [
        f"{path} defines no splits: its pictures are divided by their file names, 80 % train, "
        "10 % val, 10 % test; this is val"
    ]
    assert load_dataset(path, check_images=False).warnings == []
    with pytest.raises(CaptionerError, match="has no split 'other'; it has train, val, test"):
        load_dataset(path, split="other", check_images=False)


def test_a_picture_under_two_ids_stays_in_one_part(tmp_path):
    document = coco_document({name: ["x"] for name in NAMES[:200]})
    for image in coco_document({name: ["x"] for name in NAMES[:200]}, first_id=1001)["images"]:
        document["images"].append(image)
        document["annotations"].append({"image_id": image["id"], "caption": "y"})
    path = write_json(tmp_path / "captions.json", document)
    for split in ("train", "val", "test"):
        ids = set(load_dataset(path, split=split, check_images=False).image_ids)
        assert ids
        assert {each + 1000 for each in ids if each < 1000} == {each for each in ids if each > 1000}


@pytest.mark.parametrize(("count", "split"), [(1, "val"), (1, "train"), (2, "train")])
def test_too_few_to_divide(tmp_path, count, split):
    document = coco_document({name: ["x"] for name in NAMES[:count]})
    path = write_json(tmp_path / "captions.json", document)
    with pytest.raises(CaptionerError, match=f"its {count} pictures are too few to be divided"):
        load_dataset(path, split=split, check_images=False)


def test_how_a_few_pictures_are_divided_is_counted(tmp_path):
    document = coco_document({name: ["x"] for name in NAMES[:15]})
    path = write_json(tmp_path / "captions.json", document)
    [line] = load_dataset(path, split="val", check_images=False).warnings
    assert line.endswith("by their file names, 9 train, 3 val, 3 test; this is val")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("captions_train2017.json", "train"),
        ("captions_val.json", "val"),
        ("captions-validation-v2.json", "val"),
        ("dev.csv", "val"),
        ("TEST.csv", "test"),
        ("captions.json", None),
        ("training.csv", "train"),
        ("captions_valid.json", "val"),
        ("eval-v2.csv", "val"),
        ("Testing.csv", "test"),
        ("trainers.csv", None),
        ("evaluate.csv", None),
        ("latest.csv", None),
        ("device.csv", None),
    ],
)
def test_split_in_file_name(name, split):
    assert split_in_file_name(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("valid", "val"), ("Validation", "val"), ("eval", "val"), ("dev", "val"),
        ("training", "train"), ("testing", "test"), ("val2017", "val"), ("train_2014", "train"),
        ("restval", "train"), ("minival", "minival"), ("2014", "2014"), (" ", None),
    ],
)  # fmt: skip
def test_standard_names(name, split):
    assert canonical(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"), ("val2017", "val"), ("images_test", "test"), ("test-images", "test"),
        ("trainImages", "train"), ("test_a_few", None), ("latest", None), ("images", None),
    ],
)  # fmt: skip
def test_folders_named_after_splits(name, split):
    assert split_of_folder(name) == split


def test_splits_by_folder_only_where_each_record_has_one():
    def splits(*files):
        records = [Record(file, file, ["x"], None) for file in files]
        return [each.split for each in by_folder(records)[0]]

    assert splits("train/a.jpg", "images/valid/a.jpg") == ["train", "val"]
    assert splits("train/a.jpg", "b.jpg") == [None, None]
    assert splits("train/a.jpg", "train/b.jpg") == [None, None]
