"""`caption --engine ray`: captions by many processes, in a folder of parts."""

import contextlib
import functools
import io
import itertools
import os
import sys

from tqdm import tqdm

from captioner.backend import only_failures_heard
from captioner.bulk.object_stores import ObjectStores, local_path, require_pyarrow
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.picture_lists import pictures_of
from captioner.bulk.ray_captioning import (
    ACTOR_CPUS,
    PART_SIZE,
    PARTS_PER_ACTOR,
    Job,
    ModelFiles,
    caption_parts,
    connected,
    require_ray,
    room_for_actors,
)
from captioner.cli.messages import complain, say
from captioner.cli.model_arguments import chosen_model
from captioner.cli.search_arguments import search_settings
from captioner.errors import CaptionerError, require
from captioner.images import ImageError
from captioner.models import load_models
from captioner.output.writers import JsonLinesWriter

LOCAL_ONLY = ("sidecar", "write_metadata", "overwrite", "attention_maps")


def run(options):
    """Runs the command; see `captioner.cli.main`."""
    _require_flags(options)
    require_ray()
    stores = ObjectStores()
    output = stores.take_options(options.output)
    if local_path(output) is not None:  # actors may be in another current directory
        output = os.path.abspath(local_path(output))
    paths = [stores.take_options(each) for each in options.paths]
    manifests = [stores.take_options(each) for each in options.manifest]
    job = _job(options, output, stores)
    settings = _what_captions_depend_on(options, job, paths, manifests)
    folder = PartsFolder(output, stores, job.ending)
    with folder.held():
        plan = folder.open(settings, options.resume)
        if plan and all(folder.done(plan.parts)):
            say(f"{options.output}: is complete")
        elif plan:
            with _cluster(options) as actors:
                _caption(folder, job, plan, actors, options.actor_gpus)
        else:
            problems = []
            pictures = _require_some(pictures_of(paths, manifests, stores, problems), problems)
            with _cluster(options) as actors:
                plan = _begin(folder, settings, pictures, options.part_size, actors, problems)
                try:
                    _caption(folder, job, plan, actors, options.actor_gpus)
                except CaptionerError:
                    folder.abandon()
                    raise
        return _status(folder, plan)


def _require_flags(options):
    for name in LOCAL_ONLY:
        flag = "--" + name.replace("_", "-")
        require(not getattr(options, name), f"{flag}: is for --engine local")
    require(options.output, "--engine ray: needs --output, a folder for the captions")
    options.format = options.format or "jsonl"
    require(
        options.format in FORMATS,
        f"--format {options.format}: is for --engine local; ray writes {' or '.join(FORMATS)}",
    )
    for name in ("actors", "part_size", "batch_size"):
        value = getattr(options, name)
        flag = "--" + name.replace("_", "-")
        require(value is None or value >= 1, f"{flag} {value}: must be 1 or more")
    require(options.actor_gpus >= 0, f"--actor-gpus {options.actor_gpus}: must be 0 or more")
    if options.actor_gpus:
        require(
            options.runtime != "litert",
            f"--actor-gpus {options.actor_gpus}: LiteRT uses no GPU; give --runtime keras",
        )
        options.runtime = "keras"


def _job(options, output, stores):
    return Job(
        folder=output,
        ending=options.format,
        options=stores.options,
        open_model=functools.partial(
            load_models, runtime=options.runtime, weight=options.rerank_weight
        ),
        models=[ModelFiles.of(name) for name in chosen_model(options).names],
        backward=ModelFiles.of(options.rerank) if options.rerank else None,
        search=search_settings(options),
        batch_size=options.batch_size,
        content_of=functools.partial(FORMATS[options.format], with_scores=options.scores),
    )


def _what_captions_depend_on(options, job, paths, manifests):
    asked = ("rerank", "rerank_weight", "format", "scores", "part_size")
    return {
        "model": [each.name for each in job.models],
        **{name: getattr(options, name) for name in asked},
        **job.search,
        "files": [each.digest for each in (*job.models, job.backward) if each],
        "paths": paths,
        "manifests": manifests,
    }


