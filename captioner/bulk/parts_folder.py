"""The folder of a captioning run in parts, on a disk or in an object store.

    settings.json              what the captions depend on, and where in the list each part begins
    pictures.txt               the list of all pictures, a JSON string a line
    captions/part-00000042.*   the captions of a part, which is done once this file is there
    errors/part-00000042.txt   a line for each of its pictures that failed; only where one did

Every file appears whole, so a killed process leaves nothing to repair, and a part that is done
twice is the same as one done once.
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
        problems: list of str. A line for each argument that named no picture.
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
        if path is not None:
            self._files = _LocalFiles(path)
        else:
            self._files = _Files(*stores.open(name.rstrip("/")), name.rstrip("/"))

    @contextlib.contextmanager
    def held(self):
        """Keeps other processes out, on a disk; in an object store nothing can."""
        with self._files.held():
            yield

    def open(self, settings, resume):
        """The run that is there.

        Args:
            settings: dict. What the captions depend on, as JSON has it.
            resume: bool. Whether to continue it.

        Returns:
            Plan, or None where there is no run yet.

        Raises:
            CaptionerError: There is one and no `resume`; or it has other settings; or there is
                something else.
        """
        found = {name for name in self._files.names("") if not name.startswith(UNFINISHED)}
        if SETTINGS not in found:
            # The list alone is what a run leaves that was killed before it began.
            is_free = found <= {LIST, LOCK, CAPTIONS, ERRORS} and not self._files.names(CAPTIONS)
            require(is_free, f"{self.name}: folder is not empty; give another --output")
            return None
        require(
            resume,
            f"{self.name}: holds a run already; continue with --resume, or give another --output",
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

    def begin(self, settings, pictures, part_size, parts):
        """Lists the pictures, and plans the run.

        Args:
            settings: dict. As for `open`.
            pictures: iterable of str, paths and URIs, and of `CaptionerError`, problems of the
                plan; as from `pictures_of`.
            part_size, parts: int. As for `ListIndex`.

        Returns:
            Plan.

        Raises:
            CaptionerError: A manifest is broken, a folder cannot be listed, or nothing can be
                written.
        """
        index, problems = ListIndex(part_size, parts), []

        def named():
            for each in pictures:
                if isinstance(each, CaptionerError):
                    problems.append(str(each))
                else:
                    yield each

        try:
            self._files.make()
            self._files.write_lines(LIST, index.lines(named()))
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
        """Removes the traces of a run that did nothing."""
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


class _Files:
    """Files below a folder, through pyarrow: objects whose keys begin as the folder's URI does.

    Args:
        system: pyarrow.fs.FileSystem.
        path: str. Of the folder in that file system.
        shown: str. What messages call the folder.
    """

    def __init__(self, system, path, shown):
        self._system, self._path, self._shown = system, path.rstrip("/"), shown
        self._writes_whole = system.type_name in WHOLE_WRITES

    @contextlib.contextmanager
    def held(self):
        yield

    def make(self):
        if not self._writes_whole:
            with _in_one_line(self._shown):
                for folder in (CAPTIONS, ERRORS):
                    self._system.create_dir(self._of(folder))

    def names(self, folder):
        selector = require_pyarrow("fs").FileSelector(self._of(folder), allow_not_found=True)
        with _in_one_line(self._shown, "read"):
            return [each.base_name for each in self._system.get_file_info(selector)]

    def exists(self, name):
        with _in_one_line(self._shown, "read"):
            [found] = self._system.get_file_info([self._of(name)])
        return found.type == require_pyarrow("fs").FileType.File

    def read(self, name, start=0, end=None):
        path = self._of(name)
        with (
            _in_one_line(f"{self._shown}/{name}", "read"),
            self._system.open_input_file(path) as file,
        ):
            file.seek(start)
            return file.read(None if end is None else end - start)

    def write(self, name, content):
        self.write_lines(name, [content])

    def write_lines(self, name, lines):
        target = self._of(name)
        folder = target.rpartition("/")[0]
        written = target if self._writes_whole else f"{folder}/{UNFINISHED}{uuid.uuid4().hex}"
        with _in_one_line(f"{self._shown}/{name}"):
            try:
                with self._system.open_output_stream(written) as file:
                    for line in lines:
                        file.write(line)
                if not self._writes_whole:
                    self._system.move(written, target)
            except BaseException:
                if not self._writes_whole:
                    self._delete(written)
                raise

    def remove(self, name):
        self._delete(self._of(name))

    def _delete(self, path):
        with contextlib.suppress(Exception):  # pyarrow has many kinds
            self._system.delete_file(path)

    def _of(self, name):
        return f"{self._path}/{name}".rstrip("/")


class _LocalFiles(_Files):
    """Files on a disk of this machine, or on one that several machines share.

    What pyarrow lacks is done here: keeping a second process out, and putting a file on disk before
    it has its name, so that it is whole even after a power cut.

    Args:
        path: str.
    """

    def __init__(self, path):
        path = os.path.abspath(path)
        super().__init__(require_pyarrow("fs").LocalFileSystem(), path, path)

    @contextlib.contextmanager
    def held(self):
        is_new = not os.path.isdir(self._path)
        require(
            not (is_new and os.path.exists(self._path)),
            f"{self._path}: is a file; give another --output",
        )
        self.make()
        lock = FileLock(self._of(LOCK))
        with _in_one_line(self._path):
            try:
                lock.acquire(timeout=0)  # the system releases it if the process is killed
            except Timeout as error:
                raise CaptionerError(
                    f"{self._path}: another process is writing in it; give another --output, or "
                    "wait"
                ) from error
        try:
            with _in_one_line(self._path, "read"):
                for folder in ("", CAPTIONS, ERRORS):
                    sweep(self._of(folder))
            yield
        finally:
            self.remove(LOCK)
            lock.release()
            for folder in [CAPTIONS, ERRORS, ""][: 3 if is_new else 2]:
                with contextlib.suppress(OSError):  # it holds something
                    os.rmdir(self._of(folder))

    def write_lines(self, name, lines):
        target = self._of(name)
        with _in_one_line(target), replacing(target) as unfinished, open(unfinished, "wb") as file:
            file.writelines(lines)


@contextlib.contextmanager
def _in_one_line(name, what="written"):
    """Says in one line what a disk or an object store refuses."""
    try:
        yield
    except CaptionerError:
        raise
    except Exception as error:
        is_pyarrows = type(error).__module__.startswith("pyarrow")  # it has many kinds
        if not is_pyarrows and not isinstance(error, (OSError, UnicodeError)):
            raise
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else reason_of(error)
        raise CaptionerError(cannot_be(what, name, reason)) from error
