"""Captions on Ray: as many processes as there are cores, on one machine or on a cluster of them.

The pictures are cut into parts (`captioner.bulk.parts_folder`). Ray Data hands the numbers of the
parts to actors, processes that each hold the model; they read their pictures and write the captions
themselves, so that neither passes through Ray or the process that started it all.
"""

import contextlib
import hashlib
import logging
import os
import signal
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from captioner import __version__
from captioner.bulk.object_stores import ObjectStores, PictureReader
from captioner.bulk.parts_folder import PartsFolder
from captioner.errors import CaptionerError, needs_extra, require
from captioner.images import ImageError, describe
from captioner.lite_captioner import is_exported
from captioner.presets import current_name, find_model
from captioner.text_files import read_bytes

PART_SIZE = 1000  # pictures: some 55 seconds of work for a core, and a file of 100 kB
PARTS_PER_ACTOR = 4  # at least, so that all end at about the same time
ACTOR_CPUS = 1  # one core captions most per core; memory for a model each is what it costs
MOST_BLOCKS = 4000  # that Ray Data has to keep in mind
MOST_ATTEMPTS = 3  # at one part: a picture that kills the process must not do so for ever
LOCAL_STORE = 2**28  # bytes of memory for Ray's objects on this machine: only models pass
CONTEXT = {  # of Ray Data
    "enable_progress_bars": False,
    "target_max_block_size": 1,  # byte: each report is passed on at once
}
ANSWER_SECONDS = 10  # for a cluster
UNREACHABLE = 10  # pictures of a part; if none can be fetched, it is not for the pictures


def require_ray():
    """The package ray, with ray.data.

    Raises:
        CaptionerError: It is missing.
    """
    # Read when ray is imported. Nothing is sent anywhere, C++'s warnings go to Ray's logs, and
    # started by `uv run` it does not pack up the current directory for the workers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CaptionerError(needs_extra("--engine ray needs ray", "ray", error)) from error
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":  # the other one writes Ray's logs
            handler.setLevel(logging.CRITICAL)
    return ray


