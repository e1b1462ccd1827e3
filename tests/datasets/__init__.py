"""What the tests of the readers share: they write small data sets and read them back."""

import json


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
