"""Write captions for pictures: files, folders (with all below them) and globs.

  python caption.py photo.jpg
  python caption.py photos/ --format csv --output captions.csv
  find . -name '*.jpg' | python caption.py -
  python caption.py archive/ --output captions.jsonl --format jsonl --resume
  python caption.py s3://bucket/photos/ --engine ray --output s3://bucket/captions --format parquet

One line per picture on standard output, path<TAB>caption; progress and errors on standard error.
Exit status: 0 all captioned, 1 some pictures failed, 2 wrong usage. With --output, a run that was
stopped or killed leaves FILE.part, and --resume continues from there. With --engine ray the output
is a folder of files, written by all cores of this machine or a cluster.
"""

import contextlib
import os
import sys

from tqdm import tqdm

from captioner.bulk.journal import Journal, is_unfinished
from captioner.bulk.object_stores import ObjectStores, is_uri
from captioner.bulk.picture_lists import read_manifest
from captioner.cli.messages import complain, say
from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.errors import CaptionerError, require
from captioner.images import ImageError, describe, find_images
from captioner.output.attention_maps import AttentionMaps
from captioner.output.picture_metadata import MetadataError, require_exiv2, write_description
from captioner.output.sidecars import SidecarError, has_sidecar, sidecar_of, write_sidecar
from captioner.output.writers import WRITERS, open_output
from captioner.presets import DEFAULT_PRESET


def add_arguments(parser):
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="picture, folder or glob; - reads paths from stdin; with --engine ray also a URI of "
        "an object store (s3, gs, abfs, hdfs)",
    )
    parser.add_argument(
        "--manifest",
        action="append",
        default=[],
        metavar="FILE",
        help="file that lists pictures: .txt, one path per line; .csv, .jsonl or .parquet with "
        "image or path; may be given more than once",
    )
    add_model_arguments(
        parser,
        f"captioner (default: {DEFAULT_PRESET}); given more than once: their average at every word",
    )
    parser.add_argument(
        "--format",
        choices=sorted([*WRITERS, "parquet"]),
        help="output format (default: text); with --engine ray jsonl (its default) or parquet",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write here instead of to standard output; with --engine ray, a folder or its URI",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the --output of a run that was stopped; with --sidecar, skip pictures that "
        "have a caption file",
    )
    parser.add_argument(
        "--sidecar",
        action="store_true",
        help="also write the captions of photo.jpg into photo.txt beside it; an existing file is "
        "not replaced",
    )
    parser.add_argument(
        "--write-metadata",
        action="store_true",
        help="also write the caption into the picture, as its XMP and IPTC description; the pixels "
        "and an existing description stay as they are",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace existing caption files and descriptions",
    )
    parser.add_argument(
        "--attention-maps",
        metavar="FOLDER",
        help="for each picture, write into this folder an image of where each word looked",
    )
    parser.add_argument("--scores", action="store_true", help="add each caption's score")
    parser.add_argument(
        "--batch-size", type=int, default=32, metavar="N", help="pictures at a time (default: 32)"
    )
    _add_ray_arguments(parser)
    add_search_arguments(parser)


def _add_ray_arguments(parser):
    group = parser.add_argument_group("many processes", "on this machine or a cluster, with Ray")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what runs the captioning: local, this process (default), or ray: processes on this "
        "machine, or on the cluster of RAY_ADDRESS",
    )
    group.add_argument(
        "--actors", type=int, metavar="N", help="ray: processes (default: one for each core)"
    )
    group.add_argument(
        "--actor-gpus",
        type=float,
        default=0,
        metavar="F",
        help="ray: GPUs per process, 0.5 if two share one (default: 0)",
    )
    group.add_argument(
        "--part-size",
        type=int,
        metavar="N",
        help="ray: pictures per file of captions (default: 1000, fewer if there are few pictures)",
    )


def run(options):
    require(options.paths or options.manifest, "no pictures named; give PATH, or --manifest FILE")
    if options.engine == "ray":
        from captioner.cli import ray_engine

        return ray_engine.run(options)
    _require_local(options)
    settings = search_settings(options)
    _require_resumable(options)
    paths, problems = _find(options)
    for problem in problems:
        complain(problem)
    if not paths:
        raise CaptionerError("no pictures to caption")
    if options.sidecar:
        paths, refused = _with_free_sidecars(paths, options)
        problems += refused
    if not paths:
        return 1 if problems else 0
    model = chosen_model(options).open()
    caption = _caption_to_file if options.output else _caption_to_stdout
    return 1 if caption(model, paths, settings, options, problems) else 0


def _require_local(options):
    for name in ("actors", "actor_gpus", "part_size"):
        require(not getattr(options, name), f"--{name.replace('_', '-')}: is for --engine ray")
    options.format = options.format or "text"
    require(options.format in WRITERS, f"--format {options.format}: is for --engine ray")


