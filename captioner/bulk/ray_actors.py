"""Captions on Ray: processes that each hold the model, on one machine or on a cluster.

The pictures are cut into parts (`captioner.bulk.parts_folder`). Ray Data hands the numbers of the
parts to the actors, which read their pictures and write the captions themselves, so that neither
passes through Ray or the process that started it all.
"""

import contextlib
import dataclasses
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from captioner import __version__
from captioner.bulk.model_files import ModelFiles
from captioner.bulk.object_stores import ObjectStores, PictureReader
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.ray_cluster import ACTOR_CPUS, require_ray
from captioner.errors import CaptionerError, reason_of, require
from captioner.images import ImageError, describe
from captioner.models import ModelChoice

PARTS_PER_ACTOR = 4  # at least, so that all end at about the same time
MOST_BLOCKS = 4000  # that Ray Data has to keep in mind
MOST_ATTEMPTS = 3  # at one part: a picture that kills the process must not do so for ever
CONTEXT = {  # of Ray Data
    "enable_progress_bars": False,
    "target_max_block_size": 1,  # byte: each report is passed on at once
}
UNREACHABLE = 10  # pictures of a part; if none can be fetched, the pictures are not the cause


@dataclasses.dataclass(frozen=True)
class Job:
    """What an actor has to know.

    Attributes:
        folder: str. Of the run, see `PartsFolder`.
        ending: str. Of the captions' files.
        options: dict. Of object stores, see `ObjectStores`.
        choice: ModelChoice. What runs the models; the actor takes its names from the next two.
        models: list of ModelFiles.
        backward: ModelFiles or None. The captioner that re-ranks.
        search: dict. Settings of the search, see `Generation.generate`.
        batch_size: int. Pictures captioned at a time.
        content_of: function (list of (picture, list of `Caption`, or the `ImageError`)) to the
            bytes of a part's file.
        version: str. Of captioner, which must be the same everywhere.
    """

    folder: str
    ending: str
    options: dict
    choice: ModelChoice
    models: list
    backward: ModelFiles | None
    search: dict
    batch_size: int
    content_of: Callable
    version: str = __version__


class Report(NamedTuple):
    """What an actor reports of a part.

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

    If the actor of a part dies, another one takes the part. Where that happens again and again, the
    part is skipped, which is among the problems reported, and the rest is done.

    Args:
        job: Job.
        plan: Plan.
        parts: list of int. Those to do.
        actors: int.
        gpus: float. What an actor takes of a GPU. Defaults to `0`.

    Yields:
        Report.

    Raises:
        CaptionerError: Nothing can be captioned: the model cannot be opened, the disk is full, or
            no picture can be reached.
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
            with contextlib.closing(iter(batches)) as batches:  # closing ends the actors
                for batch in batches:
                    for row in batch.to_pylist():
                        report = Report(**row)
                        require(not report.stop, report.stop)
                        yield report
    except ray.exceptions.RayError as error:
        lines = str(error).split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "")  # before it: where
        raise CaptionerError(
            f"Ray stopped ({reason.strip()[:200]}); what is done is kept, continue with --resume"
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
    """The parts as tables for Ray Data: one part each, or several where there would be too many
    tables; ever fewer towards the end, so that no actor has many left when the rest have none."""
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
    """Counts how often something was begun; Ray itself would begin it again for ever.

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
        """Notes that the actor survived it."""
        self._opening -= 1

    def begin(self, part):
        """Whether a part may be begun once more."""
        self._begun[part] += 1
        return self._begun[part] <= MOST_ATTEMPTS

    def end(self, part):
        """Forgets a part that is done."""
        del self._begun[part]


class PartCaptioner:
    """The actor: opens the model once, and captions parts.

    Args:
        job: Ray's reference to a Job.
        directory: str or None. What relative paths start from.
        attempts: Ray's handle of Attempts.
    """

    def __init__(self, job, directory, attempts):
        ray = require_ray()
        self._job = job = ray.get(job)
        self._attempts = attempts
        self._has_gpu = bool(ray.get_gpu_ids())
        self._stop = ""
        # TensorFlow would start a thread for each core, and take all of a GPU that actors share.
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
                with contextlib.suppress(OSError):  # then no picture is found, which is reported
                    os.chdir(directory)
            require(
                ray.get(attempts.open.remote()),
                "processes die while they open the model; is there memory for so many? "
                "Give fewer --actors, and continue with --resume",
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
            choice = dataclasses.replace(job.choice, names=names, rerank=backward)
            try:
                return choice.open(threads=ACTOR_CPUS)
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
            except Exception as error:  # every other part would meet it too
                stop = f"part {part}: {type(error).__name__}: {reason_of(error)}"
        report = Report(part, pictures, "\n".join(problems), stop, os.getpid())
        return {name: [value] for name, value in report._asdict().items()}

    def _caption(self, part, start, end):
        """Writes a part's captions; returns what failed."""
        if self._folder.has_captions(part):  # by an actor that died before it could report
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
                "machine may read them, and continue with --resume",
            )
        problems = [str(each) for each in failures]
        self._folder.write_captions(part, self._job.content_of(results), problems)
        self._attempts.end.remote(part)
        return problems

    def _captions(self, pictures):
        job = self._job
        found = self._model.generate_all(
            self._reader.sources(pictures),
            job.batch_size,
            encode_ahead=self._has_gpu,  # else one core does everything
            **job.search,
        )
        return [(picture, result) for picture, (_, _, result) in zip(pictures, found, strict=True)]


def _is_out_of_reach(error):
    """Whether the system or a store refused a picture, which says nothing about the picture."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno is not None
