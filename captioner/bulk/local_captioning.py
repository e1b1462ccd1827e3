"""Captions by this process: into a file, as text, beside pictures and in their metadata.

A file is written from a journal (`captioner.bulk.journal`), so that a run that was killed can be
continued.
"""

import contextlib
import os
from dataclasses import dataclass, field
from typing import NamedTuple

from captioner.bulk.journal import Journal, is_unfinished
from captioner.bulk.object_stores import ObjectStores, local_path
from captioner.bulk.picture_lists import read_manifest
from captioner.bulk.progress import Listener, Outcome
from captioner.errors import require
from captioner.finding import find_images
from captioner.images import ImageError, describe
from captioner.models import ModelChoice, opened
from captioner.output.attention_maps import AttentionMaps
from captioner.output.picture_metadata import MetadataError, require_exiv2, write_description
from captioner.output.sidecars import SidecarError, has_sidecar, pictures_to_do, write_sidecar
from captioner.output.writers import WRITERS
from captioner.text_files import replacing_text


@dataclass(frozen=True)
class CaptionOptions:
    """How `caption_files` captions, and what it writes.

    Attributes:
        format: str. One of `captioner.output.writers.WRITERS`. Defaults to `"text"`.
        scores: bool. Whether to add each caption's score. Defaults to `False`.
        resume: bool. Whether to continue an output file that a run before has begun; with
            `sidecar` and no output file, whether to skip pictures that have a caption file.
            Defaults to `False`.
        sidecar: bool. Whether to write the captions of photo.jpg into photo.txt too; an existing
            file is not replaced. Defaults to `False`.
        write_metadata: bool. Whether to write the caption into the picture's XMP and IPTC
            description too; an existing description is not replaced. Defaults to `False`.
        overwrite: bool. Whether to replace existing caption files and descriptions. Defaults to
            `False`.
        null: bool. Whether the names on standard input and in `.txt` manifests end in zero bytes.
            Defaults to `False`.
        attention_maps: str or None. A folder for pictures of where each word looked. Defaults to
            `None`.
        batch_size: int. Pictures captioned at a time. Defaults to `32`.
        search: dict. Settings of the search, see `Generation.generate`. Defaults to `{}`.

    Raises:
        CaptionerError: A value makes no sense, or a package is missing.
    """

    format: str = "text"
    scores: bool = False
    resume: bool = False
    sidecar: bool = False
    write_metadata: bool = False
    overwrite: bool = False
    null: bool = False
    attention_maps: str | None = None
    batch_size: int = 32
    search: dict = field(default_factory=dict)

    def __post_init__(self):
        require(
            self.format in WRITERS,
            f"--format {self.format}: is for --engine ray; choose {', '.join(sorted(WRITERS))}",
        )
        require(
            not self.overwrite or self.sidecar or self.write_metadata,
            "--overwrite: is for --sidecar and --write-metadata; give one",
        )
        if self.write_metadata:
            require_exiv2()


def caption_files(model, paths, output, options=None, manifests=(), listener=None):
    """Captions pictures, each costing no more than a line if it cannot be read.

    Args:
        model: captioner; or ModelChoice, which is opened once there is a picture to caption, and
            which a run that continues is checked against.
        paths: list of str. Pictures, folders and globs, as `find_images` takes them.
        output: str, a file that takes its name when all pictures are done, with each picture once;
            or a text file that is open for writing.
        options: CaptionOptions. Defaults to `CaptionOptions()`.
        manifests: list of str. Files that name pictures, see `read_manifest`. Defaults to `()`.
        listener: Listener. Defaults to one that ignores everything.

    Returns:
        Outcome.

    Raises:
        CaptionerError: Nothing can be captioned: there are no pictures, the output cannot be
            written, or has an unfinished run and no `resume`, or one with other settings.

    Example:
    >>> model = captioner.load("everyday")
    >>> caption_files(model, ["data/samples"], "captions.csv", CaptionOptions("csv", scores=True))
    Outcome(pictures=8, has_problems=False, missing=0, was_complete=False)
    """
    options, listener = options or CaptionOptions(), listener or Listener()
    is_file = not hasattr(output, "write")
    if is_file:
        _require_writable(output)
    pictures, problems = _find(paths, manifests, options.null)
    _report(problems, listener)
    require(pictures, "no pictures to caption")
    if options.sidecar:
        pictures, refused = pictures_to_do(pictures, _existing_sidecars(options, is_file))
        _report(refused, listener)
        problems += refused
    if not pictures:
        return Outcome(0, bool(problems))
    caption = _caption_to_file if is_file else _caption_to_stream
    return caption(model, pictures, problems, output, options, listener)


