import pytest

from captioner.datasets.json_entries import captions_in, picture_in, split_in
from captioner.errors import CaptionerError


@pytest.mark.parametrize(
    ("entry", "captions"),
    [
        ({"caption": "a dog"}, ["a dog"]),
        ({"text": "a dog", "tags": ["x"]}, ["a dog"]),
        ({"captions": ["a dog", None, 7]}, ["a dog", "", "7"]),
        ({"caption": "the best", "captions": ["the best", "the second"]},
         ["the best", "the second"]),
        ({"caption": None, "text": "a dog"}, ["a dog"]),
        ({"sentences": [{"raw": "a dog", "sentid": 3}]}, ["a dog"]),
        ({"conversations": [{"from": "human", "value": "<image>\nDescribe it."},
                            {"from": "gpt", "value": "a dog"},
                            {"from": "human", "value": "Is it brown?"},
                            {"from": "gpt", "value": "yes"}]}, ["a dog"]),
        ({"caption": None}, None),
        ({"bbox": [0, 0, 4, 4]}, None),
    ],
)  # fmt: skip
def test_captions_of_an_entry(entry, captions):
    assert captions_in(entry, "x.json", "entry 1") == captions


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        ({"file_name": "a.jpg", "url": "http://x/b.jpg"}, "a.jpg"),
        ({"image": {"bytes": None, "path": "below/a.jpg"}}, "below/a.jpg"),
        ({"source-ref": "s3://bucket/photos/a.jpg"}, "photos/a.jpg"),
        ({"file_name": "", "path": "a.jpg"}, "a.jpg"),
    ],
)
def test_the_picture_of_an_entry(entry, file):
    assert picture_in(entry, "x.json", "entry 1") == file


@pytest.mark.parametrize(("split", "name"), [("valid", "val"), ("", None), (None, None)])
def test_the_split_of_an_entry(split, name):
    assert split_in({"split": split}, "x.json", "entry 1") == name


@pytest.mark.parametrize(
    ("read", "entry", "message"),
    [
        (captions_in, [], "x.json: entry 1: expected an object, got a list"),
        (captions_in, {"text": True}, "x.json: entry 1.text: expected a string, got true or false"),
        (picture_in, {"text": "x"}, "x.json: entry 1: names no picture; .* it has 'text'"),
        (picture_in, {"image": 7}, "entry 1.image: expected a string or an object, got a whole"),
        (picture_in, {"image": {"bytes": "x"}}, "x.json: entry 1.image.path: missing"),
        (split_in, {"split": 1}, "x.json: entry 1.split: expected a string, got a whole number"),
    ],
)
def test_entries_of_another_kind(read, entry, message):
    with pytest.raises(CaptionerError, match=message):
        read(entry, "x.json", "entry 1")