@contextlib.contextmanager
def connected(actors=None):
    """Ray: the one that runs in this process; else the cluster of RAY_ADDRESS; else one of its own.

    Only what was started here is ended.

    Args:
        actors: int or None. How many processes will be wanted. Defaults to `None`, one a core.

    Raises:
        CaptionerError: Ray cannot be started, or the cluster not be reached.
    """
    ray = require_ray()
    if ray.is_initialized():
        yield
        return
    local = {"address": "local", "include_dashboard": False, "object_store_memory": LOCAL_STORE}
    if actors:
        local["num_cpus"] = max(os.cpu_count() or 1, actors * ACTOR_CPUS)
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _require_answer(address)
        with _own_signals():
            ray.init(**({} if address else local), log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # each thing that can go wrong has its own
        message = f"Ray cannot be started ({_first_line(error)})"
        if address:
            message = (
                f"RAY_ADDRESS {address}: cannot be reached ({_first_line(error)}); see whether the "
                "cluster runs, and has the same RAY_AUTH_MODE and token"
            )
        raise CaptionerError(message) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address):
    """Raises OSError where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()


@contextlib.contextmanager
def _own_signals():
    """Keeps what is to be done on SIGTERM, which Ray would change."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def room_for_actors(gpus=0):
    """How many actors the cluster has room for now.

    Args:
        gpus: float. Of each. Defaults to `0`.
    """
    resources = require_ray().cluster_resources()
    room = resources.get("CPU", 0) // ACTOR_CPUS
    if gpus:
        room = min(room, resources.get("GPU", 0) // gpus)
    return int(room)


class ModelFiles(NamedTuple):
    """A model that can travel to machines which do not have its file.

    Attributes:
        name: str. As it was given.
        content: dict from file names to bytes; or None for a shipped model, which is where
            captioner is.
    """

    name: str
    content: dict | None

    @classmethod
    def of(cls, name):
        """Reads what there is of a model.

        Args:
            name: str. As `find_model` takes it.

        Raises:
            CaptionerError: There is no such model, or it cannot be read.
        """
        name = current_name(name)
        if find_model(name) != name:
            return cls(name, None)
        folder, base = os.path.split(os.path.abspath(name))
        files = [base]
        if is_exported(name):
            files = [os.path.join(base, each) for each in sorted(os.listdir(name))]
        return cls(name, {each: read_bytes(os.path.join(folder, each)) for each in files})

    @property
    def digest(self):
        """What tells whether it is still the same; None for a shipped model."""
        if self.content is None:
            return None
        digest = hashlib.sha256()
        for each in self.content.values():
            digest.update(each)
        return digest.hexdigest()[:16]

    def unpacked(self, folder):
        """Its name on this machine, its files written below a folder if it has any."""
        if self.content is None:
            return self.name
        for name, content in self.content.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return os.path.join(folder, next(iter(self.content)).split(os.sep)[0])


@dataclass(frozen=True)
class Job:
    """What an actor has to know.

    Attributes:
        folder: str. Of the run, see `PartsFolder`.
        ending: str. Of the captions' files.
        options: dict. Of object stores, see `ObjectStores`.
        open_model: function (names, backward, threads) to a captioner; `backward` is the name of
            one that re-ranks, or None.
        models: list of ModelFiles.
        backward: ModelFiles or None.
        search: dict. Settings of the search, see `Generation.generate`.
        batch_size: int. Pictures captioned at a time.
        content_of: function (list of (picture, list of `Caption`, or the `ImageError`)) to the
            bytes of a part's file.
        version: str. Of captioner, which must be the same everywhere.
    """

    folder: str
    ending: str
    options: dict
    open_model: Callable
    models: list
    backward: ModelFiles | None
    search: dict
    batch_size: int
    content_of: Callable
    version: str = __version__


class Report(NamedTuple):
    """What an actor tells of a part.

    Attributes:
        part: int. Its number.
        pictures: int. How many it has.
        problems: str. A line for each picture that could not be captioned.
        stop: str. Why nothing can be captioned, and the run has to end; mostly empty.
        process: int. Of the actor.
    """

    part: int
    pictures: int
    problems: str
    stop: str
    process: int


def caption_parts(job, plan, parts, actors, gpus=0):
    """Captions parts, in whatever order they are finished.

    A part whose actor died is done by another one; where that happens again and again, it is left
    out, which is among the problems reported, and the others are done.

    Args:
        job: Job.
        plan: Plan.
        parts: list of int. Those to do.
        actors: int.
        gpus: float. What an actor takes of a GPU. Defaults to `0`.

    Yields:
        Report.

    Raises:
        CaptionerError: Nothing can be captioned: the model cannot be opened, the disk is full, no
            picture be reached.
    """
    ray = require_ray()
    counting = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts)
    attempts = counting.remote(actors)
    try:
        with _context(ray.data.DataContext.get_current()):
            dataset = ray.data.from_arrow(_blocks(plan, parts, actors)).map_batches(
                PartCaptioner,
                fn_constructor_args=(ray.put(job), plan.directory, attempts),
                batch_size=1,
                num_cpus=ACTOR_CPUS,
                num_gpus=gpus or None,
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
            )
            batches = dataset.iter_batches(
                batch_size=None, prefetch_batches=0, batch_format="pyarrow"
            )
            with contextlib.closing(iter(batches)) as batches:  # which ends the actors
                for batch in batches:
                    for row in batch.to_pylist():
                        report = Report(**row)
                        require(not report.stop, report.stop)
                        yield report
    except ray.exceptions.RayError as error:
        lines = str(error).split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "")  # before it: where
        raise CaptionerError(
            f"Ray stopped ({reason.strip()[:200]}); what is done is kept, go on with --resume"
        ) from error


@contextlib.contextmanager
def _context(context):
    """Settings of Ray Data while a data set is made and gone through."""
    kept = {name: getattr(context, name) for name in CONTEXT}
    for name, value in CONTEXT.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(context, name, value)


