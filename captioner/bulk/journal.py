"""What a killed run that writes one file has done, so that a later one continues from there."""

import contextlib
import json
import os

import numpy as np

from captioner import __version__
from captioner.errors import CaptionerError, cannot_be, differences, require
from captioner.generation import Caption
from captioner.output.gallery import as_bytes


def is_unfinished(output):
    """Whether a run that was to write this file has left a journal."""
    return os.path.exists(_path(output))


class Journal:
    """`FILE.part`, beside the output: one line of JSON for every picture that has its captions.

    Lines are only added at the end, so a process killed at any moment leaves whole lines, and at
    most one broken line, which is cut off on opening. The output itself, whatever its format, is
    written from the journal when all is done.

    Args:
        output: str. The file that the captions are for.
        settings: dict. What the captions depend on, as JSON has it: the models, the search.
        resume: bool. Whether to continue a journal that is there.

    Raises:
        CaptionerError: There is a journal and no `resume`; or it has other settings, or is not one;
            or it cannot be written.

    Example:
    >>> journal = Journal("captions.csv", {"beam_size": 3}, resume=True)
    >>> journal.add("a.jpg", [Caption("a dog", -0.5, ("a", "dog"), (-0.2, -0.1, -0.2))])
    >>> journal.captions("a.jpg")[0].text
    'a dog'
    """

    def __init__(self, output, settings, resume):
        from filelock import FileLock, Timeout  # slow to import, and not for every captioning

        self.path, self._file = _path(output), None
        self._lock = FileLock(self.path + ".lock")
        try:
            self._lock.acquire(timeout=0)  # the system releases it if the process is killed
        except Timeout as error:
            raise CaptionerError(
                f"{output}: another process is writing it; give another --output, or wait"
            ) from error
        except OSError as error:
            raise CaptionerError(cannot_be("written", output, error)) from error
        try:
            self._open(header={"captioner": __version__, "settings": settings}, resume=resume)
        except BaseException:
            if self._file:
                self._file.close()
            self._release()
            raise

    def _open(self, header, resume):
        self._places = {}  # of each picture's line in the file
        self._is_short_of_room = False
        exists = os.path.exists(self.path)
        require(
            resume or not exists,
            f"{self.path}: an unfinished run is there; continue with --resume, or delete the file",
        )
        try:
            self._file = open(self.path, "r+b" if exists else "x+b")  # noqa: SIM115 - close() does
        except OSError as error:
            raise CaptionerError(cannot_be("written", self.path, error)) from error
        end = self._read(header) if exists else 0
        self._file.truncate(end)
        self._file.seek(end)
        if not end:
            self._write(header)

    def __contains__(self, picture):
        return picture in self._places

    def add(self, picture, captions):
        """Notes the captions of a picture, a list of `Caption`, best first."""
        place = self._file.seek(0, os.SEEK_END)  # reading captions has left it elsewhere
        found = [
            each._replace(attention=_as_list(each.attention))
            for each in captions  # lists in JSON
        ]
        self._write({"image": picture, "captions": found})
        self._places[picture] = place

    def captions(self, picture):
        """The captions noted for a picture."""
        self._file.seek(self._places[picture])
        found = json.loads(self._file.readline())["captions"]
        return [
            Caption(
                text, score, tuple(words), tuple(scores), attention and np.array(attention), *rest
            )
            for text, score, words, scores, attention, *rest in found  # formerly no confidence
        ]

    def close(self):
        """Leaves the file for a later run, if there is anything to continue from."""
        if not self._file.closed:
            with contextlib.suppress(OSError):  # a full disk, which was reported before
                self._file.close()
            if not self._places and not self._is_short_of_room:
                os.remove(self.path)
            self._release()

    def remove(self):
        """Deletes the file: the output is written."""
        self._file.close()
        os.remove(self.path)
        self._release()

    def _release(self):
        self._lock.release()
        with contextlib.suppress(OSError):
            os.remove(self._lock.lock_file)

    def _write(self, entry):
        try:
            self._file.write(_line(entry))
            self._file.flush()
        except OSError as error:
            self._is_short_of_room = True
            line = cannot_be("written", self.path, error)
            raise CaptionerError(
                f"{line}; what it holds is kept, continue with --resume"
            ) from error

    def _read(self, header):
        """Finds the pictures in the file; returns the place where the next line goes."""
        first = self._file.readline()
        if _line(header).startswith(first) and not first.endswith(b"\n"):
            return 0  # killed while it wrote its first line
        self._check(_entry(first), header)
        end = len(first)
        for line in iter(self._file.readline, b""):
            entry = _entry(line)
            if entry is None or "image" not in entry:
                break  # what a killed process had begun
            self._places[entry["image"]] = end
            end += len(line)
        return end

    def _check(self, entry, header):
        was = entry and entry.get("settings")
        require(isinstance(was, dict), f"{self.path}: not what an unfinished run leaves; delete it")
        now = json.loads(_line(header))["settings"]
        changed = differences(was, now)
        require(
            not changed,
            f"{self.path}: cannot continue with other settings ({'; '.join(changed)}); "
            "give those it had, or delete it",
        )


def _as_list(attention):
    """Weights as whole numbers up to 255: enough to show, and a tenth of the digits."""
    return None if attention is None else as_bytes(attention).tolist()


def _path(output):
    return output + ".part"


def _line(entry):
    return json.dumps(entry).encode() + b"\n"  # ASCII: any file name survives


def _entry(line):
    """The object on a whole line, or None."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if line.endswith(b"\n") and isinstance(entry, dict) else None
