import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from tests.datasets import touch

TOKENS = "".join(f"{name}.jpg#{n}\t{name} {n} .\n" for name in "abcd" for n in (0, 1))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Flickr8k.token.txt").write_text(TOKENS)
    (tmp_path / "Flickr8k.lemma.token.txt").write_text(TOKENS)
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("c.jpg\na.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\r\n")
    (tmp_path / "notes_test.txt").write_text("no list of pictures")
    touch(tmp_path, *(f"Flicker8k_Dataset/{name}.jpg" for name in "abcd"))
    return tmp_path


def test_splits_are_those_of_the_lists(folder):
    train, val = load_dataset(folder, split="train"), load_dataset(folder, split="val")
    assert train.image_ids == ["a.jpg", "c.jpg"]
    assert train.captions == [["a 0 .", "a 1 ."], ["c 0 .", "c 1 ."]]
    assert val.image_ids == ["b.jpg"]
    assert val.image_paths == [str(folder / "Flicker8k_Dataset" / "b.jpg")]
    assert train.warnings == val.warnings == []


def test_a_picture_in_no_list_belongs_to_everything_only(folder):
    assert load_dataset(folder).image_ids == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_a_list_that_is_missing_makes_no_split(folder):
    with pytest.raises(CaptionerError, match=r"has no split 'test'; it has train, val$"):
        load_dataset(folder / "Flickr8k.token.txt", split="test")


def test_listed_without_captions(folder):
    (folder / "Flickr_8k.devImages.txt").write_text("b.jpg\ne.jpg\n")
    path = folder / "Flickr8k.token.txt"
    assert load_dataset(path, split="val").warnings == [
        f"{path}: pictures without captions dropped: 1 (first: e.jpg)"
    ]


def test_a_picture_in_two_lists(folder):
    (folder / "Flickr_8k.devImages.txt").write_text("a.jpg\n")
    with pytest.raises(CaptionerError, match=r"trainImages.txt: a.jpg is in .*devImages.txt too"):
        load_dataset(folder)


def test_flickr30k_results_with_its_broken_line_and_bare_lists(tmp_path):
    (tmp_path / "results.csv").write_text(
        "image_name| comment_number| comment\n1.jpg| 0| Two men .\n1.jpg| 4   A dog , a ball .\n"
        "2.jpg| 0| A cat .\n"
    )
    (tmp_path / "train.txt").write_text("1\n")
    (tmp_path / "val.txt").write_text("2\n")
    touch(tmp_path, "flickr30k_images/1.jpg", "flickr30k_images/2.jpg")
    dataset = load_dataset(tmp_path, split="train")
    assert dataset.image_ids == ["1.jpg"]
    assert dataset.captions == [["Two men .", "A dog , a ball ."]]


def test_lines_given_twice_and_empty_ones(tmp_path):
    path = tmp_path / "x.token"
    path.write_text("a.jpg#0\tone\n\na.jpg#0\tone\na.jpg#1\t \n")
    dataset = load_dataset(path, check_images=False)
    assert dataset.captions == [["one"]]
    assert dataset.warnings == [
        f"{path}: entries given twice, read once: 1 (first: line 3)",
        f"{path}: empty captions dropped: 1 (first: line 4)",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b.jpg two", r"line 2: expected picture.jpg#0<TAB>caption, got 'b.jpg two'"),
        ("a.jpg#0\ttwo", r"line 2: a.jpg#0 is on line 1 too, with another caption"),
        ("../..#0\ttwo", r"line 2: picture '../..': must be"),
    ],
)
def test_broken_lines(tmp_path, line, message):
    path = tmp_path / "x.token.txt"
    path.write_text(f"a.jpg#0\tone\n{line}\n")
    with pytest.raises(CaptionerError, match=message):
        load_dataset(path)