def _require_writable(output):
    require(
        not os.path.exists(output) or os.path.isfile(output),
        f"--output {output}: is not a regular file; give another",
    )


def _find(paths, manifests, null):
    """The pictures, and one line for each argument that gave none."""
    for name in (*paths, *manifests):
        _local(name)
    pictures, problems = find_images(paths, null)
    for manifest in manifests:
        pictures += map(_local, read_manifest(manifest, ObjectStores(), null))
    return pictures, problems


def _local(name):
    path = local_path(name)
    require(path is not None, f"{describe(name)}: URIs are for --engine ray")
    return path


def _existing_sidecars(options, is_file):
    """What to do with pictures that have a caption file, see `pictures_to_do`."""
    if options.overwrite:
        return "replace"
    if options.resume:
        return "keep" if is_file else "skip"  # the output file wants such pictures too
    return "refuse"


def _caption_to_stream(model, pictures, problems, file, options, listener):
    captioner = opened(model)
    listener.start(0, len(pictures))
    writer = WRITERS[options.format](file, with_scores=options.scores)
    failed = _write_each(_captioned(captioner, pictures, options), writer.write, listener)
    writer.close([*problems, *failed])
    return Outcome(len(pictures), bool(problems or failed))


def _caption_to_file(model, pictures, problems, output, options, listener):
    """Captions each picture once, into the journal, and writes the output when all is done."""
    pictures = list(dict.fromkeys(pictures))
    if options.resume and os.path.exists(output) and not is_unfinished(output):
        return Outcome(len(pictures), bool(problems), was_complete=True)
    captioner = opened(model)
    journal = Journal(output, _what_captions_depend_on(model, options), options.resume)
    with contextlib.closing(journal):
        todo = [picture for picture in pictures if picture not in journal]
        listener.start(len(pictures) - len(todo), len(pictures))
        failed = _write_each(_captioned(captioner, todo, options), journal.add, listener)
        with replacing_text(output, encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = WRITERS[options.format](file, with_scores=options.scores)
            for picture in pictures:
                if picture in journal:
                    writer.write(picture, journal.captions(picture))
            writer.close([*problems, *failed])
        journal.remove()
    return Outcome(len(pictures), bool(problems or failed))


def _what_captions_depend_on(model, options):
    names = ("sidecar", "write_metadata", "attention_maps")
    return {
        **(model.identity() if isinstance(model, ModelChoice) else {}),
        **{name: getattr(options, name) for name in names},
        **options.search,
        **({"with_attention": True} if _wants_attention(options) else {}),
    }


def _wants_attention(options):
    """Whether where each word looked is shown: on the page, or in pictures."""
    return options.format == "html" or options.attention_maps is not None


class _Captioned(NamedTuple):
    """A picture with its captions, best first, or None; and what failed, a line each."""

    picture: str
    captions: list | None
    problems: list


def _captioned(captioner, pictures, options):
    """Captions pictures, and writes beside and into them; yields a `_Captioned` for each."""
    maps = None if options.attention_maps is None else AttentionMaps(options.attention_maps)
    search = {**options.search, "with_attention": _wants_attention(options)}
    for _, picture, result in captioner.generate_all(pictures, options.batch_size, **search):
        try:
            if isinstance(result, ImageError):
                raise result
            if maps:
                maps.write(picture, result[0])
        except ImageError as problem:
            yield _Captioned(picture, None, [str(problem)])
        else:
            yield _Captioned(picture, result, _write_beside_and_into(picture, result, options))


def _write_beside_and_into(picture, captions, options):
    """Writes the caption into the picture and beside it where wanted; returns what failed."""
    problems = []
    try:
        if options.write_metadata:
            write_description(picture, captions[0].text, options.overwrite)
    except MetadataError as problem:
        problems.append(str(problem))
    try:
        if options.sidecar and (options.overwrite or not has_sidecar(picture)):
            write_sidecar(picture, captions)
    except SidecarError as problem:
        problems.append(str(problem))
    return problems


def _write_each(results, write, listener):
    """Gives `write` each picture with its captions; returns what failed.

    The journal's entry is written last of all, so a killed run repeats the picture.
    """
    failed = []
    for picture, captions, problems in results:
        _report(problems, listener)
        failed += problems
        if captions is not None:
            write(picture, captions)
        listener.advance(1)
    return failed


def _report(problems, listener):
    for problem in problems:
        listener.problem(problem)
