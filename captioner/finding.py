"""Paths, folders, globs and lists of names to picture files, each file once."""

import codecs
import functools
import glob
import io
import itertools
import os
import re
import sys
import unicodedata
from collections import Counter
from typing import NamedTuple

from PIL import features

from captioner import heif
from captioner.errors import CaptionerError, cannot_be, require
from captioner.images import describe
from captioner.text_files import UTF16

ENDINGS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif", ".bmp",
    ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".j2k", ".qoi",
}  # fmt: skip
RAW = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
UNREADABLE = {".jxl"}
PICTURES = ENDINGS | heif.ENDINGS | RAW | UNREADABLE
# Of the files with captions that lie beside pictures; the first is what caption.py writes.
CAPTION_ENDINGS = (".txt", ".caption", ".cap", ".captions", ".text")
# Folders in which programs keep thumbnails, deleted files and packages: Synology and QNAP, Windows,
# macOS, Linux' file systems, web projects, Lightroom. Hidden ones are not named here.
PASSED_OVER = {
    "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin",
    "recycler", "found.000", "system volume information", "__macosx", "network trash folder",
    "temporary items", "lost+found", "node_modules",
}  # fmt: skip
PREVIEWS = ".lrdata"  # how the names of Lightroom's folders end
LIBRARY = ".photoslibrary"  # and those of Apple's, in which only the originals are photos
ORIGINALS = {"originals", "masters"}
BUFFER = 2**20  # bytes of a list that are read at once
_MAY_BE_OTHERWISE = re.compile(r"""^[\s"'~]|\\|[\s"'/]$""")
_FILE_URI = re.compile(r"file:(?://([^/]*))?(/.*)", re.DOTALL | re.IGNORECASE)


def find_images(arguments, null=False):
    """The picture files that paths, folders and globs name.

    A file that is reached twice, by a link for example, is taken once, under the name by which it
    is reached first.

    Args:
        arguments: iterable of str. A file is taken whatever its ending. A folder gives all files
            below it with a picture's ending, in the order of their names, except hidden ones and
            those in folders of thumbnails and deleted files (`PASSED_OVER`); linked folders are
            searched, too. A glob may contain `**`. `-` reads paths from standard input, see
            `names_in`. A `file://` URI is a path.
        null: bool. Whether the paths on standard input end in zero bytes. Defaults to `False`.

    Returns:
        (list of paths, list of str): the pictures, and one line for each argument that gave none,
        each folder that cannot be read, and each kind of pictures that cannot be read.

    Raises:
        CaptionerError: Standard input cannot be read.

    Example:
    >>> paths, problems = find_images(["data/samples", "nowhere"])
    >>> len(paths), problems
    (8, ['nowhere: no such file or folder'])
    """
    search, paths, problems = Search(), [], []
    for argument in with_standard_input(arguments, null):
        found, missing = search.find(argument)
        paths += found
        problems += missing
    return paths, problems + search.left_out.lines()


def is_picture(name):
    """Whether a file's name has the ending of a picture's that can be read."""
    ending = _ending(name)
    return ending in PICTURES and _why_unreadable(ending) is None


def is_passed_over(name):
    """Whether a file or folder of this name is left out where a folder is searched."""
    return name.startswith(".") or name.lower() in PASSED_OVER or name.lower().endswith(PREVIEWS)


def local_spelling(name):
    """The path on this machine that a name means.

    Args:
        name: str. A path; or a `file://` URI, as spelled or with `%20`. Where there is no such
            file, it is looked for as written on Windows, in quotes, below `~`, and with accents in
            the other form of Unicode.

    Returns:
        str. The path; of a name for which there is no file, the name itself.

    Raises:
        CaptionerError: The URI names another machine.

    Example:
    >>> local_spelling("data\\\\samples\\\\cat.jpg"), local_spelling("file:///no%20photo.jpg")
    ('data/samples/cat.jpg', '/no photo.jpg')
    """
    uri = _FILE_URI.fullmatch(name)
    if name.lower().startswith("file://"):
        require(
            uri and uri[1] in ("", "localhost"),
            f"{name}: not a URI of this machine; it has the form file:///folder/photo.jpg",
        )
    if uri and not os.path.lexists(name):
        path = uri[2]
        from urllib.parse import unquote_to_bytes  # slow to import, and seldom needed

        return path if os.path.lexists(path) else os.fsdecode(unquote_to_bytes(os.fsencode(path)))
    if name.isascii() and not _MAY_BE_OTHERWISE.search(name):
        return name
    return next(filter(os.path.lexists, _spellings(name)), name)


