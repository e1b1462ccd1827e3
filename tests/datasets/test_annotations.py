"""The checks that all readers share."""

import pytest

from captioner.datasets.annotations import (
    NO_CAPTION,
    Record,
    Tally,
    clean_caption,
    keep_captioned,
    member,
    picture_name,
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
    "name", ["", " ", ".", "/a.jpg", "\\\\host\\a.jpg", "C:\\a.jpg", "s3://a.jpg", "a/../b.jpg",
             "..", "a\0.jpg"]
)  # fmt: skip
def test_names_that_lead_out_of_the_folder(name):
    with pytest.raises(CaptionerError, match=r"^x\.csv: line 2: picture .* must be a file name in"):
        picture_name(name, "x.csv", "line 2")


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
