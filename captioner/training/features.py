"""The CNN's features of a data set: computed once, kept on disk, mapped into memory."""

import hashlib
import json
import math
import os

import numpy as np
from filelock import FileLock

from captioner.errors import CaptionerError, reason_of
from captioner.files import put_in_place, replace_bytes
from captioner.images import ImageError, read_images
from captioner.progress import ProgressBar

MOST_UNREADABLE = 0.05  # a larger share of pictures that cannot be read is an error


def cached_features(captioner, paths, folder=None, batch_size=32, progress=True, view=None):
    """The picture vectors or regions of a data set, from the cache or computed into it.

    The cache is one file per set, named by a hash of all that it depends on: each picture's path,
    size and time of change, the network, its weights and the picture size. It is written under
    another name and gets its own only when complete; an interrupted computation continues where it
    stopped.

    Args:
        captioner: Captioner. Its encoder is used.
        paths: list of str. Picture files.
        folder: str or None. Defaults to `~/.cache/captioner`.
        batch_size: int. Pictures encoded at a time. Defaults to `32`.
        progress: bool. Whether to show a progress bar. Defaults to `True`.
        view: View or None. What to change in the pictures first. Defaults to `None`.

    Returns:
        (features, unreadable): float16 memory map (pictures, channels), with attention
        (pictures, regions, channels), and a dict from the number of each picture that cannot be
        read to the reason; its row is zeros.

    Raises:
        CaptionerError: More than 5 % of the pictures cannot be read.
    """
    folder = folder or os.path.join(os.path.expanduser("~"), ".cache", "captioner")
    path = os.path.join(folder, _key(captioner, paths, view) + ".npy")
    try:
        os.makedirs(folder, exist_ok=True)
        stored = _open(path)
        if stored is None or stored[1]:
            with FileLock(path + ".lock"):  # waits for another run that computes them
                stored = _open(path)
                if stored is None:
                    _compute(captioner, paths, path, batch_size, progress, view)
                elif stored[1]:
                    _try_again(captioner, paths, path, sorted(stored[1]), view)
                stored = _open(path)
    except OSError as error:
        raise CaptionerError(
            f"{folder}: the features of {len(paths)} pictures cannot be written "
            f"({reason_of(error)}); make room, or name another folder by --cache"
        ) from error
    features, unreadable = stored
    if len(unreadable) > max(1, MOST_UNREADABLE * len(paths)):
        raise CaptionerError(
            f"{len(unreadable)} of {len(paths)} pictures cannot be read; the first: "
            f"{unreadable[min(unreadable)]}"
        )
    return features, unreadable


def readable_features(captioner, dataset, folder=None, log=print, progress=True):
    """The features of a data set without the pictures that cannot be read.

    Args:
        captioner, folder, progress: as `cached_features` takes them.
        dataset: CaptionDataset.
        log: callable. Takes a line for each picture that is skipped. Defaults to `print`.

    Returns:
        (features, dataset): float16 array, or Rows, with a row for each picture that can be read,
        and the CaptionDataset of these pictures.

    Raises:
        CaptionerError: Of one of the sets in the data set no picture can be read.
    """
    features, unreadable = cached_features(
        captioner, dataset.image_paths, folder, progress=progress
    )
    if not unreadable:
        return features, dataset
    for reason in unreadable.values():
        log(f"note: skipped {reason}")
    readable = [n for n in range(len(dataset)) if n not in unreadable]
    kept = dataset.subset(readable)
    for name in set(dataset.sets) - set(kept.sets):
        first = unreadable[dataset.sets.index(name)]
        raise CaptionerError(f"{name or 'data'}: no picture can be read; the first: {first}")
    return Rows(features, readable), kept


def _open(path):
    """What is stored: (features, unreadable); None if nothing is, or if it is damaged."""
    state = _read_state(path + ".json")
    if state is None:
        return None
    try:
        features = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return None
    return features, {int(key): reason for key, reason in state["unreadable"].items()}


