import unicodedata

import pytest

from captioner.datasets import load_dataset
from captioner.datasets.annotations import Record
from captioner.datasets.pictures import find_pictures
from captioner.errors import CaptionerError
from tests.datasets import coco_document, touch, write_json


def records(*files, split=None):
    return [Record(file, file, ["x"], split) for file in files]


def data_set(folder, present, total):
    names = [f"{n:02d}.jpg" for n in range(total)]
    touch(folder, *(f"images/{name}" for name in names[:present]))
    return write_json(folder / "captions.json", coco_document({name: ["x"] for name in names}))


def test_a_few_missing_pictures_are_counted_and_skipped(tmp_path):
    dataset = load_dataset(data_set(tmp_path, present=95, total=100))
    assert len(dataset) == len(dataset.image_paths) == len(dataset.captions) == 95
    assert dataset.image_ids == list(range(1, 96))
    assert dataset.warnings == ["5 of 100 pictures are missing (first: 95.jpg); skipped"]


def test_many_missing_pictures_are_an_error(tmp_path):
    path = data_set(tmp_path, present=94, total=100)
    with pytest.raises(CaptionerError) as caught:
        load_dataset(path)
    assert str(caught.value) == (
        f"{path}: 6 of 100 pictures are missing (first: 94.jpg; searched in {tmp_path}/images); "
        "say with --images where the pictures are"
    )


def test_no_picture_at_all_names_the_folders_searched(tmp_path):
    path = data_set(tmp_path / "data", present=0, total=3)
    with pytest.raises(CaptionerError, match=f"searched in {tmp_path}/data and {tmp_path}"):
        load_dataset(path)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(CaptionerError, match=f"searched in {tmp_path}/elsewhere\\)"):
        load_dataset(path, images=tmp_path / "elsewhere")


def test_pictures_are_not_looked_for_when_not_wanted(tmp_path):
    path = data_set(tmp_path, present=0, total=3)
    dataset = load_dataset(path, images=tmp_path, check_images=False)
    assert dataset.image_paths == [str(tmp_path / f"{n:02d}.jpg") for n in range(3)]


@pytest.mark.parametrize("place", ["", "images", "Images", "Flicker8k_Dataset", "train2014", "val"])
def test_usual_folders(tmp_path, place):
    touch(tmp_path / place, "a.jpg", "sub/b.jpg")
    found = find_pictures(records("a.jpg", "sub/b.jpg"), [str(tmp_path)], "x")
    assert found == [str(tmp_path / place / "a.jpg"), str(tmp_path / place / "sub/b.jpg")]


def test_the_folder_with_most_of_the_pictures_comes_first(tmp_path):
    names = [f"{n:02d}.jpg" for n in range(20)]
    touch(tmp_path, *names[:2], *(f"images/{name}" for name in names[1:]))
    found = find_pictures(records(*names), [str(tmp_path)], "x")
    assert found == [str(tmp_path / names[0]), *(str(tmp_path / "images" / n) for n in names[1:])]


def test_each_split_has_its_own_folder(tmp_path):
    touch(tmp_path, "train/1.jpg", "val/1.jpg")
    both = records("1.jpg", split="val") + records("1.jpg", split="train")
    found = find_pictures(both, [str(tmp_path)], "x")
    assert found == [str(tmp_path / "val" / "1.jpg"), str(tmp_path / "train" / "1.jpg")]
    assert find_pictures(records("1.jpg"), [str(tmp_path)], "x", hint="val") == found[:1]


def test_names_without_folders_only_where_they_tell_pictures_apart(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg")
    found = find_pictures(records("x/1.jpg", "y/2.jpg"), [str(tmp_path)], "x")
    assert found == [str(tmp_path / "1.jpg"), str(tmp_path / "2.jpg")]
    with pytest.raises(CaptionerError, match="2 of 2 pictures are missing"):
        find_pictures(records("x/1.jpg", "y/1.jpg"), [str(tmp_path)], "x")


@pytest.mark.parametrize(("on_disk", "in_file"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_spelled_in_two_ways(tmp_path, on_disk, in_file):
    touch(tmp_path, name := unicodedata.normalize(on_disk, "été.jpg"))
    found = find_pictures(records(unicodedata.normalize(in_file, "été.jpg")), [str(tmp_path)], "x")
    assert found == [str(tmp_path / name)]


@pytest.mark.parametrize(
    ("on_disk", "in_file"),
    [
        ("photos/IMG_1.JPG", "img_1.jpg"),
        ("photos/my photo.jpg", "my%20photo.jpg"),
        ("photos/50%25.jpg", "50%25.jpg"),
        ("photos/a.jpg", "home/someone/else/a.jpg"),
        ("deep/below/the/folder/a.jpg", "a.jpg"),
        ("photos/stra\u00dfe.jpg", "STRASSE.jpg"),
        ("photos/42.jpg", "42"),
        ("photos/E\u0301t\u00e9.PNG", "upload/%C3%A9t%C3%A9.png"),
        ("a/1.jpg", "x/a/1.jpg"),
    ],
)
def test_names_of_other_spelling_and_folders(tmp_path, on_disk, in_file):
    touch(tmp_path, on_disk, "photos/other.jpg", "b/1.jpg")
    found = find_pictures(records(in_file), [str(tmp_path)], "x")
    assert found == [str(tmp_path / on_disk)]


def test_the_exact_name_comes_before_others(tmp_path):
    touch(tmp_path, "x/a.jpg", "x/A.JPG", "y/b.jpg")
    assert find_pictures(records("A.JPG", "b.jpg"), [str(tmp_path)], "x") == [
        str(tmp_path / "x/A.JPG"), str(tmp_path / "y/b.jpg")
    ]  # fmt: skip


def test_a_name_of_several_pictures_is_an_error_with_both(tmp_path):
    touch(tmp_path, "x/a.jpg", "y/a.jpg")
    message = f"^c.csv: picture z/a.jpg may be {tmp_path}/x/a.jpg or {tmp_path}/y/a.jpg; give"
    with pytest.raises(CaptionerError, match=message):
        find_pictures(records("z/a.jpg"), [str(tmp_path)], "c.csv")
    assert find_pictures(records("y/a.jpg"), [str(tmp_path)], "c") == [str(tmp_path / "y/a.jpg")]


def test_deleted_files_are_not_searched(tmp_path):
    touch(tmp_path, "x/a.jpg", "#recycle/a.jpg")
    assert find_pictures(records("z/a.jpg"), [str(tmp_path)], "c") == [str(tmp_path / "x/a.jpg")]


def test_no_picture_is_given_to_two_names(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    with pytest.raises(CaptionerError, match="1 of 2 pictures are missing"):
        find_pictures(records("a.jpg", "A.JPG"), [str(tmp_path)], "x")


def test_pictures_of_another_split_are_not_taken(tmp_path):
    touch(tmp_path, "train/1.jpg", "val/2.jpg")
    with pytest.raises(CaptionerError, match="1 of 2 pictures are missing"):
        find_pictures(records("1.jpg", "2.jpg", split="val"), [str(tmp_path)], "x")


def test_what_lies_beside_the_folder_of_the_annotations_is_not_searched(tmp_path):
    path = data_set(tmp_path / "data", present=0, total=1)
    touch(tmp_path, "other/00.jpg")
    with pytest.raises(CaptionerError, match="1 of 1 pictures are missing"):
        load_dataset(path)
    touch(tmp_path, "data/below/00.jpg")
    assert load_dataset(path).image_paths == [str(tmp_path / "data/below/00.jpg")]
