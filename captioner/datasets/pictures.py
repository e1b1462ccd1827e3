"""Finds the pictures that annotations name."""

import functools
import os
import unicodedata

from captioner.errors import CaptionerError

TOLERATED = 0.05  # share of the pictures that may be missing

_PLAIN_FOLDERS = ["images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset"]
_PLAIN_FOLDERS += ["flickr30k-images", "flickr30k_images"]


def beside(path):
    """The folders to search where none is given: that of the annotations, and the one it is in."""
    home = path if os.path.isdir(path) else os.path.dirname(path) or "."
    return [home, os.path.normpath(os.path.join(home, os.pardir))]


def find_pictures(records, roots, source, hint=None):
    """Finds the pictures of some records.

    The pictures of one split are expected in one folder: the one of `roots` and their usual
    subfolders that has most of them. Each folder is listed once: for COCO's 118,000 pictures that
    is far quicker than to look for each.

    Args:
        records: list of Record.
        roots: list of str. Folders to look in.
        source: str. The annotations, for messages.
        hint: str or None. The split of records that name none, where the annotation file's name
            tells it; then a folder of that name comes first. Defaults to `None`.

    Returns:
        list of path or None, one for each record.

    Raises:
        CaptionerError: More than 1 in 20 is missing.
    """
    listing = functools.cache(_listing)
    members = {}
    for n, record in enumerate(records):
        members.setdefault(record.split or hint, []).append(n)
    paths = [None] * len(records)
    searched = []
    for split, numbers in members.items():
        files = [records[n].file for n in numbers]
        folder, found = _best_folder(files, roots, split, listing)
        for n, path in zip(numbers, found, strict=True):
            paths[n] = path
        if None in found:
            searched.append(folder)
    missing = paths.count(None)
    if missing > TOLERATED * len(paths):
        raise CaptionerError(
            f"{source}: {missing} of {len(paths)} pictures are missing (first: "
            f"{records[paths.index(None)].file}; searched in {', '.join(searched)}); "
            "say with --images where the pictures are"
        )
    return paths


def _best_folder(files, roots, split, listing):
    """The folder that has most of the files, and the path of each in it or None."""
    folders = [os.path.join(root, name) for root in roots for name in _folder_names(split)]
    best, most = None, 0
    for folder in filter(os.path.isdir, folders):
        for names in _spellings(files):
            paths = [_path(folder, name, listing) for name in names]
            present = len(paths) - paths.count(None)
            if present > most:
                best, most = (folder.rstrip("/"), paths), present
            if present == len(files):
                return best
    return best or (" and ".join(roots), [None] * len(files))


def _folder_names(split):
    """The usual subfolders; of those named after splits, this split's first."""
    named = [
        name
        for each in dict.fromkeys([split or "train", "train", "val", "test"])
        for year in ("2017", "2014", "")
        for name in (f"{each}{year}", f"images/{each}{year}")
    ]
    return ["", *_PLAIN_FOLDERS, *named]


def _spellings(files):
    """The names as given; then, where that cannot mix pictures up, without their folders."""
    yield files
    bare = [file.rpartition("/")[2] for file in files]
    if bare != files and len(set(bare)) == len(set(files)):
        yield bare


def _path(folder, name, listing):
    parent, _, name = name.rpartition("/")
    parent = os.path.join(folder, parent) if parent else folder
    actual = listing(parent).get(unicodedata.normalize("NFC", name))
    return os.path.join(parent, actual) if actual else None


def _listing(folder):
    """The names in a folder by their NFC form: a disk may encode accents in another way."""
    try:
        return {unicodedata.normalize("NFC", name): name for name in os.listdir(folder)}
    except OSError:
        return {}
