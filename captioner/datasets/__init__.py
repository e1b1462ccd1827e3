"""Captioned pictures from any of the usual files, all as a `CaptionDataset`.

There is one reader for each format. It may import the road only (the modules of `captioner`
itself).
"""

import dataclasses
import os
import re

from captioner.datasets import coco, csv_file, flickr8k, jsonl, karpathy, sidecar
from captioner.datasets.annotations import CAPTION_FIELDS, doubtful_captions
from captioner.datasets.caption_dataset import CaptionDataset
from captioner.datasets.parts import files_of_splits, read_parts, split_folders, split_of_file
from captioner.datasets.pictures import beside, find_pictures
from captioner.datasets.splits import choose, require_split, select, wanted
from captioner.errors import CaptionerError, require_choice, require_downloaded
from captioner.finding import is_picture
from captioner.text_files import UTF16, read_bytes, read_json, with_line_feeds

__all__ = ["FORMATS", "CaptionDataset", "load_dataset"]

_READERS = {
    "coco": coco.read,
    "karpathy": karpathy.read,
    "flickr8k": flickr8k.read,
    "csv": csv_file.read,
    "jsonl": jsonl.read,
    "sidecar": sidecar.read,
}
FORMATS = ("auto", *_READERS)
_IN_PARTS = ("coco", "csv", "jsonl")  # formats of which a data set may have a file for each split
_ANNOTATION_FILE = re.compile(
    r"captions.*\.json|dataset.*\.json|.*\.coco\.json|captions\.txt|.*\.(csv|tsv)|"
    rf".*({'|'.join(map(re.escape, jsonl.ENDINGS))})|(?!.*lemma).*\.token(\.txt)?",
    re.IGNORECASE,
)


def load_dataset(path, images=None, split=None, format="auto", check_images=True):
    """Reads pictures with their captions.

    - coco: a COCO captions file, or a folder with captions_train*.json, captions_val*.json ... in
      it or in its annotations/.
    - karpathy: dataset_coco.json and the like; restval belongs to train.
    - flickr8k: Flickr8k.token.txt or Flickr30k's results file, with split lists beside it.
    - csv: a header `image,caption` or `image,caption,split`, then one caption a row, as
      spreadsheets save it; or `picture.jpg<TAB>caption`.
    - jsonl: metadata.jsonl and the like, an object for each picture, one a line or in a JSON list.
    - sidecar: a folder with one .txt or .caption beside each picture, one caption a line.

    The splits of a folder may each have a file of their own, whose name or folder tells its split:
    captions_train2017.json, train/metadata.jsonl. Of such a COCO or JSON Lines file, another split
    is read from the file that is named after it. Any other source without splits is divided by
    the pictures' file names, 80 : 10 : 10, always in the same way. `warnings` says so.

    Args:
        path: str. An annotation file, or a folder with one.
        images: str, list of str, or None. The folder of the pictures; of several, the one that has
            most of them. Defaults to `None`: beside the annotations or in one of the usual folders
            there (images, train2017, Flicker8k_Dataset ...).
        split: str, list of str, or None. `"train"`, `"val"` (also `"dev"`, `"validation"`),
            `"test"`, or another that the source defines; `"all"`, everything in `path`. Of a list
            the first that the source defines, and everything where it defines none. Defaults to
            `None`, which is `"all"`.
        format: str. One of `FORMATS`. Defaults to `"auto"`, detected by names and contents.
        check_images: bool. Whether to look for the pictures, skip up to 1 in 20 that are missing,
            and refuse more. Defaults to `True`.

    Returns:
        CaptionDataset.

    Raises:
        CaptionerError: Something is missing, broken or contradictory; the message says where.

    Example:
    >>> dataset = captioner.load_dataset("coco/captions_val2017.json", images="coco/val2017")
    >>> dataset.image_paths[0], dataset.captions[0]
    """
    path, images, split = os.fspath(path), _folders(images), wanted(split)
    require_downloaded(path)
    _check_arguments(path, images, format)
    format, files = _source(path, format)
    if format in _IN_PARTS and os.path.isdir(path):
        annotations = read_parts(path, files, _READERS[format], split)
    elif parts := _files_beside(path, format, split):
        return _load_part(parts, path, images, split, format, check_images)
    else:
        annotations = _READERS[format](files[0])
    split = choose(split, annotations.splits, path)
    records, warnings = select(annotations, split, path)
    if not records:
        where = f" in {split}" if split else ""
        reasons = [f"; {line.removeprefix(f'{path}: ')}" for line in annotations.warnings[:1]]
        raise CaptionerError(f"{path}: no picture with a caption{where}{''.join(reasons)}")
    warnings += doubtful_captions(records, path)
    paths = _picture_paths(records, path, files, images, check_images)
    found = [n for n, each in enumerate(paths) if each is not None]
    if len(found) < len(records):
        first = records[paths.index(None)].file
        warnings.append(
            f"{len(records) - len(found)} of {len(records)} pictures are missing "
            f"(first: {first}); skipped"
        )
    return CaptionDataset(
        image_ids=[records[n].image_id for n in found],
        image_paths=[paths[n] for n in found],
        captions=[records[n].captions for n in found],
        split=split,
        warnings=annotations.warnings + warnings,
    )


