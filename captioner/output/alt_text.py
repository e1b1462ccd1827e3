"""Alternative texts: finds the pictures in HTML and Markdown that have none, and puts them in.

Everything else in a page stays as it is, byte for byte; an alternative text that is there already,
an empty one too (`alt=""` says that a picture is decoration), is never touched.
"""

import html
import re
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

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


def find_gaps(text, markdown=False):
    """The pictures of a page without an alternative text.

    Args:
        text: str. HTML, or Markdown, in which HTML may be too.
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
