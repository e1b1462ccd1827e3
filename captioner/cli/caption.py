"""Write captions for pictures: files, folders (with all below them) and globs.

  python caption.py photo.jpg
  python caption.py photos/ --format csv --output captions.csv
  find . -name '*.jpg' -print0 | python caption.py --null -
  python caption.py archive/ --output captions.jsonl --format jsonl --resume
  python caption.py s3://bucket/photos/ --engine ray --output s3://bucket/captions --format parquet

One line per picture on standard output, path<TAB>caption; progress and errors on standard error.
Exit status: 0 all captioned; 1 some pictures failed, or have a caption file that --sidecar does not
replace; 2 wrong usage. With --output, a run that was stopped or killed leaves FILE.part, and
--resume continues from there. With --engine ray the output is a folder of files, written by all
cores of this machine or a cluster.
"""

import contextlib
import os

from captioner.bulk.local_captioning import CaptionOptions, caption_files
from captioner.bulk.part_formats import FORMATS as PART_FORMATS
from captioner.cli.common_arguments import add_batch_size_argument, add_quiet_argument
from captioner.cli.messages import Progress, complain, standard_output
from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.errors import flag, require
from captioner.output.sidecars import ENDING
from captioner.output.writers import WRITERS
from captioner.presets import DEFAULT_PRESET

SHARED = ("scores", "resume", "batch_size", "null")  # flags of both engines
ONLY_LOCAL = (
    "sidecar", "caption_extension", "write_metadata", "overwrite", "attention_maps", "min_score",
    "prefix", "suffix",
)  # fmt: skip
ONLY_RAY = ("actors", "actor_gpus", "part_size")


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
    parser.add_argument(
        "-0",
        "--null",
        action="store_true",
        help="the paths on stdin, and in .txt manifests, end in zero bytes, as find -print0 writes "
        "them",
    )
    add_model_arguments(
        parser,
        f"captioner (default: {DEFAULT_PRESET}); given more than once: their average at every word",
    )
    add_batch_size_argument(parser)
    add_quiet_argument(parser)
    _add_output_arguments(parser)
    _add_arguments_beside_pictures(parser)
    _add_ray_arguments(parser)
    add_search_arguments(parser)


def _add_output_arguments(parser):
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format",
        choices=sorted({*WRITERS, *PART_FORMATS}),
        help="output format (default: text); with --engine ray jsonl (its default) or parquet",
    )
    group.add_argument(
        "--output",
        type=_file_or_standard_output,
        metavar="FILE",
        help="write here instead of to standard output (-); with --engine ray, a folder or its URI",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue the --output of a run that was stopped; with --sidecar alone, skip "
        "pictures that have a caption file",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an existing --output, caption files and descriptions",
    )
    group.add_argument(
        "--scores", action="store_true", help="add each caption's score and confidence"
    )
    group.add_argument(
        "--min-score",
        type=float,
        metavar="SHARE",
        help="write nothing for a picture whose best caption is less likely to be right than this, "
        "0 to 1 (default: none, all are written)",
    )
    group.add_argument(
        "--prefix", metavar="TEXT", help="text before every caption written (default: none)"
    )
    group.add_argument(
        "--suffix", metavar="TEXT", help="text after every caption written (default: none)"
    )


def _file_or_standard_output(text):
    """`-` is standard output, as for most programs."""
    return None if text == "-" else text


def _add_arguments_beside_pictures(parser):
    group = parser.add_argument_group("beside and in the pictures")
    group.add_argument(
        "--sidecar",
        action="store_true",
        help="also write the captions of photo.jpg into photo.txt beside it; an existing file is "
        "not replaced",
    )
    group.add_argument(
        "--caption-extension",
        metavar="ENDING",
        help=f"ending of the files of --sidecar, such as .caption (default: {ENDING})",
    )
    group.add_argument(
        "--write-metadata",
        action="store_true",
        help="also write the caption into the picture, as its XMP and IPTC description; the pixels "
        "and an existing description stay as they are",
    )
    group.add_argument(
        "--attention-maps",
        metavar="FOLDER",
        help="for each picture, write into this folder an image of where each word looked",
    )


def _add_ray_arguments(parser):
    group = parser.add_argument_group("many processes", "on this machine or a cluster, with Ray")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what runs the captioning: local, this process, or ray: processes on this machine, or "
        "on the cluster of RAY_ADDRESS (default: local)",
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
    caption = _caption_with_ray if options.engine == "ray" else _caption_here
    with Progress(options.quiet) as progress:
        outcome = caption(options, progress)
    if outcome.below_min_score:
        progress.note(
            f"{outcome.below_min_score} of {outcome.pictures} captions were below --min-score "
            f"{options.min_score:g} and not written"
        )
    if outcome.missing:
        complain(
            f"{outcome.missing} of {outcome.pictures} pictures are not done; continue with --resume"
        )
    return 0 if outcome.all_captioned else 1


def _caption_here(options, progress):
    _refuse(options, ONLY_RAY, "ray")
    require(
        not options.resume or options.output or options.sidecar,
        "--resume: continues a file; give --output or --sidecar",
    )
    given = {name: getattr(options, name) for name in SHARED + ONLY_LOCAL}
    chosen = CaptionOptions(
        format=options.format or "text",
        search=search_settings(options),
        **{name: value for name, value in given.items() if value is not None},
    )
    writes_elsewhere = options.sidecar or options.write_metadata or options.attention_maps
    to_screen = standard_output(may_be_closed=writes_elsewhere)
    sink = contextlib.nullcontext(options.output) if options.output else to_screen
    with sink as output:
        outcome = caption_files(
            chosen_model(options), options.paths, output, chosen, options.manifest, progress
        )
    if outcome.was_complete:
        progress.note(f"{options.output}: is complete; --overwrite without --resume replaces it")
    return outcome


def _caption_with_ray(options, progress):
    from captioner.bulk.ray_captioning import RayOptions, caption_with_ray

    _refuse(options, (*ONLY_LOCAL, "threads", "device"), "local")
    require(options.output, "--engine ray: needs --output, a folder for the captions")
    chosen = RayOptions(
        format=options.format or "jsonl",
        search=search_settings(options),
        **{name: getattr(options, name) for name in SHARED + ONLY_RAY},
    )
    # Ray prints messages of its own there, even when its processes end normally.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        outcome = caption_with_ray(
            chosen_model(options), options.paths, options.output, chosen, options.manifest, progress
        )
    if outcome.was_complete:
        progress.note(f"{options.output}: is complete")
    return outcome


def _refuse(options, names, engine):
    for name in names:
        require(not getattr(options, name), f"{flag(name)}: is for --engine {engine}")