def _spellings(name):
    bare = name.strip().strip("\"'").rstrip("/")
    for each in (name, bare, bare.replace("\\", "/"), os.path.expanduser(bare)):
        yield from (each, *(unicodedata.normalize(form, each) for form in ("NFC", "NFD")))


def with_standard_input(arguments, null=False):
    """The arguments, with the names on standard input in the place of each `-`, see `names_in`.

    Raises:
        CaptionerError: Standard input is closed, or cannot be read.
    """
    for argument in arguments:
        if argument != "-":
            yield argument
            continue
        require(sys.stdin is not None, "-: standard input is closed; name the pictures instead")
        try:
            yield from names_in(sys.stdin.buffer, null)
        except OSError as error:
            raise CaptionerError(cannot_be("read", "standard input", error)) from error


def names_in(file, null=False):
    """The names in a list.

    Args:
        file: binary file. One name a line, in UTF-8 with or without a byte order mark, or in
            UTF-16 with it; or names that end in zero bytes, as `find -print0` writes them.
        null: bool. Whether a name ends in a zero byte even if there is none in the first megabyte.
            Defaults to `False`.

    Yields:
        str. A byte that is not UTF-8 comes through, as it does on the command line.
    """
    head = file.read(BUFFER)
    if head.startswith(UTF16):  # as PowerShell writes lists
        text = (head + file.read()).decode("utf-16", "replace")
        file, head = io.BytesIO(text.encode()), b""
    head = head.removeprefix(codecs.BOM_UTF8)
    separator = b"\0" if null or b"\0" in head else b"\n"
    rest = b""
    for chunk in itertools.chain([head], iter(lambda: file.read(BUFFER), b"")):
        *names, rest = (rest + chunk).split(separator)
        yield from _decoded(names, separator)
    yield from _decoded([rest], separator)


def _decoded(names, separator):
    for name in names:
        name = name if separator == b"\0" else name.rstrip(b"\r")
        if name.strip():
            yield os.fsdecode(name)


class LeftOut:
    """The pictures that were found and cannot be read, to be counted."""

    def __init__(self):
        self._names = {}  # real path -> name

    def add(self, real, name):
        """Adds a file, by its real path and its name; one that is no such picture is ignored."""
        if _ending(name) in PICTURES and not is_picture(name):
            self._names[real] = name

    def discard(self, real):
        """Takes out a file, which is tried all the same."""
        self._names.pop(real, None)

    def lines(self):
        """A line for each reason."""
        counts = {}
        for name in self._names.values():
            ending = _ending(name)
            counts.setdefault(_why_unreadable(ending), Counter())[ending] += 1
        return [f"{_counted(endings)} left out; {why}" for why, endings in counts.items()]


def _counted(endings):
    counts = " and ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
    return f"{counts} {'picture was' if endings.total() == 1 else 'pictures were'}"


def _why_unreadable(ending):
    """Why pictures of an ending cannot be read, and what helps; None where they can."""
    if ending in RAW:
        return "raw files are not read; export them as JPEG"
    if ending in UNREADABLE:
        return "Pillow cannot read them; convert them to JPEG or PNG"
    if ending in heif.ENDINGS and not heif.is_installed():
        return heif.INSTALL
    if ending == ".avif" and not features.check("avif"):
        return "this Pillow was built without AVIF; pip install --upgrade pillow"
    return None


def _ending(name):
    return os.path.splitext(name)[1].lower()


