"""COCO captions: a JSON object with `images` and `annotations`, one file for each split."""

from captioner.datasets.annotations import (
    DUPLICATE,
    Annotations,
    Record,
    Tally,
    add_caption,
    keep_captioned,
    member,
    picture_name,
    plain_id,
)
from captioner.datasets.json_entries import captions_in
from captioner.errors import CaptionerError
from captioner.text_files import read_json

IDS = (int, str, float)
FILE_KEYS = ("file_name", "filename", "path", "coco_url", "flickr_url", "url")
NO_TEXT = "annotations without a caption skipped"  # boxes, outlines, key points


def read(path):
    """Reads one COCO captions file.

    Annotations without a caption, such as boxes, may be among those with one. The caption may be
    among an annotation's `attributes`, where labelling programs put it. An id is the same as a
    number and as text.

    Args:
        path: str.

    Returns:
        Annotations, with COCO's image ids.

    Source: https://cocodataset.org/#format-data, "Image Captioning".
    """
    document = read_json(path)
    tally = Tally(path)
    images = _images(member(document, "images", (list,), path), path, tally)
    annotations = member(document, "annotations", (list,), path)
    captions = _captions(annotations, images, path, tally)
    records = [Record(*image, captions[key], None) for key, image in images.items()]
    return Annotations(keep_captioned(records, tally), [], tally.warnings())


def _images(images, path, tally):
    """(id, file) of each image by its plain id."""
    known = {}
    for index, image in enumerate(images):
        place = f"images[{index}]"
        image_id = member(image, "id", IDS, path, place)
        key = next((key for key in FILE_KEYS if image.get(key)), FILE_KEYS[0])
        file = picture_name(member(image, key, (str,), path, place), path, place)
        plain = plain_id(image_id)
        if plain not in known:
            known[plain] = _whole(image_id), file
            continue
        _, first = known[plain]
        if first != file:
            raise CaptionerError(
                f"{path}: {place}: image id {image_id!r} was given to {first} before, now to {file}"
            )
        tally.add(DUPLICATE, place)
    return known


def _whole(image_id):
    return int(image_id) if isinstance(image_id, float) and image_id.is_integer() else image_id


def _captions(annotations, images, path, tally):
    """The captions of each image by its plain id."""
    captions = {key: [] for key in images}
    seen = {}
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        texts = _texts(annotation, path, place)
        if texts is None:
            tally.add(NO_TEXT, place)
            continue
        image_id = member(annotation, "image_id", IDS, path, place)
        key = plain_id(image_id)
        if key not in captions:
            raise CaptionerError(
                f"{path}: {place}.image_id: no entry of images has id {image_id!r}"
            )
        if _is_given_twice(annotations, index, seen, path):
            tally.add(DUPLICATE, place)
            continue
        for text in texts:
            add_caption(captions[key], text, tally, place)
    return captions


def _texts(annotation, path, place):
    """The captions of an annotation, a list; None where it has none."""
    if type(annotation) is dict and type(annotation.get("attributes")) is dict:
        annotation = {**annotation["attributes"], **annotation}
    return captions_in(annotation, path, place)


def _is_given_twice(annotations, index, seen, path):
    """Whether an annotation of the same id says the same; an error where it says something else."""
    annotation, place = annotations[index], f"annotations[{index}]"
    if annotation.get("id") is None:
        return False
    number = member(annotation, "id", IDS, path, place)
    first = seen.setdefault(plain_id(number), index)
    if first == index:
        return False
    if _content(annotations[first], path) != _content(annotation, path):
        raise CaptionerError(
            f"{path}: {place}: id {number!r} is that of annotations[{first}], which says something "
            "else"
        )
    return True


def _content(annotation, path):
    return plain_id(annotation["image_id"]), _texts(annotation, path, "")
