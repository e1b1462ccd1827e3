"""Data sets with a file for each split; those of COCO's own names are in test_coco.py."""

import pytest

from captioner.datasets import load_dataset
from captioner.datasets.parts import files_of_splits, split_of_file
from captioner.errors import CaptionerError
from tests.datasets import coco_document, touch, write_json


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("captions_val2017.json", "val"),
        ("valid/_annotations.coco.json", "val"),
        ("train/captions_test.json", "test"),
        ("trainer/x.json", None),
    ],
)
def test_the_split_of_a_file(path, split):
    assert split_of_file(path) == split


@pytest.fixture
def roboflow(tmp_path):
    """A folder for each split, with pictures of the same names and ids that begin again."""
    for split in ("train", "valid", "test"):
        touch(tmp_path, f"{split}/1.jpg")
        document = coco_document({"1.jpg": [f"a {split} picture"]}, first_id=0)
        write_json(tmp_path / split / "_annotations.coco.json", document)
    return tmp_path


def test_a_folder_for_each_split(roboflow):
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        for source in (roboflow, roboflow / "train/_annotations.coco.json"):
            dataset = load_dataset(source, split=split)
            assert dataset.captions == [[f"a {name} picture"]]
            assert dataset.image_paths == [str(roboflow / name / "1.jpg")]
            assert dataset.image_ids == [0]


def test_ids_that_begin_again_get_their_split(roboflow):
    dataset = load_dataset(roboflow)
    assert dataset.image_ids == ["test/0", "train/0", "val/0"]
    assert len(set(dataset.image_paths)) == 3
    [line] = dataset.warnings
    assert "image id 0 is in" in line
    assert line.endswith("here ids have the split before them: train/0")


def test_tables_for_each_split(tmp_path):
    touch(tmp_path, "images/a.jpg", "images/b.jpg")
    (tmp_path / "train.csv").write_text("image,caption\na.jpg,one\n")
    (tmp_path / "dev.csv").write_text("image,caption\nb.jpg,two\n")
    assert load_dataset(tmp_path, split="val").image_ids == ["b.jpg"]
    assert load_dataset(tmp_path).image_ids == ["b.jpg", "a.jpg"]
    (tmp_path / "test.csv").write_text("image,caption\nb.jpg,two\n")
    with pytest.raises(CaptionerError, match=r"'b.jpg' is in .*dev.csv too; read one"):
        load_dataset(tmp_path)


def test_a_file_alone_in_the_folder_of_a_split(tmp_path):
    touch(tmp_path, "train/x.json")
    assert files_of_splits(str(tmp_path / "train/x.json")) == {}
