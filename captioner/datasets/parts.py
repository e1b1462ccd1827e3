"""Data sets with a file for each split, told by the names of the files or of their folders."""

import os

from captioner.datasets.annotations import Annotations
from captioner.datasets.splits import around_split, choose, split_in_file_name, split_of_folder
from captioner.errors import CaptionerError


def split_of_file(path):
    """The split of an annotation file by its name, or else by the name of its folder, or None."""
    folder, name = os.path.split(os.path.abspath(path))
    return split_in_file_name(name) or split_of_folder(os.path.basename(folder))


def read_parts(folder, files, read, split=None):
    """Reads the annotation files of a folder, each of which has its own split.

    Args:
        folder: str. Pictures of a file that lies in a subfolder named after its split are looked
            for in that subfolder.
        files: list of str, e.g. captions_train2017.json and captions_val2017.json.
        read: callable. The reader of one file.
        split: str, tuple of str, or None. The split wanted, as `splits.choose` takes it; no other
            file is read. Defaults to `None`, all.

    Returns:
        Annotations. Where the files number their pictures each from the start, an id has its split
        before it, `"val/1"`.
    """
    if len(files) == 1 and not _split_below(folder, files[0]):
        return read(files[0])
    by_split = _by_split(folder, files)
    split = choose(split, list(by_split), folder)
    parts = {
        name: _part(folder, path, read, name)
        for name, path in by_split.items()
        if split in (None, name)
    }
    fault = _shared_id(parts, by_split)
    records = [
        each._replace(image_id=f"{name}/{each.image_id}" if fault else each.image_id)
        for name, part in parts.items()
        for each in part.records
    ]
    warnings = [line for part in parts.values() for line in part.warnings]
    return Annotations(records, list(by_split), warnings + ([fault] if fault else []))


def files_of_splits(path):
    """The annotation files of a data set that has one for each split, one of which is given.

    Args:
        path: str, e.g. captions_train2017.json. Files beside it belong to it whose names differ in
            the split alone: captions_val2017.json. So do files of the same name in folders named
            after splits: train/metadata.jsonl and valid/metadata.jsonl.

    Returns:
        dict from split to path; empty where no name tells a split or the file is alone.
    """
    folder, name = os.path.split(path)
    around = around_split(name)
    if around is not None:
        names = [each for each in sorted(os.listdir(folder or ".")) if around_split(each) == around]
        files = [os.path.join(folder, each) for each in names]
        return _by_split(folder or ".", files) if files[1:] else {}
    home = os.path.abspath(folder)
    if not split_of_folder(os.path.basename(home)):
        return {}
    above = os.path.dirname(home) if os.path.isabs(path) else os.path.join(folder, os.pardir)
    files = [os.path.join(each, name) for each in split_folders(os.path.normpath(above))]
    files = [path if os.path.abspath(each) == os.path.abspath(path) else each for each in files]
    files = [each for each in files if os.path.isfile(each)]
    return _by_split(above, files) if files[1:] else {}


def split_folders(folder):
    """The subfolders that are named after splits, sorted; none where there is no such folder."""
    if not os.path.isdir(folder):
        return []
    return [
        os.path.join(folder, name)
        for name in sorted(os.listdir(folder))
        if split_of_folder(name) and os.path.isdir(os.path.join(folder, name))
    ]


def _by_split(folder, files):
    by_split = {}
    for path in files:
        name = split_of_file(path)
        if name is None or name in by_split:
            fault = f"{by_split[name]} is for {name} too" if name else "its name tells no split"
            raise CaptionerError(f"{folder} has several caption files: {path}: {fault}; give one")
        by_split[name] = path
    return by_split


def _split_below(folder, path):
    """The split of a file by its name or its subfolder's; that of the folder does not count."""
    inside, name = os.path.split(os.path.relpath(path, folder))
    return split_in_file_name(name) or split_of_folder(os.path.basename(inside))


def _part(folder, path, read, split):
    """The annotations of a file, with the split of its name and files relative to the folder."""
    inside = os.path.relpath(os.path.dirname(path) or ".", folder).replace(os.sep, "/")
    prefix = f"{inside}/" if split_of_folder(os.path.basename(inside)) else ""
    part = read(path)
    records = [
        each._replace(
            split=split,
            file=prefix + each.file,
            image_id=prefix + each.file if each.image_id == each.file else each.image_id,
        )
        for each in part.records
    ]
    return Annotations(records, [split], part.warnings)


def _shared_id(parts, by_split):
    """A line about ids that several files use for different pictures; None where each is used once.

    Raises:
        CaptionerError: The files have a picture in common.
    """
    homes, restarted = {}, None
    for name, part in parts.items():
        for each in part.records:
            other, file = homes.setdefault(each.image_id, (name, each.file))
            if other == name:
                continue
            place = f"{by_split[name]}: image id {each.image_id!r} is in {by_split[other]} too"
            if file == each.file:
                raise CaptionerError(
                    f"{place}; read one split only, or give every picture an id of its own"
                )
            restarted = restarted or (
                f"{place}, for another picture; here ids have the split before them: "
                f"{name}/{each.image_id}"
            )
    return restarted
