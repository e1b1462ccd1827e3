"""Write the alternative texts that are missing in web pages and Markdown files.

  python -m captioner alt page.html
  python -m captioner alt docs/*.md --template 'Photo: {caption}.'
  python -m captioner alt page.html --output with-alt.html
  python -m captioner alt site/*/*.html --root site

The command looks for pictures on this machine, beside the page or from --root on. Existing texts,
even empty ones, stay as they are, and so do code and everything else in the file. Exit status: 0 no
text is missing any more, 1 some still are (one line each on standard error), 2 wrong usage.
"""

import os

from captioner.cli.common_arguments import add_batch_size_argument, add_quiet_argument
from captioner.cli.messages import complain, say
from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.errors import require, require_downloaded
from captioner.finding import is_picture
from captioner.images import describe
from captioner.output.alt_text import alternative_texts, read_page, require_template, write_page
from captioner.text_files import require_free


def add_arguments(parser):
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="HTML or Markdown (.md) file")
    add_model_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="write to this file instead of the page")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing file of --output"
    )
    parser.add_argument(
        "--template",
        default="{caption}",
        metavar="TEXT",
        help="the text, with {caption} in it (default: {caption})",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        help="folder of the site, where addresses that begin with / start",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print each picture and its text, and write nothing"
    )
    add_batch_size_argument(parser)
    add_quiet_argument(parser)
    add_search_arguments(parser)


def run(options):
    settings = search_settings(options)
    require_template(options.template)
    require(
        not options.output or len(options.pages) == 1,
        f"--output {options.output}: is for one page; {len(options.pages)} were given",
    )
    for path in options.pages:
        require_downloaded(path)
        require(
            not is_picture(path),
            f"{path}: is a picture, not a page; for its caption: python -m captioner caption "
            f"{path}",
        )
    if options.output and not options.dry_run:
        require_free(options.output, options.overwrite)
    require(
        options.root is None or os.path.isdir(options.root),
        f"--root {options.root}: no such folder",
    )
    pages = [read_page(path, options.root) for path in dict.fromkeys(options.pages)]
    if not any(page.gaps or page.left for page in pages):
        _summarise(f"no alternative text is missing{_computed(pages)}", options)
        if options.output:
            _write(pages[0], {}, options)
        return 0
    texts, missing = alternative_texts(
        chosen_model(options), pages, options.template, options.batch_size, **settings
    )
    for line in missing:
        complain(line)
    for page, found in zip(pages, texts, strict=True):
        _write(page, found, options)
    return 1 if missing else 0


def _write(page, texts, options):
    if options.dry_run:
        for source, text in texts.items():
            print(f"{page.path}\t{describe(source)}\t{text}")
        return
    filled = write_page(page, texts, options.output)
    written = options.output or page.path
    missing = len(page.gaps) + len(page.left)
    line = f"{written}: {filled} of {missing} missing texts written{_computed([page])}"
    _summarise(line, options)


def _summarise(line, options):
    if not options.quiet:
        say(line)


def _computed(pages):
    bound = sum(page.bound for page in pages)
    return f" ({bound} computed by code not checked)" if bound else ""
