import json
import os

import pytest

from captioner.datasets import load_dataset
from captioner.datasets.parts import files_of_splits
from captioner.errors import CaptionerError
from tests.datasets import coco_document, touch, write_json


def read(path, **options):
    return load_dataset(path, check_images=False, **options)


def test_ids_paths_and_captions_of_one_file(tmp_path):
    document = {
        "images": [{"id": 42, "file_name": "b.jpg"}, {"id": 7, "file_name": "a.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 7, "caption": "A cat."},
            {"id": 2, "image_id": 42, "caption": " A  dog\nruns. "},
            {"id": 3, "image_id": 7, "caption": "Один кот."},
        ],
    }
    path = write_json(tmp_path / "captions.json", document)
    touch(tmp_path, "images/a.jpg", "images/b.jpg")
    dataset = load_dataset(path)
    assert dataset.image_ids == [42, 7]
    assert dataset.image_paths == [str(tmp_path / "images" / name) for name in ("b.jpg", "a.jpg")]
    assert dataset.captions == [["A dog runs."], ["A cat.", "Один кот."]]
    assert dataset.warnings == []


FIRST_IDS = {"train": 1, "val": 2}


@pytest.fixture
def folder(tmp_path):
    """COCO's own tree, with the same file name under two splits."""
    for number, split in enumerate(("train", "val")):
        document = coco_document({"1.jpg": [f"a {split} picture"]}, first_id=number + 1)
        write_json(tmp_path / f"annotations/captions_{split}2017.json", document)
        touch(tmp_path, f"{split}2017/1.jpg")
    write_json(tmp_path / "annotations/instances_val2017.json", {"images": [], "annotations": []})
    return tmp_path


@pytest.mark.parametrize("where", [".", "annotations"])
def test_a_folder_reads_the_chosen_split_with_its_own_pictures(folder, where):
    for split in ("train", "val"):
        dataset = load_dataset(folder / where, split=split)
        assert dataset.captions == [[f"a {split} picture"]]
        assert dataset.image_paths == [str(folder / f"{split}2017" / "1.jpg")]
        assert dataset.split == split


def test_folder_without_split_reads_all(folder):
    dataset = load_dataset(folder)
    assert dataset.image_ids == [1, 2]
    assert dataset.image_paths == [
        str(folder / "train2017" / "1.jpg"), str(folder / "val2017" / "1.jpg")
    ]  # fmt: skip


def test_folder_does_not_read_other_splits(folder):
    (folder / "annotations/captions_train2017.json").write_text('{"annotations"')
    assert len(load_dataset(folder, split="dev")) == 1


def test_folder_names_its_splits(folder):
    with pytest.raises(CaptionerError, match=r"has no split 'test'; it has train, val$"):
        load_dataset(folder, split="test")


def test_one_id_in_two_files(folder):
    write_json(folder / "annotations/captions_val2017.json", coco_document({"1.jpg": ["x"]}))
    with pytest.raises(
        CaptionerError, match=r"captions_val2017.json: image id 1 is in .*train2017"
    ):
        load_dataset(folder)


@pytest.mark.parametrize("named", ["train", "val"])
def test_a_split_of_a_file_is_read_from_the_one_beside_it(folder, named):
    files = {each: str(folder / f"annotations/captions_{each}2017.json") for each in FIRST_IDS}
    for split, image_id in FIRST_IDS.items():
        dataset = load_dataset(files[named], split=split)
        assert (dataset.image_ids, dataset.split) == ([image_id], split)
        assert dataset.image_paths == [str(folder / f"{split}2017" / "1.jpg")]
        told = f"{split} is read from {files[split]}, which is beside {files[named]}"
        assert dataset.warnings == ([] if split == named else [told])
    for everything in (None, ("test", "val")):  # the file that is named, alone
        assert load_dataset(files[named], split=everything).image_ids == [FIRST_IDS[named]]
    message = r"captions_.*2017.json, with the files beside it, has no split 'test'; it has train,"
    with pytest.raises(CaptionerError, match=message):
        load_dataset(files[named], split="test")


def test_pictures_of_the_file_beside_are_in_the_folder_given_or_beside(folder):
    path = folder / "annotations/captions_train2017.json"
    only_train = load_dataset(path, images=folder / "train2017", split="train")
    assert only_train.image_paths == [str(folder / "train2017" / "1.jpg")]
    (folder / "val2017/1.jpg").rename(folder / "val2017/2.jpg")
    write_json(folder / "annotations/captions_val2017.json", coco_document({"2.jpg": ["x"]}, 2))
    [beside] = load_dataset(path, images=folder / "train2017", split="val").image_paths
    assert beside == str(folder / "val2017" / "2.jpg")
    touch(folder, "small/2.jpg")
    [given] = load_dataset(path, images=folder / "small", split="val").image_paths
    assert given == str(folder / "small" / "2.jpg")


@pytest.mark.parametrize(
    ("name", "others", "splits"),
    [
        ("captions_train2017.json", ["captions_val2014.json", "captions.json"], []),
        ("captions_train2017.json", ["instances_val2017.json"], []),
        ("captions.json", ["captions_val.json"], []),
        ("captions_dev.json", ["captions_train.json"], ["val", "train"]),
        ("pets-test-v2.json", ["pets-train-v2.json", "pets-val-v2.json"], ["test", "train", "val"]),
    ],
)
def test_files_belong_together_whose_names_differ_in_the_split_alone(
    tmp_path, name, others, splits
):
    touch(tmp_path, name, *others)
    found = files_of_splits(str(tmp_path / name))
    assert found == {
        split: str(tmp_path / each)
        for split, each in zip(splits, [name, *others][: len(splits)], strict=True)
    }


def test_two_files_for_one_split(tmp_path):
    touch(tmp_path, "captions_train.json", "captions_val.json", "captions_dev.json")
    with pytest.raises(CaptionerError, match=r"captions_val.json: .*captions_dev.json is for val"):
        files_of_splits(str(tmp_path / "captions_train.json"))


@pytest.mark.parametrize(
    ("name", "fault"),
    [("captions_val2014.json", "is for val too"), ("captions.json", "tells no split")],
)
def test_several_files_that_are_not_splits(folder, name, fault):
    write_json(folder / "annotations" / name, coco_document({"1.jpg": ["x"]}))
    with pytest.raises(CaptionerError, match=fault):
        load_dataset(folder)


def test_harmless_faults_are_counted_with_their_place(tmp_path):
    document = coco_document({"a.jpg": ["one", " "], "b.jpg": [], "c.jpg": ["", "two"]})
    document["annotations"].append(document["annotations"][0])
    document["images"].append(document["images"][0])
    dataset = read(path := write_json(tmp_path / "captions.json", document))
    assert dataset.image_ids == [1, 3]
    assert dataset.captions == [["one"], ["two"]]
    assert dataset.warnings == [
        f"{path}: entries given twice, read once: 2 (first: images[3])",
        f"{path}: empty captions dropped: 2 (first: annotations[1])",
        f"{path}: pictures without captions dropped: 1 (first: b.jpg)",
    ]


def change(document, *keys, to):
    *path, last = keys
    for key in path:
        document = document[key]
    if to is None:
        del document[last]
    else:
        document[last] = to


@pytest.mark.parametrize(
    ("keys", "to", "message"),
    [
        (
            ["annotations", 1, "caption"],
            True,
            r"annotations\[1\].caption: expected a string, got true or false",
        ),
        (["annotations", 1], [], r"annotations\[1\]: expected an object, got a list"),
        (["annotations", 1, "image_id"], 99, r"annotations\[1\].image_id: no entry .* has id 99"),
        (
            ["annotations", 1, "image_id"],
            True,
            r"expected a whole number or a string or a number, got true or false",
        ),
        (["annotations", 1, "id"], 100, r"annotations\[1\]: id 100 is that of annotations\[0\]"),
        (
            ["images", 1, "file_name"],
            3,
            r"images\[1\].file_name: expected a string, got a whole number",
        ),
        (["images", 1, "id"], 1, r"images\[1\]: image id 1 was given to a.jpg before, now to b"),
        (["images"], {}, r"images: expected a list, got an object"),
        (["images"], None, r"images: missing"),
        (["images", 1, "file_name"], "../..", r"images\[1\]: picture '../..': must be the name"),
        (["images", 1, "file_name"], None, r"images\[1\].file_name: missing"),
    ],
)
def test_wrong_shape_names_file_and_place(tmp_path, keys, to, message):
    document = coco_document({"a.jpg": ["one"], "b.jpg": ["two"]})
    change(document, *keys, to=to)
    path = write_json(tmp_path / "captions.json", document)
    with pytest.raises(CaptionerError, match=message) as caught:
        read(path, format="coco")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_broken_json_names_line_and_column(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text('{"images": [],\n "annotations": [,]}')
    with pytest.raises(CaptionerError, match=r"captions.json: line 2, column 18: broken JSON"):
        read(path)


def test_not_utf8_names_the_line(tmp_path):
    path = tmp_path / "captions.json"
    path.write_bytes('{"annotations": [],\n"images": "é"}'.encode("latin-1"))
    with pytest.raises(CaptionerError, match=r"captions.json: line 2: not UTF-8"):
        read(path)


def test_byte_order_mark_and_half_characters(tmp_path):
    path = tmp_path / "captions.json"
    document = json.dumps(coco_document({"a.jpg": ["a \ud83d dog", "un café"]}))
    path.write_text("\ufeff" + document, encoding="utf-8")
    assert read(path).captions == [["a ? dog", "un café"]]


def test_annotations_without_a_caption_are_skipped_and_counted(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 1, "bbox": [0, 0, 4, 4], "category_id": 3},
            {"id": 2, "image_id": 1, "caption": "one"},
            {"id": 3, "image_id": 9, "caption": None},
            {"id": 4, "image_id": 1, "attributes": {"caption": "two", "occluded": False}},
            {"id": 5, "image_id": 1, "attributes": {"occluded": True}, "segmentation": []},
            {"image_id": 1, "captions": ["three", "four"]},
        ],
    }
    dataset = read(path := write_json(tmp_path / "captions.json", document))
    assert dataset.captions == [["one", "two", "three", "four"]]
    assert dataset.warnings == [
        f"{path}: annotations without a caption skipped: 3 (first: annotations[0])",
        f"{path}: pictures without captions dropped: 1 (first: b.jpg)",
    ]


