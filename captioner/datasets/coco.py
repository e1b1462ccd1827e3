"""COCO captions: a JSON object with `images` and `annotations`, one file for each split."""

import os

from captioner.datasets.annotations import (
    DUPLICATE,
    EMPTY_CAPTION,
    Annotations,
    Record,
    Tally,
    clean_caption,
    keep_captioned,
    member,
    picture_name,
)
from captioner.datasets.splits import around_split, choose, split_in_file_name
from captioner.errors import CaptionerError
from captioner.text_files import read_json


def read_folder(folder, files, split=None):
    """Reads the caption files of a folder, whose names tell the splits.

    Args:
        folder: str. For messages.
        files: list of str, e.g. captions_train2017.json and captions_val2017.json.
        split: str, tuple of str, or None. The split wanted, as `splits.choose` takes it; no other
            file is read. Defaults to `None`, all.

    Returns:
        Annotations.
    """
    if len(files) == 1 and not split_in_file_name(os.path.basename(files[0])):
        return read(files[0])
    by_split = _by_split(folder, files)
    split = choose(split, list(by_split), folder)
    records, warnings, homes = [], [], {}
    for name, path in by_split.items():
        if split not in (None, name):
            continue
        part = read(path, name)
        shared = next((each.image_id for each in part.records if each.image_id in homes), None)
        if shared is not None:
            raise CaptionerError(
                f"{path}: image id {shared!r} is in {homes[shared]} too; read one split only, or "
                "give every picture an id of its own"
            )
        homes.update((each.image_id, path) for each in part.records)
        records += part.records
        warnings += part.warnings
    return Annotations(records, list(by_split), warnings)


def files_of_splits(path):
    """The caption files of a data set that has one for each split, one of which is given.

    Args:
        path: str, e.g. captions_train2017.json. Files beside it belong to it whose names differ in
            the split alone: captions_val2017.json.

    Returns:
        dict from split to path; empty where the file's name tells no split or it is alone.
    """
    folder, name = os.path.split(path)
    around = around_split(name)
    if around is None:
        return {}
    names = [each for each in sorted(os.listdir(folder or ".")) if around_split(each) == around]
    files = [os.path.join(folder, each) for each in names]
    return _by_split(folder or ".", files) if files[1:] else {}


def _by_split(folder, files):
    by_split = {}
    for path in files:
        name = split_in_file_name(os.path.basename(path))
        if name is None or name in by_split:
            fault = f"{by_split[name]} is for {name} too" if name else "its name tells no split"
            raise CaptionerError(f"{folder} has several caption files: {path}: {fault}; give one")
        by_split[name] = path
    return by_split


def read(path, split=None):
    """Reads one COCO captions file.

    Args:
        path: str.
        split: str or None. The split to give its pictures. Defaults to `None`.

    Returns:
        Annotations, with COCO's image ids.

    Source: https://cocodataset.org/#format-data, "Image Captioning".
    """
    document = read_json(path)
    tally = Tally(path)
    files = _images(member(document, "images", (list,), path), path, tally)
    captions = _captions(member(document, "annotations", (list,), path), files, path, tally)
    records = [Record(image, file, captions[image], split) for image, file in files.items()]
    return Annotations(keep_captioned(records, tally), [], tally.warnings())


def _images(images, path, tally):
    """The file of each image id."""
    files = {}
    for index, image in enumerate(images):
        place = f"images[{index}]"
        name = member(image, "file_name", (str,), path, place)
        file = picture_name(name, path, place)
        image_id = member(image, "id", (int, str), path, place)
        if image_id not in files:
            files[image_id] = file
        elif files[image_id] == file:
            tally.add(DUPLICATE, place)
        else:
            raise CaptionerError(
                f"{path}: {place}: image id {image_id!r} was given to {files[image_id]} before, "
                f"now to {file}"
            )
    return files


def _captions(annotations, files, path, tally):
    """The captions of each image id."""
    captions = {image_id: [] for image_id in files}
    seen = {}
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        text = member(annotation, "caption", (str,), path, place)
        image_id = member(annotation, "image_id", (int, str), path, place)
        if image_id not in captions:
            raise CaptionerError(
                f"{path}: {place}.image_id: no entry of images has id {image_id!r}"
            )
        if "id" in annotation:
            number = member(annotation, "id", (int, str), path, place)
            first = seen.setdefault(number, index)
            if first != index:
                _require_same(annotations, first, index, path)
                tally.add(DUPLICATE, place)
                continue
        text = clean_caption(text)
        if text:
            captions[image_id].append(text)
        else:
            tally.add(EMPTY_CAPTION, place)
    return captions


def _require_same(annotations, first, second, path):
    one, other = annotations[first], annotations[second]
    if (one["image_id"], one["caption"]) != (other["image_id"], other["caption"]):
        raise CaptionerError(
            f"{path}: annotations[{second}]: id {other['id']!r} is that of annotations[{first}], "
            "which says something else"
        )
