"""The folder of a captioning run that is done in parts, on a disk or in an object store.

    settings.json              what the captions depend on, and where in the list each part begins
    pictures.txt               the list of all pictures, a JSON string a line
    captions/part-00000042.*   the captions of a part; it is there: the part is done
    errors/part-00000042.txt   a line for each of its pictures that failed; only where one did

Every file appears whole, so whoever is killed leaves nothing that has to be mended, and a part that
is done twice is the same as done once.
"""

import contextlib
import json
import os
import uuid
from typing import NamedTuple

from filelock import FileLock, Timeout

from captioner import __version__
from captioner.bulk.object_stores import local_path, reason_of, require_pyarrow
from captioner.bulk.picture_lists import ListIndex, read_lines
from captioner.errors import CaptionerError, cannot_be, differences, require
from captioner.files import UNFINISHED, replacing, sweep

SETTINGS, LIST, LOCK = "settings.json", "pictures.txt", "lock"
CAPTIONS, ERRORS = "captions", "errors"
WHOLE_WRITES = ("s3", "gcs", "abfs")  # where an object appears when it is complete, and not before


class Plan(NamedTuple):
    """What settings.json holds.

    Attributes:
        settings: dict. What the captions depend on.
        pictures: int. How many there are.
        part_size: int. How many are a part.
        places: list of int. The byte of pictures.txt at which each part begins, and its end.
        directory: str or None. What relative paths start from; None where there are none.
        problems: list of str. A line for each argument that stood for no picture.
    """

    settings: dict
    pictures: int
    part_size: int
    places: list
    directory: str | None
    problems: list

    @property
    def parts(self):
        """How many there are."""
        return len(self.places) - 1

    def size_of(self, part):
        """How many pictures a part has; the last one may have less than the others."""
        return min(self.part_size, self.pictures - part * self.part_size)


class PartsFolder:
    """Reads and writes such a folder; the driver of a run and its workers each have one.

    Args:
        name: str. A path, or the URI of a folder in an object store.
        stores: ObjectStores.
        ending: str. Of the captions' files, such as `"jsonl"`.
    """

    def __init__(self, name, stores, ending):
        self.name = name
        self._ending = ending
        path = local_path(name)
        self._files = _StoredFiles(name, stores) if path is None else _LocalFiles(path)

    @contextlib.contextmanager
    def held(self):
        """Keeps other processes out, on a disk; of an object store nobody can be kept out."""
        with self._files.held():
            yield

    def open(self, settings, resume):
        """The run that is there.

        Args:
            settings: dict. What the captions depend on, as JSON has it.
            resume: bool. Whether to go on with it.

        Returns:
            Plan, or None where there is no run yet.

        Raises:
            CaptionerError: There is one and no `resume`; or it has other settings; or there is
                something else.
        """
        found = set(self._files.names(""))
        if SETTINGS not in found:
            # The list alone is of a run that was killed before it began.
            is_free = found <= {LIST, LOCK, CAPTIONS, ERRORS} and not self._files.names(CAPTIONS)
            require(is_free, f"{self.name}: folder is not empty; give another --output")
            return None
        require(
            resume,
            f"{self.name}: holds a run already; go on with it by --resume, or give another "
            "--output",
        )
        try:
            kept = json.loads(self._files.read(SETTINGS))
            plan = Plan(**{field: kept[field] for field in Plan._fields})
        except (ValueError, KeyError, TypeError) as error:
            raise CaptionerError(
                f"{self.name}: its {SETTINGS} is not what a run leaves; give another --output"
            ) from error
        self._require_same(plan, settings)
        return plan

    def _require_same(self, plan, settings):
        was, now = plan.settings, json.loads(json.dumps(settings))
        changed = differences(was, now)
        if plan.directory not in (None, os.getcwd()):
            changed.append(f"the current directory was {plan.directory}, is {os.getcwd()}")
        require(
            not changed,
            f"{self.name}: cannot continue with other settings ({'; '.join(changed)}); "
            "give those it had, or another --output",
        )

    def begin(self, settings, pictures, part_size, parts, problems):
        """Lists the pictures, and plans the run.

        Args:
            settings: dict. As for `open`.
            pictures: iterable of str. Paths and URIs.
            part_size, parts: int. As for `ListIndex`.
            problems: list of str. As in `Plan`; complete when `pictures` ends.

        Returns:
            Plan.

        Raises:
            CaptionerError: A manifest is broken, a folder cannot be listed, or nothing be written.
        """
        index = ListIndex(part_size, parts)
        try:
            self._files.make()
            self._files.write_lines(LIST, index.lines(pictures))
            places = index.close()
            directory = os.getcwd() if index.has_relative else None
            plan = Plan(settings, index.pictures, index.part_size, places, directory, problems)
            content = {"captioner": __version__, **plan._asdict()}
            self._files.write(SETTINGS, json.dumps(content).encode())
        except BaseException:
            self._files.remove(LIST)
            raise
        return plan

    def abandon(self):
        """Leaves nothing of a run that did nothing."""
        if not self._files.names(CAPTIONS):
            self._files.remove(SETTINGS)
            self._files.remove(LIST)

    def pictures_of(self, start, end):
        """The pictures listed between two places of pictures.txt."""
        return read_lines(self._files.read(LIST, start, end))

    def has_captions(self, part):
        """Whether a part is done."""
        return self._files.exists(self._captions(part))

    def write_captions(self, part, content, problems):
        """Writes a part's captions, which says that it is done, and what failed in it."""
        if problems:
            lines = "".join(line + "\n" for line in problems)
            self._files.write(self._errors(part), lines.encode())
        self._files.write(self._captions(part), content)

    def problems_of(self, part):
        """What failed in a part that is done, a line each."""
        name = self._errors(part)
        return self._files.read(name).decode().splitlines() if self._files.exists(name) else []

    def done(self, parts):
        """Which parts are done.

        Args:
            parts: int. How many there are.

        Returns:
            bytearray (parts,): 1 where one is.
        """
        return _marked(self._files.names(CAPTIONS), parts, f".{self._ending}")

    def failed(self, parts):
        """In which parts something failed; as `done`."""
        return _marked(self._files.names(ERRORS), parts, ".txt")

    def _captions(self, part):
        return f"{CAPTIONS}/part-{part:08}.{self._ending}"

    def _errors(self, part):
        return f"{ERRORS}/part-{part:08}.txt"


