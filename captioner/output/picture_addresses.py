"""From the address of a picture in a page to the file on this machine."""

import os
import posixpath
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname


class Place(NamedTuple):
    """Where addresses of a page lead.

    Attributes:
        folder: str. That of the page.
        base: str. What `<base href>` says; empty if nothing. Defaults to `""`.
        root: str or None. The folder of the site, where `/` leads. Defaults to `None`.
    """

    folder: str
    base: str = ""
    root: str | None = None


def find_file(sources, place):
    """The first of a picture's addresses that is a file on this machine.

    Args:
        sources: sequence of str. The addresses, as written.
        place: Place.

    Returns:
        (address, path, None); or (the first address, None, why it is not a file here).

    Example:
    >>> find_file(["https://example.org/a.jpg"], Place("."))
    ('https://example.org/a.jpg', None, 'is on the web')
    """
    reasons = []
    for source in sources:
        paths, reason = _candidates(source, place)
        for path in paths:
            if os.path.isfile(path):
                return source, path, None
        reasons.append(reason)
    return sources[0], None, reasons[0]


def _candidates(source, place):
    """(paths that an address may mean, why it is no file if none of them is one)"""
    address = source.strip()
    if len(address) > 2 and address[0].isalpha() and address[1:3] in (":\\", ":/"):
        return [address], "no such file"  # C:\photos, where there are drives
    try:
        parts = urlsplit(address.replace("\\", "/"))
        base = urlsplit(place.base.strip().replace("\\", "/"))
    except ValueError:
        return [], "is not an address"
    if parts.scheme == "data":
        return [], "is in the page itself (data:)"
    if parts.scheme == "file":
        return _of_file_address(parts), "no such file"
    if parts.netloc:
        return [], "is on the web"
    if parts.scheme:  # "photo:1.jpg" may be a file; to browsers it is an address of its own kind
        return [os.path.join(place.folder, source)], f"is not a file ({parts.scheme}:)"
    path = parts.path.removeprefix("~") if parts.path.startswith("~/") else parts.path  # ASP.NET's
    path = _joined(base.path or "/" * bool(base.netloc), path)
    if base.scheme == "file":
        return _of_file_address(base._replace(path=path)), "no such file"
    if not path.startswith("/"):
        return _spellings(place.folder, path, address), "no such file"
    if place.root is None and base.netloc:
        return [], "is on the web by <base href>; say with --root FOLDER where the site is"
    inside = posixpath.normpath(path).lstrip("/")
    if place.root is None:  # a page that is opened as a file means the root of the disk
        reason = "starts at the root of the site; say with --root FOLDER where that is"
        return _spellings("/", inside), reason
    return _spellings(place.root, inside), f"no such file in {place.root}"


def _joined(base, path):
    """A path that is relative to the folder of another, which may be a folder itself."""
    is_folder = posixpath.basename(base) in (".", "..")
    return posixpath.join(base if is_folder else posixpath.dirname(base), path)


def _of_file_address(parts):
    if parts.netloc.lower() not in ("", "localhost"):
        return []
    return [url2pathname(parts.path)]


def _spellings(folder, path, address=None):
    """Percent signs may be of the address or, in a page that was saved, of the name itself.

    Accents may be characters of their own (NFD), as in names from macOS.
    """
    plain = unquote(path, errors="surrogateescape")
    names = [plain, path, *(normalize(form, plain) for form in ("NFC", "NFD")), address or ""]
    return [os.path.join(folder, name) for name in dict.fromkeys(names) if name]