class Rows:
    """Some rows of an array on disk, read when they are needed.

    Args:
        features: array (pictures, ...).
        rows: int array. The rows wanted.
    """

    def __init__(self, features, rows):
        self._features, self._rows = features, np.asarray(rows)

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        return self._features[self._rows[index]]


def _compute(captioner, paths, path, batch_size, progress, view):
    partial, notes = path + ".partial", path + ".partial.json"
    state = (os.path.exists(partial) and _read_state(notes)) or {"done": 0, "unreadable": {}}
    done = state["done"]
    size = (captioner.encoder.size, captioner.encoder.size)
    with (
        _FeatureFile(partial, (len(paths), *captioner.image_shape), done) as file,
        ProgressBar(len(paths), "picture", "encoding pictures", done, progress) as bar,
    ):
        pixels, unreadable = [], []
        change = view and (lambda number, pixels: view(done + number, pixels))
        for number, _, result in read_images(paths[done:], size, change):
            if isinstance(result, ImageError):
                state["unreadable"][str(done + number)] = str(result)
                unreadable.append(len(pixels))
                result = np.zeros((*size, 3), np.uint8)
            pixels.append(result)
            if len(pixels) == batch_size or done + number == len(paths) - 1:
                features = captioner.encode(np.stack(pixels), batch_size).astype(np.float16)
                features[unreadable] = 0
                file.append(features)
                bar.add(len(pixels))
                pixels, unreadable = [], []
                end = done + number + 1
                if end // batch_size % 100 == 0:
                    file.flush()
                    _write_state(notes, {**state, "done": end})
    _write_state(path + ".json", {**state, "done": len(paths)})
    put_in_place(partial, path)
    if os.path.exists(notes):
        os.remove(notes)


def _try_again(captioner, paths, path, numbers, view):
    """Adds the pictures that could not be read before, and can be now: a disk was away, perhaps."""
    size = (captioner.encoder.size, captioner.encoder.size)
    results = read_images([paths[number] for number in numbers], size)
    unreadable = {}
    features = np.lib.format.open_memmap(path, "r+")  # these rows exist: the file does not grow
    for number, (_, _, result) in zip(numbers, results, strict=True):
        if isinstance(result, ImageError):
            unreadable[str(number)] = str(result)
            continue
        result = view(number, result) if view is not None else result
        features[number] = captioner.encode(result[None], 1)[0]
    features.flush()
    _write_state(path + ".json", {"done": len(paths), "unreadable": unreadable})


class _FeatureFile:
    """A .npy file of float16 rows, written from the first to the last.

    Not by a memory map: where the disk is full, writing into one kills the process.
    """

    def __init__(self, path, shape, done):
        self._file = open(path, "r+b" if done else "w+b")  # noqa: SIM115 - __exit__ closes it
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._file.seek(done * 2 * math.prod(shape[1:]), os.SEEK_CUR)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def append(self, rows):
        self._file.write(np.ascontiguousarray(rows, "<f2").tobytes())

    def flush(self):
        """Puts the rows on disk, before anything is written that counts on them."""
        self._file.flush()
        os.fsync(self._file.fileno())


def _write_state(path, state):
    """Notes how far the features have come, once they are on disk."""
    replace_bytes(path, json.dumps(state).encode())


def _read_state(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _key(captioner, paths, view):
    encoder = captioner.encoder
    digest = hashlib.sha256()
    kind = "pooled" if captioner.decoder.attention == "none" else "regions"
    digest.update(json.dumps([encoder.backbone, encoder.size, kind, 1]).encode())
    if view is not None:
        digest.update(view.name().encode())
    for weight in encoder.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    for path in paths:
        try:
            status = os.stat(path)
            told = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
        except OSError:
            told = (os.path.abspath(path), None, None)
        digest.update(repr(told).encode())
    return f"{encoder.backbone}-{digest.hexdigest()[:24]}"
