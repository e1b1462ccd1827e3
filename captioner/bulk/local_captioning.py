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
from captioner.errors import CaptionerError, require, require_downloaded
from captioner.finding import find_images
from captioner.images import ImageError, describe
from captioner.models import ModelChoice, opened
from captioner.output.attention_maps import AttentionMaps
from captioner.output.sidecars import (
    ENDING,
    SidecarError,
    has_sidecar,
    pictures_to_do,
    sidecar_ending,
    sidecar_of,
    write_sidecar,
)
from captioner.output.writers import WRITERS
from captioner.text_files import replacing_text, require_free


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
        caption_extension: str. The ending of these files, with or without its dot. Defaults to
            `".txt"`.
        write_metadata: bool. Whether to write the caption into the picture's XMP and IPTC
            description too; an existing description is not replaced. Defaults to `False`.
        overwrite: bool. Whether to replace an existing output file, caption files and descriptions.
            Defaults to `False`.
        attention_maps: str or None. A folder for pictures of where each word looked. Defaults to
            `None`.
        min_score: float or None. Of a picture nothing is written whose best caption has a lower
            `Caption.confidence`, 0 to 1. Defaults to `None`, all are written.
        prefix, suffix: str. Texts before and after every caption, wherever it is written, joined to
            it as they are. Defaults to `""`.
        batch_size: int. Pictures captioned at a time. Defaults to `32`.
        search: dict. Settings of the search, see `Generation.generate`. Defaults to `{}`.
        null: bool. Whether the names on standard input and in `.txt` manifests end in zero bytes.
            Defaults to `False`.

    Raises:
        CaptionerError: A value makes no sense, or a package is missing.
    """

    format: str = "text"
    scores: bool = False
    resume: bool = False
    sidecar: bool = False
    write_metadata: bool = False
    overwrite: bool = False
    caption_extension: str = ENDING
    attention_maps: str | None = None
    min_score: float | None = None
    prefix: str = ""
    suffix: str = ""
    batch_size: int = 32
    search: dict = field(default_factory=dict)
    null: bool = False

    def __post_init__(self):
        require(
            self.format in WRITERS,
            f"--format {self.format}: is for --engine ray; choose {', '.join(sorted(WRITERS))}",
        )
        ending = sidecar_ending(self.caption_extension)
        object.__setattr__(self, "caption_extension", ending)
        require(
            self.sidecar or ending == ENDING,
            f"--caption-extension {ending}: is for --sidecar, which is not given",
        )
        require(
            self.min_score is None or 0 <= self.min_score <= 1,
            f"--min-score {self.min_score}: must be from 0 to 1",
        )
        for name in ("prefix", "suffix"):
            text = getattr(self, name)
            require(text.isprintable(), f"--{name} {text!r}: must be text in one line")
        if self.write_metadata:
            from captioner.output.picture_metadata import require_exiv2

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
        CaptionerError: Nothing can be captioned: there are no pictures; the output cannot be
            written, exists, or has an unfinished run and no `resume`, or one with other settings;
            or the model cannot say how sure it is, for `min_score`.

    Example:
    >>> model = captioner.load("everyday")
    >>> caption_files(model, ["data/samples"], "captions.csv", CaptionOptions("csv", scores=True))
    Outcome(pictures=8, has_problems=False, missing=0, was_complete=False, below_min_score=0)
    """
    options, listener = options or CaptionOptions(), listener or Listener()
    is_file = not hasattr(output, "write")
    require(
        not options.overwrite or is_file or options.sidecar or options.write_metadata,
        "--overwrite: is for --output, --sidecar and --write-metadata; give one",
    )
    if is_file:
        _require_writable(output, options)
    pictures, problems = _find(paths, manifests, options.null)
    _report(problems, listener)
    require(pictures, "no pictures to caption")
    if is_file:
        _require_apart(output, pictures, options)
    if options.sidecar:
        existing = _existing_sidecars(options, is_file)
        pictures, refused = pictures_to_do(pictures, existing, options.caption_extension)
        _report(refused, listener)
        problems += refused
    if not pictures:
        return Outcome(0, bool(problems))
    caption = _caption_to_file if is_file else _caption_to_stream
    return caption(model, pictures, problems, output, options, listener)


def _require_writable(output, options):
    require(
        not os.path.exists(output) or os.path.isfile(output),
        f"--output {output}: is not a regular file; give another",
    )
    if not (options.resume or is_unfinished(output)):
        require_free(output, options.overwrite)


