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


TWO = [["one"], ["two"]]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nimage;caption\na.jpg;one\nb.jpg;two\n",
        '"sep=|"\r\nimage|caption\r\na.jpg|one\r\nb.jpg|two\r\n',
        "\n\nimage,caption\na.jpg,one\nb.jpg,two\n",
        ",Caption,File\n0,one,a.jpg\n1,two,b.jpg\n",
        "image_id;Sentence\na.jpg;one\nb.jpg;two\n",
        "filename,Alt Text,width\na.jpg,one,8\nb.jpg,two,8\n",
        "image_name,comment_number,comment\na.jpg,0,one\nb.jpg,0, two\n",
        "image,caption,,\na.jpg,one,,\nb.jpg,two,,\n",
        "image,caption\na.jpg,one,,\nb.jpg,two\n",
        'description,"IMAGE_PATH"\none,a.jpg\n"two",b.jpg\n',
        "a.jpg\tone\nb.jpg\ttwo\n",
        "a.jpg\tone\t-0.5000\nb.jpg\ttwo\t-0.6000\n",
        "a.jpg\tone\t-0.5000\t0.4321\nb.jpg\ttwo\t-0.6000\t0.4000\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_of_spreadsheets(tmp_path, text, encoding):
    path = write(tmp_path, text, encoding)
    for dataset in (read(path), read(tmp_path), read(path, format="csv")):
        assert dataset.image_ids == ["a.jpg", "b.jpg"]
        assert dataset.captions == TWO
        assert dataset.warnings == []


@pytest.mark.parametrize(
    "text",
    [
        "image,caption_1,caption_2,caption_3\na.jpg,one,two,\nb.jpg,three,,\n",
        "image,caption,caption\na.jpg,one,two\nb.jpg,three,\n",
        "image,Caption 1,number,Caption 2\na.jpg,one,1,two\nb.jpg,three,2,nan\n",
        "image,captions\na.jpg,\"['one', 'two']\"\nb.jpg,\"['three']\"\n",
        'image,caption\na.jpg,"{""text"":[""one"",""two""]}"\nb.jpg,three\n',
        'image,raw\na.jpg,"[""one"", ""two""]"\nb.jpg,"[""three""]"\n',
    ],
)
def test_several_captions_in_a_row(tmp_path, text):
    assert read(write(tmp_path, text)).captions == [["one", "two"], ["three"]]


def test_text_in_brackets_is_a_caption(tmp_path):
    path = write(tmp_path, "image,caption\na.jpg,[a dog]\nb.jpg,\"['one', 2]\"\nc.jpg,['one\n")
    assert read(path).captions == [["[a dog]"], ["['one', 2]"], ["['one"]]


def test_captions_are_decoded_and_what_says_nothing_is_counted(tmp_path):
    path = write(
        tmp_path,
        "image,caption\na.jpg,Tom &amp; Jerry don&#39;t run\n,\na.jpg,NULL\na.jpg,N/A\nb.jpg,nan\n",
    )
    dataset = read(path)
    assert dataset.captions == [["Tom & Jerry don't run"]]
    assert dataset.warnings == [
        f"{path}: empty rows skipped: 1 (first: line 3)",
        f"{path}: captions such as nan or NULL dropped: 3 (first: line 4, 'NULL')",
        f"{path}: pictures without captions dropped: 1 (first: b.jpg)",
    ]


def test_a_table_saved_as_windows_1252(tmp_path):
    path = write(tmp_path, "image,caption\nété.jpg,un garçon\nb.jpg,an “old” dog\n", "cp1252")
    dataset = read(path)
    assert dataset.image_ids == ["été.jpg", "b.jpg"]
    assert dataset.captions == [["un garçon"], ["an “old” dog"]]
    assert dataset.warnings == [f"{path}: not UTF-8, read as Windows-1252: 1 (first: line 2)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,caption\na.jpg,3\nb.jpg,0.5\n", r"without a letter: 2 \(first: '3' of a.jpg\): is"),
        ("image,caption\na.jpg,a.jpg\nb.jpg,b.jpg\n", "the name of a picture file: 2 .*: is that"),
        ("a.jpg,one\nb.jpg,two\n", "first picture; put the line image,caption before it"),
        ("sep=;\na;b\n1;2\n", "x.csv: line 2: expected the header image,caption, got 'a,b'"),
    ],
)
def test_tables_without_captions(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(CaptionerError, match=message):
        read(tmp_path / "x.csv")
