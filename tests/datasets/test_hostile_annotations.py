"""A thousand mutations of every kind of file: read, or refused in one line that says where."""

import json
import os

import numpy as np
import pytest

from captioner.datasets import load_dataset
from captioner.errors import CaptionerError
from captioner.metrics import load_results
from captioner.training.config import TrainConfig, read_config_file
from tests.datasets import coco_document
from tests.hostile import mutated_bytes, mutated_json

MUTATIONS = 1000
CAPTIONS = {
    "a.jpg": ["Two dogs.", "A cat, and a dog."], "b.jpg": ["Un café.", "一只猫"],
    "below/c d.jpg": ['He says "no".', "A man 's hat ."],
}  # fmt: skip
KARPATHY = {
    "images": [
        {
            "filename": file,
            "imgid": n,
            "split": split,
            "sentences": [{"raw": each} for each in texts],
        }
        for n, ((file, texts), split) in enumerate(
            zip(CAPTIONS.items(), ("train", "restval", "test"), strict=True)
        )
    ]
}
RESULTS = [{"image_id": 1, "caption": "two dogs"}, {"image_id": "b", "caption": "a café"}]
PAIRS = [(file, n, text) for file, texts in CAPTIONS.items() for n, text in enumerate(texts)]
TOKENS = "".join(f"{file}#{n}\t{text}\n" for file, n, text in PAIRS).encode()
TABLE = "".join(
    ["image,caption\n", *('{},"{}"\n'.format(f, t.replace('"', '""')) for f, _, t in PAIRS)]
).encode()
LINES = "".join(
    json.dumps({"file_name": file, "captions": texts}) + "\n" for file, texts in CAPTIONS.items()
).encode()


def mutations(base):
    """A thousand; of a document, half of them in its structure and half in its bytes."""
    rng = np.random.default_rng(0)
    for number in range(MUTATIONS):
        if isinstance(base, bytes):
            yield mutated_bytes(base, rng)
        elif number % 2:
            yield mutated_json(base, rng)
        else:
            yield mutated_bytes(json.dumps(base, ensure_ascii=False).encode(), rng)


def require_one_line(error, folder):
    """The message names a file, in one printable line that is not too long to read."""
    message = str(error)
    assert str(folder) in message
    assert message.isprintable()
    assert len(message) < 1000


def read_all(read, name, base, folder):
    """How many of the mutations were read; the others were refused properly."""
    read_well = 0
    for content in mutations(base):
        (folder / name).write_bytes(content)
        try:
            found = read(str(folder / name))
        except CaptionerError as error:
            require_one_line(error, folder)
        else:
            read_well += 1
            check(found, folder)
    return read_well


def check(dataset, folder):
    """No mutation leads out of the folder, or gives captions that no file can take."""
    if not hasattr(dataset, "image_paths"):
        return
    for path in dataset.image_paths:
        assert os.path.normpath(path).startswith(str(folder) + os.sep)
    for text in (text for texts in dataset.captions for text in texts):
        assert text == " ".join(text.encode().decode().split())


@pytest.mark.parametrize(
    ("format", "name", "base"),
    [
        ("coco", "captions.json", coco_document(CAPTIONS)),
        ("karpathy", "dataset.json", KARPATHY),
        ("flickr8k", "pets.token.txt", TOKENS),
        ("csv", "pets.csv", TABLE),
        ("auto", "captions.json", coco_document(CAPTIONS)),
        ("auto", "captions.txt", TABLE),
        ("csv", "captions.tsv", "".join(f"{file}\t{text}\n" for file, _, text in PAIRS).encode()),
        ("jsonl", "metadata.jsonl", LINES),
        ("jsonl", "list.json", [json.loads(line) for line in LINES.splitlines()]),
    ],
)
def test_annotations(tmp_path, format, name, base):
    def read(path):
        return load_dataset(path, format=format, check_images=False)

    assert read_all(read, name, base, tmp_path) > 50


def test_lists_of_splits(tmp_path):
    (tmp_path / "pets.token.txt").write_bytes(TOKENS)

    def read(path):
        return load_dataset(str(tmp_path / "pets.token.txt"), split="train", check_images=False)

    names = "\n".join(CAPTIONS).encode() + b"\n"
    assert read_all(read, "pets.trainImages.txt", names, tmp_path) > 50


def test_captions_beside_pictures(tmp_path):
    (tmp_path / "a.jpg").touch()

    def read(path):
        return load_dataset(str(tmp_path), format="sidecar", check_images=False)

    text = "\n".join(CAPTIONS["a.jpg"]).encode()
    assert read_all(read, "a.txt", text, tmp_path) > 50


def test_results(tmp_path):
    assert read_all(load_results, "results.json", RESULTS, tmp_path) > 50


@pytest.mark.long
def test_settings(tmp_path):
    def read(path):
        return TrainConfig(**read_config_file(path))

    settings = {"data": "x", "units": 64, "learning-rate": 1e-3, "cell": "gru", "augment": False}
    (tmp_path / "s.json").write_text(json.dumps(settings))
    read(str(tmp_path / "s.json"))
    messages = []
    for content in mutations(settings):
        (tmp_path / "s.json").write_bytes(content)
        try:
            read(str(tmp_path / "s.json"))
        except CaptionerError as error:
            messages.append(str(error))
    assert len(messages) > 100
    for message in messages:  # of the file, or of the flag that the value is for
        assert message.startswith((str(tmp_path), "--"))
        assert message.isprintable()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "x/../../y.jpg", "C:\\boot.ini", "..\\..\\y.jpg"]
)
@pytest.mark.parametrize("format", ["coco", "karpathy", "flickr8k", "csv"])
def test_names_lead_nowhere_else(tmp_path, format, name):
    texts = {"coco": json.dumps(coco_document({name: ["A dog."]})),
             "karpathy": json.dumps(
                 {"images": [{"filename": name, "sentences": [{"raw": "A dog."}]}]}),
             "flickr8k": f"{name}#0\tA dog.\n",
             "csv": f"image,caption\n{name},A dog.\n"}  # fmt: skip
    path = tmp_path / "file"
    path.write_text(texts[format])
    check(load_dataset(str(path), format=format, check_images=False), tmp_path)
    with pytest.raises(CaptionerError, match="1 of 1 pictures are missing"):
        load_dataset(str(path), format=format)