def test_boxes_only(tmp_path):
    document = {"images": [{"id": 1, "file_name": "a.jpg"}],
                "annotations": [{"id": 1, "image_id": 1, "bbox": [0, 0, 4, 4]}]}  # fmt: skip
    path = write_json(tmp_path / "instances_val2017.json", document)
    for source in (path, tmp_path):
        with pytest.raises(
            CaptionerError, match=r"instances_val2017.json: its annotations have no"
        ):
            load_dataset(source)
    with pytest.raises(CaptionerError, match="no picture with a caption; annotations without"):
        read(path, format="coco")


@pytest.mark.parametrize(("of_image", "of_caption"), [(1, "1"), ("1", 1), (1.0, 1), ("1", 1.0)])
def test_an_id_is_the_same_as_number_and_as_text(tmp_path, of_image, of_caption):
    document = {
        "images": [{"id": of_image, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": of_caption, "caption": "one"}],
    }
    dataset = read(write_json(tmp_path / "captions.json", document))
    assert dataset.captions == [["one"]]
    assert dataset.image_ids == [of_image]


@pytest.mark.parametrize(
    ("annotations", "pictures", "name"),
    [
        ("annotations/captions_default.json", "images/default", "a.jpg"),
        ("annotations/instances_default.json", "images", "default/a.jpg"),
        ("labels.json", "data", "a.jpg"),
        ("result.json", "images", "images/a.jpg"),
        ("result.json", "images", "..\\..\\media\\upload\\4\\a.jpg"),
        ("_annotations.coco.json", ".", "a.jpg"),
        ("train/_annotations.coco.json", "train", "a.jpg"),
        ("annotations/captions_Validation.json", "images/Validation", "a.jpg"),
        ("annotations/captions_val2017.json", "images/val2017", "a.jpg"),
        ("captions.json", "img", "https://x.example/val/a.jpg?width=8"),
    ],
)
def test_folders_of_labelling_programs(tmp_path, annotations, pictures, name):
    touch(tmp_path, f"{pictures}/a.jpg", "thumbnails/other.jpg")
    path = write_json(tmp_path / annotations, coco_document({name: ["one"]}))
    for source in (tmp_path, path):
        [found] = load_dataset(source).image_paths
        assert os.path.normpath(found).lower() == str(tmp_path / pictures / "a.jpg").lower()


def test_splits_with_pictures_of_the_same_names(tmp_path):
    splits = ("Train", "Validation", "Test")
    for split in splits:
        touch(tmp_path, f"images/{split}/1.jpg")
        document = coco_document({"1.jpg": [f"of {split}"]})
        write_json(tmp_path / f"annotations/captions_{split}.json", document)
        write_json(tmp_path / f"annotations/instances_{split}.json", {"annotations": []})
    for split, folder in zip(("train", "val", "test"), splits, strict=True):
        dataset = load_dataset(tmp_path, split=split)
        assert dataset.image_paths == [str(tmp_path / "images" / folder / "1.jpg")]
        assert dataset.captions == [[f"of {folder}"]]


def test_the_name_is_in_an_address_where_there_is_no_other(tmp_path):
    document = coco_document({"a.jpg": ["one"]})
    document["images"] = [{"id": 1, "coco_url": "http://x.example/val2017/a.jpg"}]
    touch(tmp_path, "a.jpg")
    path = write_json(tmp_path / "captions.json", document)
    assert load_dataset(path).image_paths == [str(tmp_path / "a.jpg")]