def _marked(names, parts, ending):
    marks = bytearray(parts)
    for name in names:
        number = name.removeprefix("part-").removesuffix(ending)
        if name == f"part-{number}{ending}" and number.isdigit() and int(number) < parts:
            marks[int(number)] = 1
    return marks


class _LocalFiles:
    """Files below a folder of this machine, or of a disk that several share."""

    def __init__(self, path):
        self._path = os.path.abspath(path)

    @contextlib.contextmanager
    def held(self):
        is_new = not os.path.isdir(self._path)
        if is_new and os.path.exists(self._path):
            raise CaptionerError(f"{self._path}: is a file; give another --output")
        self.make()
        lock = FileLock(self._of(LOCK))
        with _telling(self._path):
            try:
                lock.acquire(timeout=0)  # the system releases it if the process is killed
            except Timeout as error:
                raise CaptionerError(
                    f"{self._path}: another process is writing in it; give another --output, or "
                    "wait"
                ) from error
        try:
            with _telling(self._path, "read"):
                for folder in ("", CAPTIONS, ERRORS):
                    sweep(self._of(folder))
            yield
        finally:
            self.remove(LOCK)
            lock.release()
            for folder in [CAPTIONS, ERRORS, ""][: 3 if is_new else 2]:
                with contextlib.suppress(OSError):  # it holds something
                    os.rmdir(self._of(folder))

    def make(self):
        with _telling(self._path):
            for folder in (CAPTIONS, ERRORS):
                os.makedirs(self._of(folder), exist_ok=True)

    def names(self, folder):
        with _telling(self._path, "read"), contextlib.suppress(FileNotFoundError):
            return os.listdir(self._of(folder))
        return []

    def exists(self, name):
        return os.path.exists(self._of(name))

    def read(self, name, start=0, end=None):
        with _telling(self._of(name), "read"), open(self._of(name), "rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else end - start)

    def write(self, name, content):
        self.write_lines(name, [content])

    def write_lines(self, name, lines):
        target = self._of(name)
        with _telling(target), replacing(target) as unfinished, open(unfinished, "wb") as file:
            file.writelines(lines)

    def remove(self, name):
        with contextlib.suppress(OSError):
            os.remove(self._of(name))

    def _of(self, name):
        return os.path.join(self._path, name)


class _StoredFiles:
    """Objects whose keys begin as the folder's URI does."""

    def __init__(self, uri, stores):
        self._uri = uri.rstrip("/")
        self._system, path = stores.open(self._uri)
        self._path = path.rstrip("/")

    @contextlib.contextmanager
    def held(self):
        yield

    def make(self):
        if self._system.type_name not in WHOLE_WRITES:
            with _telling(self._uri):
                for folder in (CAPTIONS, ERRORS):
                    self._system.create_dir(self._of(folder))

    def names(self, folder):
        selector = require_pyarrow("fs").FileSelector(self._of(folder), allow_not_found=True)
        with _telling(self._uri, "read"):
            return [each.base_name for each in self._system.get_file_info(selector)]

    def exists(self, name):
        with _telling(self._uri, "read"):
            [found] = self._system.get_file_info([self._of(name)])
        return found.type == require_pyarrow("fs").FileType.File

    def read(self, name, start=0, end=None):
        path = self._of(name)
        with _telling(f"{self._uri}/{name}", "read"), self._system.open_input_file(path) as file:
            file.seek(start)
            return file.read(None if end is None else end - start)

    def write(self, name, content):
        self.write_lines(name, [content])

    def write_lines(self, name, lines):
        target = self._of(name)
        is_whole = self._system.type_name in WHOLE_WRITES
        folder = target.rpartition("/")[0]
        written = target if is_whole else f"{folder}/{UNFINISHED}{uuid.uuid4().hex}"
        with _telling(f"{self._uri}/{name}"):
            with self._system.open_output_stream(written) as file:
                for line in lines:
                    file.write(line)
            if not is_whole:
                self._system.move(written, target)

    def remove(self, name):
        with contextlib.suppress(Exception):  # of which pyarrow has many kinds
            self._system.delete_file(self._of(name))

    def _of(self, name):
        return f"{self._path}/{name}".rstrip("/")


@contextlib.contextmanager
def _telling(name, what="written"):
    """Tells in one line what a disk or an object store refuses."""
    try:
        yield
    except CaptionerError:
        raise
    except Exception as error:
        is_pyarrows = type(error).__module__.startswith("pyarrow")  # it has many kinds
        if not is_pyarrows and not isinstance(error, (OSError, UnicodeError)):
            raise
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise CaptionerError(cannot_be(what, name, reason)) from error
