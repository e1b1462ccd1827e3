"""Finds the pictures that annotations name."""

import functools
import itertools
import os
import unicodedata
from urllib.parse import unquote

from captioner.datasets.splits import split_of_folder
from captioner.errors import CaptionerError
from captioner.finding import is_passed_over, is_picture

TOLERATED = 0.05  # share of the pictures that may be missing

_PLAIN_FOLDERS = (
    "images", "img", "imgs", "data", "photos", "pictures", "default", "flicker8k_dataset",
    "flickr8k_dataset", "flickr30k-images", "flickr30k_images",
)  # fmt: skip


def beside(path):
    """The folders to search where none is given: that of the annotations, and the one it is in."""
    home = path if os.path.isdir(path) else os.path.dirname(path) or "."
    return [home, os.path.normpath(os.path.join(home, os.pardir))]


def find_pictures(records, roots, source, hint=None):
    """Finds the pictures of some records.

    The pictures of one split are expected in one folder: the one of `roots` and their usual
    subfolders that has most of them. Each folder is listed once: for COCO's 118,000 pictures that
    is far quicker than to look for each. What is not there is looked for below the folders by its
    file name alone, in whatever case and spelling.

    Args:
        records: list of Record.
        roots: list of str. Folders to look in.
        source: str. The annotations, for messages.
        hint: str or None. The split of records that name none, where the annotation file's name
            tells it; then a folder of that name comes first. Defaults to `None`.

    Returns:
        list of path or None, one for each record.

    Raises:
        CaptionerError: More than 1 in 20 is missing, or one may be any of several files.
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
    if None in paths:
        _find_by_name(records, paths, _folders_below(roots, source), source, hint)
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
    best, most = None, 0
    for folder in (each for root in roots for each in _usual_folders(root, split)):
        for names in _spellings(files):
            paths = [_path(folder, name, listing) for name in names]
            present = len(paths) - paths.count(None)
            if present > most:
                best, most = (folder.rstrip("/"), paths), present
            if present == len(files):
                return best
    return best or (" and ".join(roots), [None] * len(files))


def _usual_folders(root, split=None):
    """A folder and its usual subfolders; of those named after splits, this split's first."""
    plain, named = [], []
    for folder in _subfolders(root):
        below = _subfolders(folder) if _is_plain(folder) else []
        plain += [each for each in (folder, *below) if _is_plain(each)]
        named += [each for each in (folder, *below) if _split_of(each)]
    # In reverse order, train2017 comes before train2014.
    named.sort(reverse=True)
    named.sort(key=lambda folder: _split_of(folder) != (split or "train"))
    return [root, *plain, *named]


def _subfolders(folder):
    try:
        with os.scandir(folder) as entries:
            return sorted(
                os.path.join(folder, each.name)
                for each in entries
                if each.is_dir() and not each.name.startswith(".")
            )
    except OSError:
        return []


def _is_plain(folder):
    return os.path.basename(folder).lower() in _PLAIN_FOLDERS


def _split_of(folder):
    return split_of_folder(os.path.basename(folder))


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


def _folders_below(roots, source):
    """The folders to search as a whole: of the one above the annotations, its usual ones only."""
    home, above = beside(source)
    if roots[-2:] != [home, above]:
        return roots
    usual = [each for each in _usual_folders(above)[1:] if not _is_same(each, home)]
    return [*roots[:-1], *usual]


def _is_same(one, other):
    return os.path.abspath(one) == os.path.abspath(other)


def _find_by_name(records, paths, folders, source, hint):
    """Finds by their file names, below the folders, the pictures that have no path yet.

    A file that is another record's picture, or lies in the folder of another split, is left out.
    """
    by_name = _pictures_below(folders)
    taken = {os.path.abspath(path) for path in paths if path}
    claims = {}
    for n, record in enumerate(records):
        if paths[n] is None:
            known = by_name.get(_plain_parts(record.file)[-1], {})
            candidates = {
                file: path
                for file, path in known.items()
                if file not in taken and _may_be_of(path, record.split or hint)
            }
            path = _likeliest(record, candidates.values(), source)
            if path:
                claims.setdefault(path, {}).setdefault(record.file, []).append(n)
    for path, files in claims.items():
        if len(files) == 1:  # else two names lead to one file, which cannot be both
            for n in files.popitem()[1]:
                paths[n] = path


def _pictures_below(folders):
    """The pictures below some folders by their plain names, and by these without the ending."""
    by_name = {}
    for path in (each for folder in folders for each in _walk(folder)):
        name = _plain_parts(path)[-1]
        for key in (name, name.rpartition(".")[0]):
            by_name.setdefault(key, {}).setdefault(os.path.abspath(path), path)
    return by_name


def _walk(folder):
    for parent, below, names in os.walk(folder):
        below[:] = sorted(each for each in below if not is_passed_over(each))
        for name in sorted(names):
            if is_picture(name) and not name.startswith("."):
                yield os.path.join(parent, name)


def _plain_parts(path):
    """The parts of a path, in the form in which different spellings of a name are equal."""
    plain = unicodedata.normalize("NFC", unquote(path)).casefold()
    return unicodedata.normalize("NFC", plain).replace(os.sep, "/").split("/")


def _may_be_of(path, split):
    found = _split_of(os.path.dirname(path))
    return split is None or found in (None, split)


def _likeliest(record, paths, source):
    """The file whose folders agree most with the record's; None where there is none.

    Raises:
        CaptionerError: Several agree equally.
    """
    parts = _plain_parts(record.file)[:-1]
    likely, best = [], -1
    for path in paths:
        pairs = zip(reversed(parts), reversed(_plain_parts(path)[:-1]), strict=False)
        agreeing = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
        if agreeing > best:
            likely, best = [], agreeing
        if agreeing == best:
            likely.append(path)
    name = record.file.rpartition("/")[2]
    exact = [each for each in likely if os.path.basename(each) in (name, unquote(name))]
    likely = exact if len(exact) == 1 else likely
    if len(likely) > 1:
        raise CaptionerError(
            f"{source}: picture {record.file} may be {likely[0]} or {likely[1]}; "
            "give with --images the folder that has the right one"
        )
    return likely[0] if likely else None
