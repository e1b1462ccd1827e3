"""What the tests of the readers share: they write small data sets and read them back."""

import json

from PIL import Image


def touch(folder, *names):
    """Empty picture files: the readers look at names only."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_json(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def make_colours(folder, colours=("red", "blue"), pictures=4):
    """Some pictures of two colours to learn from and four to choose by, with captions."""
    for split, first, count in (("train", 0, pictures), ("val", pictures, 4)):
        captions = {}
        for n in range(first, first + count):
            colour = colours[n % 2]
            Image.new("RGB", (32, 32), colour).save(folder / f"{n}.png")
            captions[f"{n}.png"] = [f"a {colour} field", f"{colour} everywhere"]
        write_json(folder / f"captions_{split}.json", coco_document(captions, 10 * first + 1))


# Settings of a captioner for them that is made and trained at once.
SMALL = {
    "encoder": "mobilenet_v2", "encoder_weights": "none", "picture_size": 32, "embedding": 8,
    "image_units": 8, "min_count": 1,
}  # fmt: skip


def coco_document(captions_by_file, first_id=1):
    """A COCO captions document; ids count up from `first_id`."""
    ids = {file: first_id + n for n, file in enumerate(captions_by_file)}
    pairs = [(ids[file], text) for file, texts in captions_by_file.items() for text in texts]
    return {
        "images": [{"id": ids[file], "file_name": file} for file in captions_by_file],
        "annotations": [
            {"id": 100 * first_id + n, "image_id": image_id, "caption": text}
            for n, (image_id, text) in enumerate(pairs)
        ],
    }