def _require_some(pictures, problems):
    """The same pictures; where there are none, that is told before Ray is started."""
    first = list(itertools.islice(pictures, 1))
    if not first:
        for problem in problems:
            complain(problem)
        raise CaptionerError("no pictures to caption")
    return itertools.chain(first, pictures)


@contextlib.contextmanager
def _cluster(options):
    """Ray, and how many actors there are to be."""
    with contextlib.ExitStack() as stack:
        # Ray prints of its own affairs there, such as of processes that end as they should.
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        with only_failures_heard():
            stack.enter_context(connected(options.actors))
        room = room_for_actors(options.actor_gpus)
        require(
            room or (options.actors and "RAY_ADDRESS" in os.environ),
            f"Ray has no process to spare with {ACTOR_CPUS} CPU and {options.actor_gpus:g} GPUs; "
            "give --actors if machines will join the cluster",
        )
        yield options.actors or room


def _begin(folder, settings, pictures, part_size, actors, problems):
    """Lists the pictures; tells of the arguments that stood for none."""
    try:
        parts = 1 if part_size else PARTS_PER_ACTOR * actors
        return folder.begin(settings, pictures, part_size or PART_SIZE, parts, problems)
    finally:
        for problem in problems:
            complain(problem)


def _caption(folder, job, plan, actors, gpus):
    """Captions the parts that are not done, and shows how it goes."""
    done = folder.done(plan.parts)
    todo = [part for part in range(plan.parts) if not done[part]]
    finished = plan.pictures - sum(plan.size_of(part) for part in todo)
    if finished:
        say(f"going on after {finished} of {plan.pictures} pictures")
    bar = tqdm(
        total=plan.pictures,
        initial=finished,
        unit="picture",
        disable=not sys.stderr.isatty(),
        leave=False,
    )
    reports = caption_parts(job, plan, todo, min(actors, len(todo)), gpus)
    with bar, contextlib.closing(reports):
        for report in reports:
            for problem in report.problems.splitlines():
                complain(problem)
            bar.update(report.pictures)


def _status(folder, plan):
    """The exit status; says what is still to be done."""
    missing = [part for part, is_done in enumerate(folder.done(plan.parts)) if not is_done]
    if missing:
        pictures = sum(plan.size_of(part) for part in missing)
        complain(f"{pictures} of {plan.pictures} pictures are not done; go on with --resume")
    return 1 if missing or plan.problems or any(folder.failed(plan.parts)) else 0


def _as_json_lines(results, with_scores):
    """The lines that `--format jsonl` has, and one for each picture that failed; bytes."""
    file = io.StringIO()
    writer = JsonLinesWriter(file, with_scores)
    for picture, result in results:
        if isinstance(result, ImageError):
            writer.write_failure(picture, str(result))
        else:
            writer.write(picture, result)
    return file.getvalue().encode()


def _as_parquet(results, with_scores):
    """A table of image, caption, score, captions (best first) and error; bytes.

    Scores are always there: a column that nobody reads costs nothing.
    """
    pyarrow, parquet = require_pyarrow("lib"), require_pyarrow("parquet")
    rows = [_row(picture, result) for picture, result in results]
    schema = pyarrow.schema(
        [
            ("image", pyarrow.string()),
            ("caption", pyarrow.string()),
            ("score", pyarrow.float32()),
            ("captions", pyarrow.list_(pyarrow.string())),
            ("error", pyarrow.string()),
        ]
    )
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file)
    return file.getvalue()


def _row(picture, result):
    # Parquet's texts are UTF-8: a byte that is not is spelled as JSON spells it, "\\udcff".
    row = {"image": picture.encode("utf-8", "backslashreplace").decode()}
    if isinstance(result, ImageError):
        return {**row, "error": str(result)}
    texts = [each.text for each in result]
    return {**row, "caption": texts[0], "score": result[0].score, "captions": texts}


FORMATS = {"jsonl": _as_json_lines, "parquet": _as_parquet}