class Search:
    """A search for pictures, by one argument after the other; each file is found once.

    Attributes:
        left_out: LeftOut. What was found in folders and cannot be read.

    Example:
    >>> search = Search()
    >>> search.find("data/samples/cat.jpg"), search.find("data/samples/*cat*")
    ((['data/samples/cat.jpg'], []), ([], []))
    """

    def __init__(self):
        self.left_out = LeftOut()
        self._seen = set()  # real paths
        self._real_folder = functools.lru_cache(1000)(os.path.realpath)

    def find(self, argument):
        """The new pictures of one argument of `find_images`, and a line for each problem."""
        try:
            path, problems = local_spelling(argument), []
        except CaptionerError as error:
            return [], [str(error)]
        if os.path.isdir(path):
            found, nothing = _in_folder(path, problems), "folder holds no pictures"
        elif os.path.lexists(path):
            found, nothing = [self._named(path)], ""
        else:
            found = self._matching(path, problems)
            nothing = "no file matches" if glob.has_magic(path) else "no such file or folder"
        if not (found or problems):
            problems.append(f"{describe(path)}: {nothing}")
        return list(self._new(found)), problems

    def _named(self, path):
        """A file that is taken whatever its ending."""
        parent, name = os.path.split(path)
        if os.path.islink(path) or name in ("", ".", ".."):
            return _Found(path, os.path.realpath(path))
        return _Found(path, os.path.join(self._real_folder(parent), name))

    def _matching(self, pattern, problems):
        """What a glob matches; `**` matches folders and the files in them."""
        found = []
        for path in _glob(pattern):
            found += _in_folder(path, problems) if os.path.isdir(path) else [self._named(path)]
        return found

    def _new(self, found):
        for each in found:
            if each.real in self._seen:
                continue
            if each.is_left_out:
                self.left_out.add(each.real, each.path)
                continue
            self._seen.add(each.real)
            self.left_out.discard(each.real)
            yield each.path


class _Found(NamedTuple):
    """A picture file, the file that it is in truth, and whether it is counted only."""

    path: str
    real: str
    is_left_out: bool = False


def _glob(pattern):
    """Its matches, except in folders that are passed over and that it does not name."""
    if "\0" in pattern:
        return []
    found = glob.glob(pattern, recursive=True)
    if not found and "\\" in pattern:  # as written on Windows
        pattern = pattern.replace("\\", "/")
        found = glob.glob(pattern, recursive=True)
    named = set(pattern.split(os.sep))

    def is_meant(path):  # hidden names match only where the pattern has their dot
        others = set(path.split(os.sep)) - named
        return not any(is_passed_over(each) and not each.startswith(".") for each in others)

    return sorted(filter(is_meant, found))


def _in_folder(folder, problems):
    """The pictures below a folder, those that cannot be read too."""
    found, links, folders = [], _Links(folder), [folder]
    while folders:
        parent = folders.pop()
        try:
            with os.scandir(parent) as entries:
                shown = [each for each in entries if not is_passed_over(each.name)]
        except OSError as error:
            problems.append(cannot_be("read", describe(parent), error))
            continue
        shown.sort(key=lambda each: each.name)
        below = [each for each in shown if _is_folder(each)]
        folders += [each.path for each in below if links.may_enter(parent, each)][::-1]
        real_parent = os.path.realpath(parent)
        for each in shown:
            ending = _ending(each.name)
            if ending not in PICTURES or _is_folder(each):
                continue
            # Most files are no links: their real paths cost nothing.
            real = os.path.join(real_parent, each.name)
            real = os.path.realpath(each.path) if each.is_symlink() else real
            is_left_out = _why_unreadable(ending) is not None and _is_what_it_says(each.path)
            found.append(_Found(each.path, real, is_left_out))
    return found


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _is_what_it_says(path):
    """Whether a file of an ending that cannot be read is of that kind: some .heic are JPEGs."""
    if _ending(path) not in heif.ENDINGS:
        return True
    try:
        with open(path, "rb") as file:
            return heif.is_heif(file.read(heif.HEAD))
    except OSError:
        return False  # reading it as a picture will say why


class _Links:
    """Which linked folders are searched: each once, and none that leads in a circle."""

    def __init__(self, root):
        self._root = os.path.realpath(root)
        self._entered = set()

    def may_enter(self, parent, entry):
        """Whether to search a folder."""
        is_library = parent.rstrip(os.sep).lower().endswith(LIBRARY)
        if is_library and entry.name.lower() not in ORIGINALS:
            return False
        if not entry.is_symlink():
            return True
        real = os.path.realpath(entry.path)
        if real in _upwards(os.path.realpath(parent)) or self._is_reached_without_link(real):
            return False
        if self._entered.intersection(_upwards(real)):
            return False
        self._entered.add(real)
        return True

    def _is_reached_without_link(self, real):
        if self._root not in _upwards(real):
            return False
        between = os.path.relpath(real, self._root).split(os.sep)
        return real == self._root or not any(map(is_passed_over, between))


def _upwards(path):
    """A folder and all that it is in."""
    while True:
        yield path
        path, before = os.path.dirname(path), path
        if path == before:
            return