def _blocks(plan, parts, actors):
    """The parts as tables for Ray Data: a part each; or several where they would be too many, ever
    fewer towards the end, so that no actor is left with many when the others have none."""
    import pyarrow

    most = -(-len(parts) // MOST_BLOCKS)
    blocks, start = [], 0
    while start < len(parts):
        size = max(1, min(most, (len(parts) - start) // (PARTS_PER_ACTOR * actors)))
        chosen = parts[start : start + size]
        start += size
        blocks.append(
            pyarrow.table(
                {
                    "part": chosen,
                    "pictures": [plan.size_of(part) for part in chosen],
                    "start": [plan.places[part] for part in chosen],
                    "end": [plan.places[part + 1] for part in chosen],
                }
            )
        )
    return blocks


class Attempts:
    """Counts how often something was begun. Ray itself would begin it again without end.

    Args:
        actors: int.
    """

    def __init__(self, actors):
        self._begun = Counter()
        self._opening, self._actors = 0, actors

    def open(self):
        """Whether a model may be opened once more."""
        self._opening += 1
        return self._opening <= MOST_ATTEMPTS * self._actors

    def opened(self):
        """Notes that an actor has not died of it."""
        self._opening -= 1

    def begin(self, part):
        """Whether a part may be begun once more."""
        self._begun[part] += 1
        return self._begun[part] <= MOST_ATTEMPTS

    def end(self, part):
        """Forgets a part, which is done."""
        del self._begun[part]


class PartCaptioner:
    """The actor: opens the model once, and captions parts.

    Args:
        job: Ray's reference to a Job.
        directory: str or None. What relative paths start from.
        attempts: Ray's handle of Attempts.
    """

    def __init__(self, job, directory, attempts):
        self._job = job = require_ray().get(job)
        self._attempts = attempts
        self._stop = ""
        # TensorFlow would start a thread for each core, and take all of a GPU that others share.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(ACTOR_CPUS)
        os.environ["TF_NUM_INTEROP_THREADS"] = str(ACTOR_CPUS)
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        try:
            require(
                job.version == __version__,
                f"captioner {__version__} is on a machine of the cluster, {job.version} here; "
                "install the same",
            )
            if directory:
                with contextlib.suppress(OSError):  # then no picture is found, which is told
                    os.chdir(directory)
            require(
                require_ray().get(attempts.open.remote()),
                "processes die while they open the model; is there memory for so many? "
                "Give fewer --actors, and go on with --resume",
            )
            stores = ObjectStores(job.options)
            self._folder = PartsFolder(job.folder, stores, job.ending)
            self._reader = PictureReader(stores)
            self._model = self._open_model()
            attempts.opened.remote()
        except CaptionerError as error:
            self._stop = str(error)

    def _open_model(self):
        job = self._job
        with tempfile.TemporaryDirectory(prefix="captioner-") as workshop:
            places = [os.path.join(workshop, str(number)) for number in range(len(job.models))]
            names = [model.unpacked(place) for model, place in zip(job.models, places, strict=True)]
            backward = job.backward and job.backward.unpacked(os.path.join(workshop, "backward"))
            try:
                return job.open_model(names, backward=backward, threads=ACTOR_CPUS)
            except CaptionerError as error:
                message = str(error)
                for place in [*places, os.path.join(workshop, "backward")]:
                    message = message.replace(place + os.sep, "")
                raise CaptionerError(message) from error

    def __call__(self, batch):
        part, pictures, start, end = (
            int(batch[name][0]) for name in ("part", "pictures", "start", "end")
        )
        problems, stop = [], self._stop
        if not stop:
            try:
                problems = self._caption(part, start, end)
            except CaptionerError as error:
                stop = str(error)
            except Exception as error:  # which every other part would meet too
                stop = f"part {part}: {type(error).__name__}: {_first_line(error)}"
        report = Report(part, pictures, "\n".join(problems), stop, os.getpid())
        return {name: [value] for name, value in report._asdict().items()}

    def _caption(self, part, start, end):
        """Writes a part's captions; returns what failed."""
        if self._folder.has_captions(part):  # by an actor that died before it could tell
            return self._folder.problems_of(part)
        pictures = self._folder.pictures_of(start, end)
        if not require_ray().get(self._attempts.begin.remote(part)):
            first, last = describe(pictures[0]), describe(pictures[-1])
            return [
                f"part {part}, from {first} to {last}: is left out, its process died "
                f"{MOST_ATTEMPTS} times"
            ]
        results = self._captions(pictures)
        failures = [result for _, result in results if isinstance(result, ImageError)]
        if len(pictures) >= UNREACHABLE and len(failures) == len(pictures):
            require(
                not all(_is_out_of_reach(each) for each in failures),
                f"none of {len(pictures)} pictures can be read: {failures[0]}; see whether every "
                "machine may read them, and go on with --resume",
            )
        problems = [str(each) for each in failures]
        self._folder.write_captions(part, self._job.content_of(results), problems)
        self._attempts.end.remote(part)
        return problems

    def _captions(self, pictures):
        job = self._job
        found = self._model.generate_all(
            self._reader.sources(pictures), job.batch_size, **job.search
        )
        return [(picture, result) for picture, (_, _, result) in zip(pictures, found, strict=True)]


def _is_out_of_reach(error):
    """Whether the system or a store refused a picture, which says nothing of the picture."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno is not None


def _first_line(error):
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
