"""Lists of pictures: the manifests that people give, and the list that a run cuts into parts.

All are read and written line by line, because they may have a billion lines.
"""

import csv
import io
import json
import os
from array import array

from captioner.bulk.object_stores import FILE, is_uri, local_path, reason_of, require_pyarrow
from captioner.errors import CaptionerError, cannot_be, require
from captioner.finding import BUFFER, Search, names_in, with_standard_input
from captioner.text_files import UTF16

COLUMNS = ("image", "path")  # where a manifest has its pictures; the first that is there
ENDINGS = (".txt", ".csv", ".jsonl", ".parquet")


def pictures_of(paths, manifests, stores, null=False):
    """The pictures that the arguments of a command name, one after the other.

    Args:
        paths: list of str. As `find_images` takes them, and URIs of pictures or folders.
        manifests: list of str. Files that name pictures, see `read_manifest`.
        stores: ObjectStores, which has the URIs' options.
        null: bool. Whether the names on standard input and in `.txt` manifests end in zero bytes.
            Defaults to `False`.

    Yields:
        str: paths and URIs; a `CaptionerError` for each argument that named no picture. A local
        picture that several `paths` name comes once.

    Raises:
        CaptionerError: A manifest is broken, or an object store cannot be listed.

    Example:
    >>> list(pictures_of(["data/samples/cat.jpg", "nothing.jpg"], [], ObjectStores()))
    ['data/samples/cat.jpg', CaptionerError('nothing.jpg: no such file or folder')]
    """
    search = Search()
    for argument in with_standard_input(paths, null):
        if is_uri(argument) and not argument.startswith(FILE):
            yield from stores.pictures_below(argument, search.left_out)
            continue
        found, problems = search.find(argument)
        yield from map(CaptionerError, problems)
        scheme = FILE if argument.startswith(FILE) else ""
        yield from (scheme + each for each in found)
    yield from map(CaptionerError, search.left_out.lines())
    for manifest in manifests:
        yield from read_manifest(manifest, stores, null)


def read_manifest(name, stores, null=False):
    """The pictures that a file names.

    Args:
        name: str. A path or URI. `.txt` has a path or URI a line, see `names_in`; `.csv` a column
            `image` or `path`; `.jsonl` objects with one of these keys; `.parquet` such a column.
        stores: ObjectStores.
        null: bool. Whether the names in a `.txt` end in zero bytes. Defaults to `False`.

    Yields:
        str: paths and URIs as they are there.

    Raises:
        CaptionerError: It cannot be read, or a line names no picture.
    """
    ending = os.path.splitext(name)[1].lower()
    require(ending in ENDINGS, f"{name}: a manifest's name ends in {', '.join(ENDINGS)}")
    readers = {".csv": _in_table, ".jsonl": _in_json_lines}
    try:
        with _open(name, stores) as file:
            if ending == ".parquet":
                yield from _in_parquet(name, file)
                return
            if ending == ".txt":
                yield from names_in(file, null)
                return
            newline = "" if ending == ".csv" else "\n"
            # An undecodable byte of a file name survives, as it does on the command line.
            encoding = "utf-16" if file.peek(2).startswith(UTF16) else "utf-8-sig"
            lines = io.TextIOWrapper(file, encoding, "surrogateescape", newline)
            yield from readers[ending](name, lines)
    except OSError as error:
        raise CaptionerError(cannot_be("read", name, error.strerror or reason_of(error))) from error


def _open(name, stores):
    path = local_path(name)
    if path is not None:
        return open(path, "rb", buffering=BUFFER)
    system, path = stores.open(name)
    return io.BufferedReader(system.open_input_file(path), BUFFER)


def _in_table(name, lines):
    rows = csv.DictReader(lines)
    try:
        column = _column(name, rows.fieldnames or [])
        for row in rows:
            require(row[column], f"{name}: line {rows.line_num}: no picture in column {column}")
            yield row[column]
    except csv.Error as error:
        raise CaptionerError(f"{name}: line {rows.line_num}: broken CSV ({error})") from error


def _in_json_lines(name, lines):
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CaptionerError(f"{name}: line {number}: broken JSON ({error})") from error
        found = entry if isinstance(entry, dict) else {}
        path = next((found[each] for each in COLUMNS if found.get(each)), None)
        require(
            isinstance(path, str),
            f"{name}: line {number}: names no picture; it has the form " + '{"image": "a.jpg"}',
        )
        yield path


def _in_parquet(name, file):
    try:
        table = require_pyarrow("parquet").ParquetFile(file)
        column = _column(name, table.schema_arrow.names)
        row = 0
        for batch in table.iter_batches(columns=[column]):
            for path in batch.column(0).to_pylist():
                row += 1
                require(
                    isinstance(path, str) and path,
                    f"{name}: row {row}: no picture in column {column}",
                )
                yield path
    except (CaptionerError, OSError):
        raise
    except Exception as error:  # pyarrow has many kinds
        raise CaptionerError(f"{name}: broken Parquet ({reason_of(error)})") from error


def _column(name, columns):
    found = [each for each in COLUMNS if each in columns]
    there = ", ".join(columns) or "none"
    require(found, f"{name}: has no column {' or '.join(COLUMNS)}; it has {there}")
    return found[0]


class ListIndex:
    """Where the parts of a list begin, found while the list is written.

    Args:
        part_size: int. Pictures in a part.
        parts: int. How many there should be at least: where there would be fewer, they are made
            smaller, so that every process has some.
    """

    def __init__(self, part_size, parts):
        self.part_size = part_size
        self.pictures = 0
        self.has_relative = False
        self._parts = parts
        self._step = 1  # pictures from one of the places to the next
        self._places = array("q")
        self._end = 0

    def lines(self, pictures):
        """Yields the list's lines, bytes: ASCII, so that any file name survives."""
        for picture in pictures:
            if self.pictures % self._step == 0:
                self._places.append(self._end)
            self.pictures += 1
            if self._step == 1 and self.pictures > self.part_size * self._parts:
                self._places = self._places[:: self.part_size]
                self._step = self.part_size
            self.has_relative |= not (is_uri(picture) or os.path.isabs(picture))
            line = json.dumps(picture).encode() + b"\n"
            self._end += len(line)
            yield line

    def close(self):
        """Ends it.

        Returns:
            list of int: the byte at which each part begins, and that at which the last ends.
        """
        if self._step == 1:
            self.part_size = max(1, min(self.part_size, -(-self.pictures // self._parts)))
            self._places = self._places[:: self.part_size]
        return [*self._places, self._end]


def read_lines(content):
    """The pictures in a piece of such a list, bytes."""
    return [json.loads(line) for line in content.splitlines()]