def _files_beside(path, format, split):
    """The files of the splits, by split, where one of them is given and a split is wanted."""
    is_part = format in ("coco", "jsonl") and isinstance(split, str)
    return files_of_splits(path) if is_part else {}


def _load_part(parts, path, images, split, format, check_images):
    """The file of a split, among those that are beside each other."""
    require_split(split, list(parts), f"{path}, with the files beside it,")
    part = parts[split]
    if part == path:
        dataset = load_dataset(path, images or None, None, format, check_images)
    else:
        folders = [*images, *beside(part)]
        dataset = load_dataset(part, folders, None, format, check_images)
        dataset.warnings.insert(0, f"{split} is read from {part}, which is beside {path}")
    return dataclasses.replace(dataset, split=split)


def _folders(images):
    """The folders to search, a list; empty where none is given."""
    if images is None:
        return []
    return [os.fspath(each) for each in (images if isinstance(images, (list, tuple)) else [images])]


def _check_arguments(path, images, format):
    require_choice("format", format, FORMATS)
    if not os.path.exists(path):
        raise CaptionerError(f"{path}: no such file or folder of captions")
    for folder in images:
        if not os.path.isdir(folder):
            raise CaptionerError(f"{folder}: no such folder of pictures")


def _picture_paths(records, path, files, images, check_images):
    roots = images or beside(path)
    if not check_images:
        return [os.path.join(roots[0], each.file) for each in records]
    hint = split_of_file(files[0]) if len(files) == 1 and os.path.isfile(files[0]) else None
    return find_pictures(records, roots, path, hint)


def _source(path, format):
    """The format of a path and the annotation files in it; a sidecar folder is its own file."""
    if not os.path.isdir(path):
        if format == "sidecar":
            raise CaptionerError(f"{path}: format sidecar needs a folder")
        return (_format_of_file(path) if format == "auto" else format), [path]
    if format == "sidecar":
        return format, [path]
    candidates = _annotation_files(path)
    by_format = {}
    for each in candidates:
        by_format.setdefault(_sniff(each), []).append(each)
    by_format.pop(None, None)
    if format == "auto" and not by_format:
        return _source_without_annotations(path, candidates)
    if format == "auto" and len(by_format) > 1:
        files = ", ".join(sorted(os.path.basename(each[0]) for each in by_format.values()))
        raise CaptionerError(f"{path} holds captions in several formats ({files}); name one file")
    if format == "auto":
        [format] = by_format
    files = by_format.get(format, [])
    are_parts = format == "coco" or (format in _IN_PARTS and all(map(split_of_file, files)))
    if not files or (len(files) > 1 and not are_parts):
        fault = "holds several of" if files else "holds no file of"
        raise CaptionerError(f"{path} {fault} format {format}; name the annotation file itself")
    return format, files


