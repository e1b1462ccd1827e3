import json

import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.output.writers import WRITERS
from tests.datasets import touch, write_json

ENTRIES = [{"file_name": "a.jpg", "text": "a dog"}, {"file_name": "b.jpg", "text": "a cat"}]


def write_lines(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in entries), encoding="utf-8")
    return path


def read(path, **options):
    return load_dataset(path, check_images=False, **options)


@pytest.mark.parametrize("name", ["metadata.jsonl", "x.ndjson", "output.manifest", "x.json"])
def test_lines(tmp_path, name):
    touch(tmp_path, "a.jpg", "b.jpg")
    path = write_lines(tmp_path / name, ENTRIES)
    for source in (path, tmp_path):
        dataset = load_dataset(source)
        assert dataset.image_ids == ["a.jpg", "b.jpg"]
        assert dataset.image_paths == [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
        assert dataset.captions == [["a dog"], ["a cat"]]


@pytest.mark.parametrize(
    "document",
    [
        ENTRIES,
        [{"image": "a.jpg", "caption": ["a dog"]}, {"image": "b.jpg", "caption": "a cat"}],
        [{"caption": "a dog", "image_id": "1", "image": "a.jpg"},
         {"caption": "a cat", "image_id": "2", "image": "b.jpg"}],
        {"a.jpg": ["a dog"], "b.jpg": "a cat"},
        {"a.jpg": {"caption": "a dog", "tags": "dog"}, "b.jpg": {"caption": "a cat"}},
        [{"id": name, "image": name, "conversations": [{"from": "human", "value": "<image>"},
                                                       {"from": "gpt", "value": text}]}
         for name, text in (("a.jpg", "a dog"), ("b.jpg", "a cat"))],
        [{"id": 1, "data": {"image": name}, "annotations": [{"result": [
            {"type": "textarea", "value": {"text": [text]}},
            {"type": "choices", "value": {"choices": ["good"]}}]}]}
         for name, text in (("a.jpg", "a dog"), ("b.jpg", "a cat"))],
    ],
)  # fmt: skip
def test_documents(tmp_path, document):
    touch(tmp_path, "a.jpg", "b.jpg")
    for indent in (None, 2):
        (tmp_path / "pets.json").write_text(json.dumps(document, indent=indent))
        for dataset in (load_dataset(tmp_path), read(tmp_path / "pets.json", format="jsonl")):
            assert dataset.image_ids == ["a.jpg", "b.jpg"]
            assert dataset.captions == [["a dog"], ["a cat"]]
            assert dataset.warnings == []


@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "text"])
@pytest.mark.parametrize("with_scores", [False, True])
def test_what_caption_py_writes_is_a_data_set(tmp_path, format, with_scores):
    touch(tmp_path, "a.jpg", "below/b, c.jpg")
    path = tmp_path / f"captions.{ {'text': 'txt'}.get(format, format) }"
    found = {"a.jpg": ["a dog", 'a "big" dog, asleep'], "below/b, c.jpg": ["a cat"]}
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = WRITERS[format](file, with_scores)
        for name, texts in found.items():
            captions = [Caption(text, -0.5, tuple(text.split()), (-0.25,) * 4) for text in texts]
            writer.write(str(tmp_path / name), captions)
        writer.close([])
    dataset = load_dataset(path)
    assert dataset.image_paths == [str(tmp_path / name) for name in found]
    assert dataset.captions == list(found.values())


@pytest.mark.parametrize("inside", ["", "data/"])
def test_a_file_in_the_folder_of_each_split(tmp_path, inside):
    for split, name in (("train", "a.jpg"), ("validation", "a.jpg"), ("test", "c.jpg")):
        touch(tmp_path, f"{inside}{split}/{name}")
        entry = {"file_name": name, "text": f"of {split}"}
        write_lines(tmp_path / inside / split / "metadata.jsonl", [entry])
    one = tmp_path / inside / "train/metadata.jsonl"
    for split, folder in (("train", "train"), ("val", "validation"), ("test", "test")):
        for source in (tmp_path, one):
            dataset = load_dataset(source, split=split)
            assert dataset.captions == [[f"of {folder}"]]
            assert dataset.image_paths[0].startswith(str(tmp_path / inside / folder))
    ids = [f"{inside}{name}" for name in ("test/c.jpg", "train/a.jpg", "validation/a.jpg")]
    assert sorted(load_dataset(tmp_path).image_ids) == ids


def test_splits_are_the_folders_of_the_pictures(tmp_path):
    touch(tmp_path, "train/a.jpg", "test/a.jpg")
    entries = [{"file_name": f"{split}/a.jpg", "text": split} for split in ("train", "test")]
    path = write_lines(tmp_path / "metadata.jsonl", entries)
    assert load_dataset(path, split="test").captions == [["test"]]


def test_what_has_no_caption_is_counted(tmp_path):
    entries = [{"image": "a.jpg", "caption": "a dog"}, {"image": "b.jpg", "error": "broken"},
               {"image": "c.jpg", "caption": "NaN"}, {"image": "d.jpg", "caption": ""},
               {"image": "e.jpg", "caption": None}]  # fmt: skip
    path = write_lines(tmp_path / "x.jsonl", entries)
    assert read(path).warnings == [
        f"{path}: entries without a caption skipped: 2 (first: line 2)",
        f"{path}: captions such as nan or NULL dropped: 1 (first: line 3, 'NaN')",
        f"{path}: empty captions dropped: 1 (first: line 4)",
        f"{path}: pictures without captions dropped: 2 (first: c.jpg)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": "a.jpg", "text": "x"}\n{"image"\n', "x.jsonl: line 2: broken JSON"),
        ('{"image": "a.jpg", "text": "x"}\n[]\n', "x.jsonl: line 2: expected an object, got a"),
        ('{"id": 1, "image": "a.jpg"}\n', "x.jsonl: no picture with a caption; entries without"),
        ('{"image": "a.jpg", "text": "x"}\n{"text": "y"}\n', "line 2: names no picture"),
        ("", "x.jsonl: line 1, column 1: broken JSON"),
        ("7", "x.jsonl: expected an object for each picture"),
        ('{"image": "a.jpg", "text": "x", "split": "val"}\n{"image": "a.jpg", "text": "y"}\n',
         "x.jsonl: line 2: a.jpg is in split None, but in val too"),
    ],
)  # fmt: skip
def test_broken_files(tmp_path, text, message):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(CaptionerError, match=message):
        read(tmp_path / "x.jsonl")


def test_results_of_coco_are_no_data_set(tmp_path):
    path = write_json(tmp_path / "results.json", [{"image_id": 1, "caption": "a dog"}])
    with pytest.raises(CaptionerError, match="neither COCO captions"):
        load_dataset(path)
