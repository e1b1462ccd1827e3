"""Write the alternative texts that are missing in web pages and Markdown files.

  python -m captioner alt page.html
  python -m captioner alt docs/*.md --template 'Photo: {caption}.'
  python -m captioner alt page.html --output with-alt.html

The command looks for pictures beside the page. Existing texts, even empty ones, stay as they are,
and so does everything else in the file. Exit status: 0 no text is missing any more, 1 some still
are (one line each on standard error), 2 wrong usage.
"""

import os
import sys
from string import Formatter

from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.errors import CaptionerError, require
from captioner.images import ImageError, describe
from captioner.output.alt_text import fill, find_gaps, local_path
from captioner.text_files import replacing_text

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")


def add_arguments(parser):
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="HTML or Markdown (.md) file")
    add_model_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="write to this file instead of the page")
    parser.add_argument(
        "--template",
        default="{caption}",
        metavar="TEXT",
        help="the text, with {caption} in it (default: {caption})",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print each picture and its text, and write nothing"
    )
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")
    add_search_arguments(parser)


def run(options):
    settings = search_settings(options)
    _check(options)
    pages = {page: _read(page) for page in dict.fromkeys(options.pages)}
    gaps = {page: find_gaps(text, page.lower().endswith(MARKDOWN)) for page, text in pages.items()}
    if not any(gaps.values()):
        print("no alternative text is missing", file=sys.stderr)
        if options.output:
            for page, text in pages.items():
                _write(page, text, [], {}, options)
        return 0
    files, missing = _files_of(gaps)
    captions = {}
    if files:
        model = chosen_model(options).open()
        paths = list(dict.fromkeys(files.values()))
        for _, path, result in model.generate_all(paths, options.batch_size, **settings):
            if isinstance(result, ImageError):
                missing.append(str(result))
            else:
                captions[path] = options.template.format(caption=result[0].text)
    for line in missing:
        print(f"captioner: {line}", file=sys.stderr)
    for page, text in pages.items():
        texts = {
            source: captions[path]
            for (owner, source), path in files.items()
            if owner == page and path in captions
        }
        _write(page, text, gaps[page], texts, options)
    return 1 if missing else 0


def _check(options):
    try:
        parts = [part[1:] for part in Formatter().parse(options.template) if part[1] is not None]
    except ValueError:
        parts = []
    require(
        parts and all(part == ("caption", "", None) for part in parts),
        f"--template {options.template!r}: must have {{caption}} in it, and no other braces",
    )
    require(
        not options.output or len(options.pages) == 1,
        f"--output {options.output}: is for one page; {len(options.pages)} were given",
    )


def _read(page):
    try:
        # Whatever the encoding: other bytes are written as they were.
        with open(page, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError as error:
        raise CaptionerError(f"{page}: cannot be read ({error.strerror})") from error


def _files_of(gaps):
    """The picture file of each (page, source), and a line for each that is no file here."""
    files, missing = {}, []
    for page, found in gaps.items():
        for gap in found:
            path = local_path(gap.source)
            if path is None:
                missing.append(f"{page}: {describe(gap.source[:80])}: is no file beside the page")
            else:
                files[page, gap.source] = os.path.join(os.path.dirname(page), path)
    return files, missing


def _write(page, text, gaps, texts, options):
    if options.dry_run:
        for source, caption in texts.items():
            print(f"{page}\t{describe(source)}\t{caption}")
        return
    path = options.output or page
    filled_text = fill(text, gaps, texts)
    if options.output or filled_text != text:
        with replacing_text(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(filled_text)
    filled = sum(gap.source in texts for gap in gaps)
    print(f"{path}: {filled} of {len(gaps)} missing texts written", file=sys.stderr)