def _source_without_annotations(path, candidates):
    """A folder where no file is known to hold captions: a sidecar folder, or a mistake."""
    if sidecar.is_sidecar(path):
        return "sidecar", [path]
    if candidates:
        return _format_of_file(candidates[0]), candidates[:1]
    raise CaptionerError(
        f"{path} holds no captions: no captions_*.json, dataset_*.json, metadata.jsonl, "
        f"*.token.txt or .csv, and no {' or '.join(sidecar.ENDINGS[:2])} beside a picture"
    )


def _annotation_files(folder):
    """The files of a folder that should be captions, judged by their names.

    They are in the folder itself or its annotations/, or else in its folders of splits, which may
    be in data/.
    """
    annotations, data = (os.path.join(folder, name) for name in ("annotations", "data"))
    for folders in ([folder, annotations], split_folders(folder), split_folders(data)):
        files = [
            os.path.join(each, name)
            for each in filter(os.path.isdir, folders)
            for name in _of_no_picture(sorted(os.listdir(each)))
        ]
        usual = [each for each in files if _ANNOTATION_FILE.fullmatch(os.path.basename(each))]
        found = usual or [each for each in files if each.endswith(".json")]
        if found:
            return found
    return []


def _of_no_picture(names):
    """The names that are neither hidden nor those of files about a picture beside them."""
    stems = {os.path.splitext(name)[0] for name in names if is_picture(name)}
    return [
        name
        for name in names
        if not name.startswith(".") and os.path.splitext(name)[0] not in stems
    ]


def _format_of_file(path):
    format = _sniff(path)
    if format:
        return format
    if path.lower().endswith(".json"):
        document = read_json(path)
        if type(document) is dict and document.keys() >= {"images", "annotations"}:
            raise CaptionerError(
                f"{path}: its annotations have no captions (boxes, outlines?); give a file of "
                "captions"
            )
        raise CaptionerError(
            f"{path}: neither COCO captions (an object with images and annotations) nor Karpathy's "
            "split (images with sentences) nor a list of pictures, each with image and caption"
        )
    if path.lower().endswith((".csv", ".tsv")):
        return "csv"  # its reader says what is wrong with the header
    raise CaptionerError(
        f"{path}: captions in no known format; expected COCO's or Karpathy's JSON, a table with "
        "the header image,caption, or lines picture.jpg#0<TAB>caption"
    )


def _sniff(path):
    """The format of a file by its contents, or None."""
    if path.lower().endswith(".json"):
        return _sniff_json(path)
    text = _head(path)
    line = text.split("\n")[0].strip()
    if flickr8k.TOKEN_LINE.fullmatch(line) or flickr8k.BAR_HEADER.fullmatch(line):
        return "flickr8k"
    if path.lower().endswith(jsonl.ENDINGS) or jsonl.is_entries(text):
        return "jsonl"
    return "csv" if csv_file.is_table(text) else None


def _head(path):
    data = read_bytes(path, limit=4096)
    encoding = "utf-16" if data.startswith(UTF16) else "utf-8-sig"
    return with_line_feeds(data.decode(encoding, "replace"))


def _sniff_json(path):
    """Looks only for the key that tells the format; COCO's 90 MB are parsed later, once."""
    data = read_bytes(path)
    is_object = data[:64].decode("utf-8-sig", "replace").lstrip().startswith("{")
    if is_object and b'"annotations"' in data:
        is_named = os.path.basename(path).lower().startswith("captions")
        has_captions = is_named or any(f'"{key}"'.encode() in data for key in CAPTION_FIELDS)
        return "coco" if has_captions else None  # boxes, as in instances_val2017.json
    if is_object and b'"sentences"' in data:
        return "karpathy"
    if jsonl.is_entries(data[:65536].decode("utf-8-sig", "replace")):
        return "jsonl"
    read_json(path)  # a broken file is reported, not skipped
    return None
