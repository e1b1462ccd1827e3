"""Captions by as many processes as there are cores, of one machine or a cluster, in a folder."""

import contextlib
import dataclasses
import functools
import itertools
import os

from captioner.bulk.model_files import ModelFiles
from captioner.bulk.object_stores import ObjectStores, local_path
from captioner.bulk.part_formats import FORMATS
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.picture_lists import pictures_of
from captioner.bulk.progress import Listener, Outcome
from captioner.bulk.ray_actors import PARTS_PER_ACTOR, Job, caption_parts
from captioner.bulk.ray_cluster import ACTOR_CPUS, connected, require_ray, room_for_actors
from captioner.errors import CaptionerError, flag, require, require_downloaded

PART_SIZE = 1000  # pictures: some 55 seconds of work for a core, and a file of 100 kB


@dataclasses.dataclass(frozen=True)
class RayOptions:
    """How `caption_with_ray` captions, and what it writes.

    Attributes:
        format: `"jsonl"` or `"parquet"`. Defaults to `"jsonl"`.
        scores: bool. Whether to add the scores; Parquet always has them. Defaults to `False`.
        resume: bool. Whether to continue a run that was stopped. Defaults to `False`.
        batch_size: int. Pictures captioned at a time by each process. Defaults to `32`.
        search: dict. Settings of the search, see `Generation.generate`. Defaults to `{}`.
        actors: int or None. Processes. Defaults to `None`, one per core.
        actor_gpus: float. GPUs per process, 0.5 if two share one. Defaults to `0`.
        part_size: int or None. Pictures per file of captions. Defaults to `None`: 1000, fewer if
            there are few pictures.
        null: bool. Whether the names on standard input and in `.txt` manifests end in zero bytes.
            Defaults to `False`.

    Raises:
        CaptionerError: A value makes no sense.
    """

    format: str = "jsonl"
    scores: bool = False
    resume: bool = False
    batch_size: int = 32
    search: dict = dataclasses.field(default_factory=dict)
    actors: int | None = None
    actor_gpus: float = 0
    part_size: int | None = None
    null: bool = False

    def __post_init__(self):
        require(
            self.format in FORMATS,
            f"--format {self.format}: is for --engine local; ray writes {' or '.join(FORMATS)}",
        )
        for name in ("actors", "part_size", "batch_size"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{flag(name)} {value}: must be 1 or more")
        require(self.actor_gpus >= 0, f"--actor-gpus {self.actor_gpus}: must be 0 or more")


def caption_with_ray(model, paths, output, options=None, manifests=(), listener=None):
    """Captions pictures by many processes, into a folder of files.

    Uses the Ray of this process; else the cluster of RAY_ADDRESS; else it starts one on this
    machine. A run that was stopped or killed at any moment is continued with `resume`.

    Args:
        model: ModelChoice. It is opened in every process; a model given as a file is sent there.
        paths: list of str. Pictures, folders and globs, as `find_images` takes them, and URIs.
        output: str. A folder, or its URI in an object store.
        options: RayOptions. Defaults to `RayOptions()`.
        manifests: list of str. Files that name pictures, see `read_manifest`. Defaults to `()`.
        listener: Listener. Defaults to one that ignores everything.

    Returns:
        Outcome.

    Raises:
        CaptionerError: Nothing can be captioned: a package is missing, there are no pictures, the
            folder holds something else, the model cannot be opened.

    Example:
    >>> caption_with_ray(ModelChoice(), ["data/samples"], "captions", RayOptions(actors=2))
    Outcome(pictures=8, has_problems=False, missing=0, was_complete=False, below_min_score=0)
    """
    require_ray()
    options, listener = options or RayOptions(), listener or Listener()
    if options.actor_gpus:
        model = _run_on_gpus(model, options.actor_gpus)
    for name in (*paths, *manifests):
        require_downloaded(name)
    stores = ObjectStores()
    output = stores.take_options(output)
    if local_path(output) is not None:  # actors may be in another current directory
        output = os.path.abspath(local_path(output))
    paths = [stores.take_options(each) for each in paths]
    manifests = [stores.take_options(each) for each in manifests]
    job = _job(model, output, stores, options)
    settings = _what_captions_depend_on(model, job, options, paths, manifests)
    folder = PartsFolder(output, stores, job.ending)
    with folder.held():
        plan = folder.open(settings, options.resume)
        if plan is None:
            found = pictures_of(paths, manifests, stores, options.null)
            plan = _caption_anew(folder, job, settings, found, options, listener)
        elif all(folder.done(plan.parts)):
            return _outcome(folder, plan)._replace(was_complete=True)
        else:
            with _actors(options) as actors:
                _caption(folder, job, plan, actors, options.actor_gpus, listener)
        return _outcome(folder, plan)


def _run_on_gpus(model, gpus):
    require(
        model.runtime != "litert",
        f"--actor-gpus {gpus}: LiteRT uses no GPU; give --runtime keras",
    )
    return dataclasses.replace(model, runtime="keras")


def _job(model, output, stores, options):
    return Job(
        folder=output,
        ending=options.format,
        options=stores.options,
        choice=model,
        models=[ModelFiles.of(name) for name in model.names],
        backward=ModelFiles.of(model.rerank) if model.rerank else None,
        search=options.search,
        batch_size=options.batch_size,
        content_of=functools.partial(FORMATS[options.format], with_scores=options.scores),
    )


def _what_captions_depend_on(model, job, options, paths, manifests):
    return {
        "model": [each.name for each in job.models],
        "rerank": model.rerank,
        "rerank_weight": model.rerank_weight,
        **{name: getattr(options, name) for name in ("format", "scores", "part_size")},
        **job.search,
        "files": [each.digest for each in (*job.models, job.backward) if each],
        "paths": paths,
        "manifests": manifests,
    }


def _caption_anew(folder, job, settings, found, options, listener):
    """Lists the pictures and captions them; returns the plan."""
    found = _require_some(_reported(found, listener))
    with _actors(options) as actors:
        parts = 1 if options.part_size else PARTS_PER_ACTOR * actors
        plan = folder.begin(settings, found, options.part_size or PART_SIZE, parts)
        try:
            _caption(folder, job, plan, actors, options.actor_gpus, listener)
        except CaptionerError:
            folder.abandon()
            raise
    return plan


def _reported(found, listener):
    """The same pictures and problems; the listener hears of the problems."""
    for each in found:
        if isinstance(each, CaptionerError):
            listener.problem(str(each))
        yield each


def _require_some(found):
    """The same pictures and problems; an error before Ray starts where there are no pictures."""
    first = []
    for each in found:
        first.append(each)
        if not isinstance(each, CaptionerError):
            return itertools.chain(first, found)
    raise CaptionerError("no pictures to caption")


@contextlib.contextmanager
def _actors(options):
    """Ray, and how many actors to start in it."""
    with connected(options.actors):
        room = room_for_actors(options.actor_gpus)
        require(
            room or (options.actors and "RAY_ADDRESS" in os.environ),
            f"Ray has no process to spare with {ACTOR_CPUS} CPU and {options.actor_gpus:g} GPUs; "
            "give --actors if machines will join the cluster",
        )
        yield options.actors or room


def _caption(folder, job, plan, actors, gpus, listener):
    """Captions the parts that are not done."""
    todo = _missing(folder, plan)
    listener.start(plan.pictures - sum(map(plan.size_of, todo)), plan.pictures)
    reports = caption_parts(job, plan, todo, min(actors, len(todo)), gpus)
    with contextlib.closing(reports):
        for report in reports:
            for problem in report.problems.splitlines():
                listener.problem(problem)
            listener.advance(report.pictures)


def _missing(folder, plan):
    """The parts that are not done."""
    return [part for part, is_done in enumerate(folder.done(plan.parts)) if not is_done]


def _outcome(folder, plan):
    missing = sum(map(plan.size_of, _missing(folder, plan)))
    has_problems = bool(plan.problems) or any(folder.failed(plan.parts))
    return Outcome(plan.pictures, has_problems, missing)
