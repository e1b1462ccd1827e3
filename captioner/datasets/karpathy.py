"""Karpathy's split files: dataset_coco.json, dataset_flickr8k.json, dataset_flickr30k.json."""

from captioner.datasets.annotations import (
    DUPLICATE,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
    member,
    picture_name,
)
from captioner.datasets.splits import canonical
from captioner.errors import CaptionerError
from captioner.text_files import read_json


def read(path):
    """Reads a JSON object whose `images` have a `split` and `sentences`.

    A picture's id is its `cocoid`, else its `imgid`, else its file name. `restval`, the part of
    COCO's validation pictures that everyone trains on, belongs to train.

    Args:
        path: str.

    Returns:
        Annotations.

    Source: Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image
    Descriptions", https://cs.stanford.edu/people/karpathy/deepimagesent/.
    """
    images = member(read_json(path), "images", (list,), path)
    tally = Tally(path)
    records, homes = {}, {}
    for index, image in enumerate(images):
        place = f"images[{index}]"
        record = _record(image, path, place, tally)
        known = records.setdefault(record.image_id, record)
        if known is not record:
            _require_same(known, record, path, place)
            tally.add(DUPLICATE, place)
        split = homes.setdefault(record.file, record.split)
        if split != record.split:
            raise CaptionerError(
                f"{path}: {place}: {record.file} is in split {record.split}, but in {split} before"
            )
    splits = list(dict.fromkeys(each.split for each in records.values() if each.split))
    return Annotations(keep_captioned(records.values(), tally), splits, tally.warnings())


def _record(image, path, place, tally):
    sentences = member(image, "sentences", (list,), path, place)
    name = member(image, "filename", (str,), path, place)
    folder = member(image, "filepath", (str,), path, place) if "filepath" in image else ""
    file = picture_name(f"{folder}/{name}" if folder else name, path, place)
    key = next((key for key in ("cocoid", "imgid") if key in image), None)
    image_id = member(image, key, (int, str), path, place) if key else file
    split = canonical(member(image, "split", (str,), path, place)) if "split" in image else None
    return Record(image_id, file, _captions(sentences, path, place, tally), split)


def _captions(sentences, path, place, tally):
    captions = []
    for index, sentence in enumerate(sentences):
        where = f"{place}.sentences[{index}]"
        add_caption(captions, member(sentence, "raw", (str,), path, where), tally, where)
    return captions


def _require_same(known, record, path, place):
    if known != record:
        raise CaptionerError(
            f"{path}: {place}: id {record.image_id!r} was given to {known.file} before, with "
            "another file, split or captions"
        )
