import json

import pytest

from captioner.errors import CaptionerError
from captioner.metrics import load_results, require_replaceable_results, save_results


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "results.json"
    captions = {7: 'a "dog"\nruns', "photo.jpg": "un café ☕", 3: ""}

    save_results(path, captions)

    assert load_results(path) == captions
    assert list(load_results(path)) == [7, "photo.jpg", 3]
    assert json.loads(path.read_text(encoding="utf-8"))[1] == {
        "image_id": "photo.jpg",
        "caption": "un café ☕",
    }


def test_no_captions(tmp_path):
    save_results(tmp_path / "none.json", {})

    assert load_results(tmp_path / "none.json") == {}


def test_other_keys_and_a_byte_order_mark_do_not_matter(tmp_path):
    path = _write(tmp_path / "r.json", '\ufeff[{"image_id": 1, "caption": "a", "score": 0.5}]')

    assert load_results(path) == {1: "a"}


@pytest.mark.parametrize(
    "text",
    [
        '[{"image": "a.jpg", "caption": "a dog, running", "score": -0.5},\n'
        ' {"image": "b.jpg", "caption": "", "captions": ["", "a cat"]}]',
        '{"image": "a.jpg", "caption": "a dog, running"}\n'
        '{"image": "c.jpg", "error": "not a picture"}\n'
        '{"image": "b.jpg", "caption": ""}\n',
        'image,caption,score\na.jpg,"a dog, running",-0.5\na.jpg,a dog,-0.7\nb.jpg,,-1\n',
        'caption,image_id\r\n"a dog, running",a.jpg\r\n,b.jpg\r\n',
        "a.jpg\ta dog, running\t-0.5\na.jpg\ta dog\t-0.7\nb.jpg\t\t-1\n",
    ],
    ids=["json", "jsonl", "csv", "csv of others", "text"],
)
def test_captions_that_caption_py_writes(tmp_path, text):
    path = _write(tmp_path / "captions", text)

    assert load_results(path) == {"a.jpg": "a dog, running", "b.jpg": ""}


def test_a_whole_number_is_one_however_it_is_written(tmp_path):
    path = _write(tmp_path / "r.json", '[{"image_id": 1.0, "caption": "a"}]')

    [name] = load_results(path)
    assert (name, type(name)) == (1, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two dogs", r"r\.json: captions in no known format; expected COCO results, or what"),
        ("image,caption\na.jpg,a dog, running", r"line 2: 3 fields, but the header has 2"),
        ('image,caption\na.jpg,"a dog', r"line 2: broken CSV"),
        ("a.jpg\ta dog\nb.jpg a cat", r"line 2: expected path<TAB>caption, got 'b.jpg a cat'"),
        ("a.jpg\ta\nb.jpg\tb\na.jpg\tc", r"line 3 is a second caption for image 'a.jpg'"),
        ('{"image": "a", "caption": "b"}\n{"image":', r"line 2: broken JSON"),
        ('{"image": "a", "caption": "b"}\n[]', r"line 2 is a list"),
        ('[\n{"image_id": 1,\n"caption": }]', r"r\.json: line 3, column 12: broken JSON"),
        ("", r"line 1, column 1: broken JSON"),
        ('{"annotations": []}', r"a list of .* is expected, not an object"),
        ("[[1]]", r"entry 0 is a list"),
        ('[{"image_id": 1, "caption": "a"}, 5]', r"entry 1 is a whole number"),
        ('[{"caption": "a"}]', r"entry 0 has no 'image_id'; it has caption"),
        ("[{}]", r"entry 0 has no 'image_id'; it has nothing"),
        ('[{"image_id": 1, "captions": "a"}]', r"entry 0 has no 'caption'"),
        ('[{"image_id": 1.5, "caption": "a"}]', r"entry 0: image_id is a number"),
        ('[{"image_id": true, "caption": "a"}]', r"entry 0: image_id is true or false"),
        ('[{"image_id": 1, "caption": null}]', r"entry 0: caption is null, not a string"),
        (
            '[{"image_id": 4, "caption": "a"}, {"image_id": 4, "caption": "b"}]',
            r"entry 1 is a second caption for image 4",
        ),
    ],
)
def test_wrong_files_say_what_and_where(tmp_path, text, message):
    path = _write(tmp_path / "r.json", text)

    with pytest.raises(CaptionerError, match=message) as caught:
        load_results(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CaptionerError, match="cannot be read"):
        load_results(tmp_path / "absent.json")
    (tmp_path / "latin.json").write_bytes(b'[{"image_id": 1, "caption": "caf\xe9"}]')
    with pytest.raises(CaptionerError, match="not UTF-8"):
        load_results(tmp_path / "latin.json")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CaptionerError, match="cannot be written"):
        save_results(tmp_path / "absent" / "r.json", {1: "a"})


@pytest.mark.parametrize(
    ("text", "is_free"),
    [
        (None, True),
        ("", True),
        ("[]", True),
        ('[{"image_id": 1, "caption": "a dog"}]', True),
        ('{"images": [], "annotations": []}', False),
        ('[{"image": "a.jpg", "caption": "a dog"}]', False),  # may be people's
        ("a.jpg\ta dog\n", False),
    ],
)
def test_only_a_results_file_is_replaced(tmp_path, text, is_free):
    path = tmp_path / "r.json"
    if text is not None:
        _write(path, text)
    if is_free:
        require_replaceable_results(path)
        return
    with pytest.raises(CaptionerError, match=r"r\.json: exists already and is not a COCO results"):
        require_replaceable_results(path)