def _find(options):
    """The pictures, and one line for each argument that gave none."""
    paths, problems = find_images(options.paths)
    for manifest in options.manifest:
        paths += read_manifest(manifest, ObjectStores())
    for path in (*options.paths, *options.manifest, *paths):
        require(not is_uri(path), f"{describe(path)}: URIs are for --engine ray")
    return paths, problems


def _require_resumable(options):
    if options.resume and not (options.output or options.sidecar):
        raise CaptionerError("--resume: goes on with a file; give --output or --sidecar")
    if options.overwrite and not (options.sidecar or options.write_metadata):
        raise CaptionerError("--overwrite: is for --sidecar and --write-metadata; give one")
    if options.write_metadata:
        require_exiv2()
    if options.output and os.path.exists(options.output) and not os.path.isfile(options.output):
        raise CaptionerError(f"--output {options.output}: is no regular file; give another")


def _caption_to_stdout(model, paths, settings, options, problems):
    with open_output(None) as file:
        writer = WRITERS[options.format](file, with_scores=options.scores)
        problems += _caption(model, paths, settings, options, writer.write)
        writer.close(problems)
    return problems


def _caption_to_file(model, paths, settings, options, problems):
    """Captions each picture once, into the journal, and writes the output when all is done."""
    if options.resume and os.path.exists(options.output) and not is_unfinished(options.output):
        say(f"{options.output}: is complete; without --resume it is written anew")
        return problems
    paths = list(dict.fromkeys(paths))
    journal = Journal(options.output, _what_captions_depend_on(options, settings), options.resume)
    with contextlib.closing(journal):
        todo = [path for path in paths if path not in journal]
        if len(todo) < len(paths):
            say(f"going on after {len(paths) - len(todo)} of {len(paths)} pictures")
        problems += _caption(model, todo, settings, options, journal.add)
        with open_output(options.output) as file:
            writer = WRITERS[options.format](file, with_scores=options.scores)
            for path in paths:
                if path in journal:
                    writer.write(path, journal.captions(path))
            writer.close(problems)
        journal.remove()
    return problems


def _what_captions_depend_on(options, settings):
    names = ("sidecar", "write_metadata", "attention_maps")
    return {
        **chosen_model(options).identity(),
        **{name: getattr(options, name) for name in names},
        **settings,
    }


def _caption(model, paths, settings, options, write):
    """Captions pictures, and gives `write` each path with its captions; returns what failed."""
    problems = []
    wants_attention = options.format == "html" or bool(options.attention_maps)
    search = {**settings, "with_attention": wants_attention}
    maps = AttentionMaps(options.attention_maps) if options.attention_maps else None
    quiet = len(paths) == 1 or not sys.stderr.isatty()
    with tqdm(total=len(paths), unit="picture", disable=quiet, leave=False) as bar:
        for _, path, result in model.generate_all(paths, options.batch_size, **search):
            try:
                if isinstance(result, ImageError):
                    raise result
                captions = result[: settings.get("n_best", 1)]
                if maps:
                    maps.write(path, captions[0])
                # What says that a picture is done comes last: a killed run does the rest again.
                problems += _leave_beside(path, captions, options)
                write(path, captions)
            except ImageError as problem:
                complain(problem)
                problems.append(str(problem))
            bar.update()
    return problems


def _leave_beside(path, captions, options):
    """Writes the caption into the picture and beside it, as asked; returns what failed."""
    problems = []
    try:
        if options.write_metadata:
            write_description(path, captions[0].text, options.overwrite)
    except MetadataError as problem:
        problems.append(str(problem))
    try:
        if options.sidecar and (options.overwrite or not has_sidecar(path)):
            write_sidecar(path, captions)
    except SidecarError as problem:
        problems.append(str(problem))
    for problem in problems:
        complain(problem)
    return problems


def _with_free_sidecars(paths, options):
    """The pictures to caption where captions go beside them, and why others are refused.

    A caption file that is there may be people's work, and is left alone. With --resume it is taken
    for what the run before wrote, and its picture is done, unless --output wants it too.
    """
    todo, refused, owners = [], [], {}
    for path in dict.fromkeys(paths):
        owner = owners.setdefault(sidecar_of(path), path)
        problem = None
        if owner != path:
            problem = f"is of {describe(owner)}, which has the same name"
        elif not options.overwrite and has_sidecar(path):
            if options.resume and not options.output:
                continue
            if not options.resume:
                problem = "exists already; --overwrite replaces it, --resume passes over it"
        if problem:
            refused.append(f"{describe(path)}: {describe(sidecar_of(path))} {problem}")
            complain(refused[-1])
        else:
            todo.append(path)
    return todo, refused