def _require_apart(output, pictures, options):
    """Raises CaptionerError for an output that is a picture, or the caption file of one."""
    place = os.path.realpath(output)
    if os.path.exists(output):
        require(
            place not in map(os.path.realpath, pictures),
            f"--output {output}: is one of the pictures; give another",
        )
    beside = (sidecar_of(each, options.caption_extension) for each in pictures)
    require(
        not options.sidecar or place not in map(os.path.realpath, beside),
        f"--output {output}: is a caption file that --sidecar writes; give another",
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
    require_downloaded(name)
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
    captioner = _opened(model, options)
    listener.start(0, len(pictures))
    output = _Output(file, options)
    failed = _write_each(_captioned(captioner, pictures, options), output.write, listener)
    output.close([*problems, *failed])
    return Outcome(len(pictures), bool(problems or failed), below_min_score=output.left_out)


def _caption_to_file(model, pictures, problems, output, options, listener):
    """Captions each picture once, into the journal, and writes the output when all is done."""
    pictures = list(dict.fromkeys(pictures))
    if options.resume and os.path.exists(output) and not is_unfinished(output):
        return Outcome(len(pictures), bool(problems), was_complete=True)
    captioner = _opened(model, options)
    journal = Journal(output, _what_captions_depend_on(model, options), options.resume)
    with contextlib.closing(journal):
        todo = [picture for picture in pictures if picture not in journal]
        listener.start(len(pictures) - len(todo), len(pictures))
        failed = _write_each(_captioned(captioner, todo, options), journal.add, listener)
        with replacing_text(output, encoding="utf-8", errors="surrogateescape", newline="") as file:
            written = _Output(file, options)
            for picture in pictures:
                if picture in journal:
                    written.write(picture, journal.captions(picture))
            written.close([*problems, *failed])
        journal.remove()
    has_problems = bool(problems or failed)
    return Outcome(len(pictures), has_problems, below_min_score=written.left_out)


def _opened(model, options):
    """The captioner, which can say how sure it is if that matters."""
    captioner = opened(model)
    if options.min_score is None or captioner.confidence is not None:
        return captioner
    given = f"--min-score {options.min_score}"
    is_choice = isinstance(model, ModelChoice)
    require(
        not is_choice or (len(model.names) == 1 and not model.rerank),
        f"{given}: models that are averaged or re-ranked cannot say how sure they are of a "
        "caption; give one --model",
    )
    raise CaptionerError(
        f"{given}: the model cannot say how sure it is of a caption; teach it with: python -m "
        f"captioner calibrate --model {model.names[0] if is_choice else 'MODEL'} --data DATA"
    )


class _Output:
    """A writer of captions, and how many pictures had none that is good enough.

    Args:
        file: text file, open for writing.
        options: CaptionOptions.
    """

    def __init__(self, file, options):
        self._writer = WRITERS[options.format](file, with_scores=options.scores)
        self.left_out = 0

    def write(self, picture, captions):
        if captions:
            self._writer.write(picture, captions)
        else:
            self.left_out += 1

    def close(self, failures):
        self._writer.close(failures)


def _what_captions_depend_on(model, options):
    names = ("sidecar", "write_metadata", "attention_maps")
    # Journals of earlier versions lack these, so they are noted only where they are given.
    newer = ("caption_extension", "min_score", "prefix", "suffix")
    given = {name: getattr(options, name) for name in newer}
    return {
        **(model.identity() if isinstance(model, ModelChoice) else {}),
        **{name: getattr(options, name) for name in names},
        **{name: each for name, each in given.items() if each != getattr(CaptionOptions, name)},
        **options.search,
        **({"with_attention": True} if _wants_attention(options) else {}),
    }


def _wants_attention(options):
    """Whether where each word looked is shown: on the page, or in pictures."""
    return options.format == "html" or options.attention_maps is not None


class _Captioned(NamedTuple):
    """A picture with its captions, and what failed, a line each.

    Attributes:
        picture: str.
        captions: list of `Caption`, best first, as they are written; empty if none is good enough;
            or None if the picture failed.
        problems: list of str.
    """

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
            captions = _to_write(result, options)
            if maps and captions:
                maps.write(picture, captions[0])
        except ImageError as problem:
            yield _Captioned(picture, None, [str(problem)])
        else:
            problems = _write_beside_and_into(picture, captions, options) if captions else []
            yield _Captioned(picture, captions, problems)


def _to_write(captions, options):
    """The captions with the texts around them; none if the best is not good enough."""
    if options.min_score is not None and (captions[0].confidence or 0) < options.min_score:
        return []
    before, after = options.prefix, options.suffix
    return [each._replace(text=f"{before}{each.text}{after}") for each in captions]


def _write_beside_and_into(picture, captions, options):
    """Writes the caption into the picture and beside it where wanted; returns what failed."""
    problems = _write_into(picture, captions, options) if options.write_metadata else []
    try:
        ending = options.caption_extension
        if options.sidecar and (options.overwrite or not has_sidecar(picture, ending)):
            write_sidecar(picture, captions, ending)
    except SidecarError as problem:
        problems.append(str(problem))
    return problems


def _write_into(picture, captions, options):
    """Writes the caption into the picture; returns what failed, a list of one line or none."""
    from captioner.output.picture_metadata import MetadataError, write_description

    try:
        write_description(picture, captions[0].text, options.overwrite)
    except MetadataError as problem:
        return [str(problem)]
    return []


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
