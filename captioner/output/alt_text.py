"""Alternative texts: finds the pictures in HTML and Markdown that have none, and adds them.

Everything else in a page stays as it is, byte for byte. An alternative text that is there already
is never changed, not even an empty one: `alt=""` says that a picture is decoration.
"""

import html
import os
import re
from html.parser import HTMLParser
from string import Formatter
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from captioner.errors import CaptionerError, cannot_be, require
from captioner.images import ImageError, describe
from captioner.models import opened
from captioner.text_files import replacing_text

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
# Whatever the encoding of a page: other bytes are written as they were.
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}

_CODE = re.compile(
    r"^[ >\t]*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ >\t]*(?P=fence)[^\n]*$|\Z)"  # a block of code
    r"|^(?: {4}|\t)[^\n]*$"  # an indented one
    r"|(?P<ticks>`+)(?!`)(?:[^`]|(?!(?P=ticks)(?!`))`+)*?(?P=ticks)(?!`)"  # code in a paragraph
    r"|<!--.*?(?:-->|\Z)",
    re.MULTILINE | re.DOTALL,
)
_MARKDOWN_IMAGE = re.compile(
    r"(?<!\\)!\[(?P<alt>\s*)\]\((?:<(?P<quoted>[^<>\n]+)>|(?P<bare>[^\s<>()]+(?:\([^\s()]*\)[^\s()]*)*))"
)


class Gap(NamedTuple):
    """A place where an alternative text is missing.

    Attributes:
        start, end: int. The part of the text to replace.
        source: str. The picture's address, as written.
        kind: `"html"` or `"markdown"`.
    """

    start: int
    end: int
    source: str
    kind: str


class Page(NamedTuple):
    """A file in which alternative texts may be missing.

    Attributes:
        path: str.
        text: str. What it holds.
        gaps: list of Gap, in the order of the text.
    """

    path: str
    text: str
    gaps: list


def read_page(path):
    """Reads a page: Markdown by the ending of its name, else HTML.

    Args:
        path: str.

    Returns:
        Page.

    Raises:
        CaptionerError: It cannot be read.
    """
    try:
        with open(path, **_ENCODING) as file:
            text = file.read()
    except OSError as error:
        raise CaptionerError(cannot_be("read", path, error)) from error
    return Page(path, text, find_gaps(text, path.lower().endswith(MARKDOWN)))


def write_page(page, texts, path=None):
    """Writes a page with texts in its gaps; one that would be the same is left alone.

    Args:
        page: Page.
        texts: dict from a gap's source to str.
        path: str or None. Another file to write, in any case. Defaults to `None`, the page's own.

    Returns:
        int: how many gaps are filled.

    Raises:
        CaptionerError: It cannot be written; what had its name before is still there.
    """
    filled = fill(page.text, page.gaps, texts)
    if path or filled != page.text:
        with replacing_text(path or page.path, **_ENCODING) as file:
            file.write(filled)
    return sum(gap.source in texts for gap in page.gaps)


def alternative_texts(model, pages, template="{caption}", batch_size=32, **search):
    """Captions the pictures beside pages whose alternative texts are missing.

    Args:
        model: captioner; or ModelChoice, which is opened if there is a picture to caption.
        pages: list of Page.
        template: str. The text, with `{caption}` in it. Defaults to `"{caption}"`.
        batch_size, **search: as in `Generation.generate`.

    Returns:
        (list (pages) of dicts from a gap's source to its text, list of str): the texts, and a line
        for each that stays missing.

    Raises:
        CaptionerError: The template has no `{caption}`, or other braces.

    Example:
    >>> pages = [read_page("page.html")]
    >>> [texts], missing = alternative_texts(captioner.load("everyday"), pages)
    >>> write_page(pages[0], texts)
    2
    """
    require_template(template)
    files, missing = _files_beside(pages)
    captions = {}
    if files:
        paths = list(dict.fromkeys(files.values()))
        for _, path, result in opened(model).generate_all(paths, batch_size, **search):
            if isinstance(result, ImageError):
                missing.append(str(result))
            else:
                captions[path] = template.format(caption=result[0].text)
    texts = [
        {
            gap.source: captions[files[page.path, gap.source]]
            for gap in page.gaps
            if files.get((page.path, gap.source)) in captions
        }
        for page in pages
    ]
    return texts, missing


def require_template(template):
    """Raises CaptionerError unless there is `{caption}` in a text, and no other braces."""
    try:
        parts = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError:
        parts = []
    require(
        parts and all(part == ("caption", "", None) for part in parts),
        f"--template {template!r}: must have {{caption}} in it, and no other braces",
    )


def _files_beside(pages):
    """The picture file of each (page, source), and a line for each that is not a file here."""
    files, missing = {}, []
    for page in pages:
        for gap in page.gaps:
            path = local_path(gap.source)
            if path is None:
                shown = describe(gap.source[:80])
                missing.append(f"{page.path}: {shown}: is not a file beside the page")
            else:
                files[page.path, gap.source] = os.path.join(os.path.dirname(page.path), path)
    return files, missing


def find_gaps(text, markdown=False):
    """The pictures of a page without an alternative text.

    Args:
        text: str. HTML; or Markdown, which may contain HTML.
        markdown: bool. Defaults to `False`.

    Returns:
        list of Gap, in the order of the text.

    Example:
    >>> [gap.source for gap in find_gaps('<img src="a.jpg"><img src="b.jpg" alt="">')]
    ['a.jpg']
    """
    if not markdown:
        return _html_gaps(text)
    # Code is blanked out, character for character, so that places stay right.
    prose = _CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    gaps = [
        Gap(*found.span("alt"), found["quoted"] or found["bare"], "markdown")
        for found in _MARKDOWN_IMAGE.finditer(prose)
    ]
    return sorted(_html_gaps(prose) + gaps)


def fill(text, gaps, captions):
    """The text with captions put into its gaps.

    Args:
        text: str.
        gaps: list of Gap, of `find_gaps`.
        captions: dict from a gap's source to str. Gaps of other sources stay.

    Example:
    >>> page = '<p><img src="a.jpg">'
    >>> fill(page, find_gaps(page), {"a.jpg": "two dogs"})
    '<p><img alt="two dogs" src="a.jpg">'
    """
    parts, end = [], 0
    for gap in gaps:
        if gap.source in captions:
            parts += text[end : gap.start], _written(captions[gap.source], gap.kind)
            end = gap.end
    return "".join(parts) + text[end:]


def local_path(source):
    """The file that a picture's address names, relative to the page; None if it is elsewhere."""
    try:
        parts = urlsplit(source.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    return unquote(parts.path)


def _written(caption, kind):
    if kind == "html":
        # ASCII, so that it fits whatever encoding the page has.
        escaped = html.escape(caption).encode("ascii", "xmlcharrefreplace").decode()
        return f' alt="{escaped}"'
    return re.sub(r"([\\\[\]])", r"\\\1", caption)


def _html_gaps(text):
    finder = _ImageFinder(text)
    finder.feed(text)
    finder.close()
    return finder.gaps


class _ImageFinder(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.gaps = []
        self._lines = [0]  # where each line begins
        for found in re.finditer("\n", text):
            self._lines.append(found.end())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "img" and "alt" not in attributes and attributes.get("src"):
            line, column = self.getpos()
            place = self._lines[line - 1] + column + len("<img")
            self.gaps.append(Gap(place, place, attributes["src"], "html"))
