import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from tests.datasets import touch, write_json


def image(number, split, **others):
    return {
        "filepath": "val2014",
        "filename": f"{number}.jpg",
        "imgid": number,
        "cocoid": 1000 + number,
        "split": split,
        "sentences": [{"raw": f"Picture {number}.", "tokens": ["picture", str(number)]}],
        **others,
    }


def write(folder, *images):
    return write_json(folder / "dataset_coco.json", {"images": list(images)})


def test_splits_with_restval_in_train(tmp_path):
    path = write(
        tmp_path, image(1, "train"), image(2, "restval"), image(3, "val"), image(4, "test")
    )
    touch(tmp_path, *(f"val2014/{n}.jpg" for n in (1, 2, 3, 4)))
    ids = {each: load_dataset(path, split=each).image_ids for each in ("train", "val", "test")}
    assert ids == {"train": [1001, 1002], "val": [1003], "test": [1004]}
    assert load_dataset(tmp_path, split="restval") == load_dataset(tmp_path, split="train")
    everything = load_dataset(path)
    assert everything.captions == [[f"Picture {n}."] for n in (1, 2, 3, 4)]
    assert everything.image_paths[0] == str(tmp_path / "val2014" / "1.jpg")


def test_pictures_in_the_very_folder_given(tmp_path):
    path = write(tmp_path / "lists", image(1, "train"))
    touch(tmp_path, "pictures/val2014/1.jpg")
    for given in (tmp_path / "pictures", tmp_path / "pictures" / "val2014"):
        dataset = load_dataset(path, images=given)
        assert dataset.image_paths == [str(tmp_path / "pictures" / "val2014" / "1.jpg")]


def test_id_is_imgid_then_file_name(tmp_path):
    one, two = image(1, "train"), image(2, "train")
    del one["cocoid"], two["cocoid"], two["imgid"], two["filepath"]
    assert load_dataset(write(tmp_path, one, two), check_images=False).image_ids == [1, "2.jpg"]


def test_harmless_faults_are_counted(tmp_path):
    path = write(
        tmp_path,
        image(1, "val", sentences=[{"raw": "one"}, {"raw": "  "}]),
        image(2, "val", sentences=[]),
        image(1, "val", sentences=[{"raw": "one"}]),
    )
    dataset = load_dataset(path, check_images=False)
    assert dataset.captions == [["one"]]
    assert dataset.warnings == [
        f"{path}: empty captions dropped: 1 (first: images[0].sentences[1])",
        f"{path}: entries given twice, read once: 1 (first: images[2])",
        f"{path}: pictures without captions dropped: 1 (first: val2014/2.jpg)",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cocoid": 1001}, r"images\[1\]: id 1001 was given to val2014/1.jpg before"),
        ({"filename": "1.jpg"}, r"images\[1\]: val2014/1.jpg is in split val, but in train before"),
        ({"sentences": [{"raw": None}]}, r"images\[1\].sentences\[0\].raw: .* string, got null"),
        ({"sentences": ["a"]}, r"images\[1\].sentences\[0\]: expected an object, got a string"),
        ({"split": 3}, r"images\[1\].split: expected a string, got a whole number"),
        ({"filename": ".."}, r"images\[1\]: picture 'val2014/..': must be"),
    ],
)
def test_contradictions_and_wrong_shapes(tmp_path, changes, message):
    path = write(tmp_path, image(1, "train"), image(2, "val") | changes)
    with pytest.raises(CaptionerError, match=message):
        load_dataset(path, check_images=False)
