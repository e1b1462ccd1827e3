"""The checks that all readers share."""

import pytest

from captioner.datasets.annotations import (
    MISSING_VALUE,
    NO_CAPTION,
    NO_LETTER,
    OWN_NAME,
    PICTURE_NAME,
    Record,
    Tally,
    add_caption,
    clean_caption,
    doubtful_captions,
    keep_captioned,
    member,
    picture_name,
    plain_id,
)
from captioner.errors import CaptionerError


def test_faults_are_counted_by_kind_with_the_first_place():
    tally = Tally("a.csv")
    assert tally.warnings() == []
    for fault, place in (("empty", "line 3"), ("twice", "line 4"), ("empty", "line 9")):
        tally.add(fault, place)
    assert tally.warnings() == [
        "a.csv: empty: 2 (first: line 3)",
        "a.csv: twice: 1 (first: line 4)",
    ]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  A dog\n runs.\t", "A dog runs."),
        ("une\u00a0tasse\u2028de thé", "une tasse de thé"),  # other kinds of white space
        ("half of \ud83d a smile", "half of ? a smile"),
        ("\n \t", ""),
        ("Tom &amp; Jerry don&#39;t run", "Tom & Jerry don't run"),
        ("&amp;quot;Hi&amp;quot;&nbsp;&#x1F436;", '"Hi" 🐶'),
        ("AT&T; R&D &unknown; a&b", "AT&T; R&D &unknown; a&b"),
    ],
)
def test_a_caption_is_one_line(text, cleaned):
    assert clean_caption(text) == cleaned


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (" a.jpg\n", "a.jpg"),
        ("./below//c d.jpg", "below/c d.jpg"),
        ("below\\été.jpg", "below/été.jpg"),
        ("..a..jpg", "..a..jpg"),
    ],
)
def test_names_are_relative_with_forward_slashes(name, file):
    assert picture_name(name, "x.csv", "line 2") == file


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("/data/a.jpg", "data/a.jpg"),
        ("\\\\host\\share\\a.jpg", "host/share/a.jpg"),
        ("C:\\photos\\a.jpg", "photos/a.jpg"),
        ("C:a.jpg", "C:a.jpg"),
        ("..\\..\\media\\4\\a.jpg", "media/4/a.jpg"),
        ("a/../b.jpg", "a/b.jpg"),
        ("s3://bucket/photos/a.jpg", "photos/a.jpg"),
        ("https://x.example:80/val2017/a.jpg?width=8#top", "val2017/a.jpg"),
        ("file:///C:/photos/a%20b.jpg", "photos/a%20b.jpg"),
        ("/data/local-files/?d=photos/a.jpg", "photos/a.jpg"),
        ("http://[broken/a.jpg", "a.jpg"),
        ("12:30.jpg", "12:30.jpg"),
    ],
)
def test_names_from_another_place_keep_their_folders_and_file(name, file):
    assert picture_name(name, "x.csv", "line 2") == file


@pytest.mark.parametrize("name", ["", " ", ".", "/", "..", "../..", "C:\\", "http://x", "a\0.jpg"])
def test_names_of_no_file(name):
    with pytest.raises(CaptionerError, match=r"^x\.csv: line 2: picture .* must be the name of a"):
        picture_name(name, "x.csv", "line 2")


@pytest.mark.parametrize("text", ["nan", "NaN", "NULL", "n/a", "#N/A", "None", "<NA>"])
def test_missing_values_are_no_captions(text):
    captions, tally = ["a dog"], Tally("x.csv")
    add_caption(captions, text, tally, "line 2")
    assert captions == ["a dog"]
    assert tally.warnings() == [f"x.csv: {MISSING_VALUE}: 1 (first: line 2, {text!r})"]


def test_words_that_only_begin_like_missing_values_stay():
    captions = []
    for text in ("none of the dogs runs", "Nana", "Nonsense"):
        add_caption(captions, text, Tally("x.csv"), "line 2")
    assert captions == ["none of the dogs runs", "Nana", "Nonsense"]


def test_captions_that_may_be_of_a_wrong_column():
    def doubtful(*texts):
        return doubtful_captions([Record(1, "a.jpg", list(texts), None)], "x.csv")

    assert doubtful("dogs", "7 dogs", "a dog on p.jpg") == []
    assert doubtful("a") == [f"x.csv: {OWN_NAME}: 1 (first: 'a' of a.jpg)"]
    assert doubtful("a dog", "0.73", "12 %", "b.png") == [
        f"x.csv: {NO_LETTER}: 2 (first: '0.73' of a.jpg)",
        f"x.csv: {PICTURE_NAME}: 1 (first: 'b.png' of a.jpg)",
    ]
    with pytest.raises(CaptionerError, match=r"without a letter: 3 .*: is that"):
        doubtful("1", "...", "0 0.5 0.25")


@pytest.mark.parametrize("value", [1, "1", 1.0, "1.0", "1.00"])
def test_an_id_is_the_same_as_number_and_as_text(value):
    assert plain_id(value) == "1"


@pytest.mark.parametrize("value", ["a.jpg", "01", "1.5", "00042.0", "1."])
def test_ids_that_are_no_whole_numbers_stay(value):
    assert plain_id(value) == value


def test_pictures_without_captions_are_counted():
    tally = Tally("x.json")
    records = [Record(n, f"{n}.jpg", ["a dog"] * (n % 2), None) for n in range(4)]
    assert [each.image_id for each in keep_captioned(records, tally)] == [1, 3]
    assert tally.warnings() == [f"x.json: {NO_CAPTION}: 2 (first: 0.jpg)"]


def test_a_member_of_a_document():
    assert member({"id": 7}, "id", (int, str), "x.json") == 7
    assert member({"id": "7"}, "id", (int, str), "x.json") == "7"
    assert member({"images": []}, "images", (list,), "x.json") == []


@pytest.mark.parametrize(
    ("owner", "place", "message"),
    [
        ([], "", "x.json: top level: expected an object, got a list"),
        (None, "images[3]", "x.json: images[3]: expected an object, got null"),
        ({}, "", "x.json: id: missing"),
        ({"id": None}, "images[3]", "x.json: images[3].id: expected a whole number or a string, "
                                    "got null"),
        ({"id": True}, "", "x.json: id: expected a whole number or a string, got true or false"),
        ({"id": 7.0}, "", "x.json: id: expected a whole number or a string, got a number"),
    ],
)  # fmt: skip
def test_a_member_that_is_missing_or_of_another_kind(owner, place, message):
    with pytest.raises(CaptionerError) as caught:
        member(owner, "id", (int, str), "x.json", place)
    assert str(caught.value) == message
