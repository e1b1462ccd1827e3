import csv

import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from tests.datasets import touch


def write(folder, text, encoding="utf-8"):
    path = folder / "captions.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(path, **options):
    return load_dataset(path, check_images=False, **options)


def test_captions_of_any_language_survive_a_round_trip(tmp_path):
    captions = ["Un garçon, l’été", "一只狗", 'she said "hi"', "هەڵۆ دنیا", "สุนัขวิ่ง", "Ünïcödé 🐶"]
    path = tmp_path / "captions.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["image", "caption"], *(["a.jpg", each] for each in captions)])
    assert read(path).captions == [captions]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(
    "text",
    [
        'image,caption\na.jpg,"one,\n two"\nb/c.jpg,three\na.jpg,four\n',
        'file_name,text,extra\r\na.jpg,"one,\r\n two",1\r\n./b/c.jpg,three,2\r\na.jpg,four,3\r\n',
        '"path";"caption"\na.jpg;"one,\n two"\nb\\c.jpg;three\n\na.jpg;four\n',
        'Caption\tImage\n"one,\n two"\ta.jpg\nthree\tb//c.jpg\nfour\ta.jpg',
    ],
)
def test_headers_separators_and_quoted_lines(tmp_path, text, encoding):
    dataset = read(write(tmp_path, text, encoding))
    assert read(tmp_path) == dataset
    assert dataset.image_ids == ["a.jpg", "b/c.jpg"]
    assert dataset.captions == [["one, two", "four"], ["three"]]


def test_split_column(tmp_path):
    path = write(
        tmp_path,
        "image,caption,split\na.jpg,one,train\nb.jpg,two,Validation\nc.jpg,three,\na.jpg,four,train\n",
    )
    assert read(path, split="train").captions == [["one", "four"]]
    assert read(path, split="dev").image_ids == ["b.jpg"]
    assert len(read(path)) == 3
    with pytest.raises(
        CaptionerError, match=r"captions.csv has no split 'test'; it has train, val"
    ):
        read(path, split="test")


def test_empty_captions_are_counted(tmp_path):
    path = write(tmp_path, "image,caption\na.jpg,one\na.jpg,\nb.jpg,  \n")
    dataset = read(path)
    assert dataset.image_ids == ["a.jpg"]
    assert dataset.warnings == [
        f"{path}: empty captions dropped: 2 (first: line 3)",
        f"{path}: pictures without captions dropped: 1 (first: b.jpg)",
    ]


def test_pictures_named_with_the_folder_that_is_given(tmp_path):
    touch(tmp_path, "photos/a.jpg", "photos/b.jpg")
    path = write(tmp_path / "photos", "image,caption\nphotos/a.jpg,one\nphotos/b.jpg,two\n")
    dataset = load_dataset(path, images=tmp_path / "photos")
    assert dataset.image_paths == [str(tmp_path / "photos" / name) for name in ("a.jpg", "b.jpg")]
    assert dataset.image_ids == ["photos/a.jpg", "photos/b.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,one\n", r"line 1: expected the header image,caption, got 'a.jpg,one'"),
        ("", r"line 1: expected the header image,caption, got ''"),
        ('image,caption\na.jpg,"x\ny"\nb.jpg,one, two\n', r"line 4: 3 fields, but .* has 2"),
        ('image,caption\na.jpg,one\nb.jpg,"two\nc.jpg,three\n', r"line 3: broken CSV"),
        ("image,caption\n,one\n", r"line 2: picture '': must be"),
        ("image,caption\n./,one\n", r"line 2: picture './': must be"),
        ("image,caption\nhttp://x/,one\n", r"line 2: picture 'http://x/': must be"),
        (
            "image,caption,split\na.jpg,one,train\na.jpg,two,val\n",
            r"line 3: a.jpg is in split val, but in train on line 2",
        ),
    ],
)
def test_broken_rows_name_their_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(CaptionerError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
