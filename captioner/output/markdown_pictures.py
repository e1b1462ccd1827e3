"""The pictures of a Markdown page that have no alternative text.

What is a picture and what is code is decided by markdown-it-py, which follows CommonMark, with
GitHub's tables. It says in which lines a block lies; this module says where in the file.
"""

import re
from bisect import bisect_right
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline.html_inline import html_inline
from markdown_it.rules_inline.image import image

from captioner.output.html_pictures import Picture, html_pictures, pictures_in_code
from captioner.output.template_code import Code, find_code, masked, overlaps

# Deeper nesting is read as text. Blocks nest in documents; brackets do not, and cost more time.
_DEEPEST_BLOCK, _DEEPEST_BRACKET = 100, 20

_FRONT_MATTER = re.compile(
    r"\A(?:---[ \t]*\r?\n(?:[^\n]*\n)*?(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n(?:[^\n]*\n)*?\+\+\+"
    r"|\{[ \t]*\r?\n(?:[^\n]*\n)*?\})"
    r"[ \t]*\r?(?:\n|\Z)"
)
_FOOTNOTE = re.compile(r"^([ >]*)\[(?=\^[^\]\s]+\]:)", re.MULTILINE)
_LINE_END = re.compile(r"\r\n?|\n")
_LINE_END_AND_INDENT = re.compile(r"(?P<kept>(?:\r\n?|\n)[ \t>]*)|.", re.DOTALL)


def markdown_pictures(text, is_mdx=False):
    """Finds the pictures of a Markdown page that have no alternative text, HTML's among them.

    Args:
        text: str.
        is_mdx: bool. Whether JSX stands where Markdown has HTML. Defaults to `False`.

    Returns:
        Pictures.

    Example:
    >>> found = markdown_pictures("![](a.jpg) `![](b.jpg)` <img src=c.jpg>")
    >>> [each.sources for each in found.missing]
    [('a.jpg',), ('c.jpg',)]
    """
    front = _FRONT_MATTER.match(text)
    front = [Code(0, front.end(), is_comment=True)] if front else []
    body = _without(text, front, " ")
    code = find_code(body, "mdx" if is_mdx else "markdown")
    page = _Page(_without(body, code, "x"), code, is_mdx)
    page.read()
    markup = _only(text, page.html)
    code = sorted(front + code + [
        each for each in find_code(masked(markup, code), "php")
        if not overlaps(code, each.start, each.end)
    ])  # fmt: skip
    html = html_pictures(masked(markup, code), has_components=is_mdx)
    missing = [_checked(each, text, html.code_elements) for each in page.missing + html.missing]
    missing = sorted(missing + pictures_in_code(text, code, True), key=lambda each: each.start)
    return html._replace(missing=missing)


def _checked(picture, text, code_elements):
    """A picture; with a reason if no text should be written where it is."""
    if picture.reason:
        return picture
    start, end = picture.start, picture.end
    if picture.kind == "markdown":
        is_located = text[start - 2 : start] == "![" and text[end : end + 1] in "] \t\r\n"
    else:
        is_located = text[max(0, start - 5) : start].lower().endswith(("img", "image"))
    if not is_located:
        return picture._replace(reason="cannot be located in the file")
    if overlaps(code_elements, start, start + 1):
        return picture._replace(reason="is in a <code> or <pre> element")
    return picture


class _Page:
    """One page, read block by block.

    Attributes:
        missing: list of Picture: Markdown's.
        html: list of (start, end): where there is HTML.
    """

    def __init__(self, text, code, is_mdx):
        self.missing = []
        self.html = []
        # As CommonMark does; and GitHub, to which "[^1]: ![](a.jpg)" is a footnote, not an address.
        self._text = _FOOTNOTE.sub(r"\1x", text.replace("\0", "\ufffd"))
        self._code = code
        self._blocks, self._inline = _parsers(is_mdx)
        ends = [*_LINE_END.finditer(text)]
        self._line_starts = [0, *(end.end() for end in ends)]
        self._line_ends = [*(end.start() for end in ends), len(text)]
        self._environment = {}  # markdown-it's: the references of the page

    def read(self):
        row, is_table = None, False
        for token in self._blocks.parse(self._text, self._environment):
            if token.type in ("table_open", "table_close"):
                is_table = token.type == "table_open"
            elif token.type == "tr_open":
                row = None
            elif token.type == "html_block":
                self._keep(_Lines(token, self._line), 0, len(token.content.removesuffix("\n")))
            elif token.type == "inline" and ("![" in token.content or "<" in token.content):
                if is_table:
                    row = row or _Row(*self._line(token.map[0]))
                places = row.cell(token.content) if is_table else _Lines(token, self._line)
                self._read_inline(token.content, places)

    def _line(self, number):
        """(its text, where it is)"""
        if number >= len(self._line_starts):
            return "", len(self._text)
        start = self._line_starts[number]
        return self._text[start : self._line_ends[number]], start

    def _read_inline(self, content, places):
        tokens = []
        self._inline.inline.parse(content, self._inline, self._environment, tokens)
        for token in tokens:
            if token.type == "html_inline":
                self._keep(places, *token.meta["place"])
            elif token.type == "image" and not _has_text(token):
                self._read_image(token, places)

    def _read_image(self, token, places):
        first, last = token.meta["place"]
        start, end = places(first + 2), places(first + 2 + len(token.content))
        if "\n" in token.content:  # the line end stays: without it, a table might begin here
            end = start
        reason = None
        if token.content.strip():
            reason = "has only pictures in place of a text"
        elif overlaps(self._code, start, places(last)) or self._is_defined_by_code(token):
            reason = "its address contains code"
        elif not token.attrs["src"]:
            reason = "has no address"
        source = (token.attrs["src"],) if reason is None else ()
        self.missing.append(Picture(start, end, source, "markdown", reason))

    def _is_defined_by_code(self, token):
        references = self._environment.get("references", {})
        reference = references.get(token.meta.get("label"))
        if not reference:
            return False
        first, last = reference["map"]
        return overlaps(self._code, self._line(first)[1], self._line(last)[1])

    def _keep(self, places, start, end):
        self.html += places.parts(start, end)


def _has_text(image_token):
    texts = [each.content for each in image_token.children or [] if each.type != "image"]
    return any(each.strip() for each in texts)


class _Lines:
    """Where the content of a block is in the file: in each line, without the indent."""

    def __init__(self, token, line_of):
        self._starts, self._places, self._ends = [], [], []
        start, (number, last) = 0, token.map
        for line in token.content.split("\n"):
            inner = line.strip()
            source, place = line_of(number)
            while inner not in source and number < last:  # a line of odd spaces, which is dropped
                number += 1
                source, place = line_of(number)
            self._starts.append(start + len(line) - len(line.lstrip()))
            self._places.append(place + source.rfind(inner))
            self._ends.append(self._places[-1] + len(inner))
            start += len(line) + 1
            number += 1

    def __call__(self, offset):
        line = max(0, bisect_right(self._starts, offset) - 1)
        return self._places[line] + offset - self._starts[line]

    def parts(self, start, end):
        """The (start, end) in the file of a part of the content, line by line."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = max(first, bisect_right(self._starts, end - 1) - 1)
        for line in range(first, last + 1):
            begin = self(start) if line == first else self._places[line]
            yield begin, self(end) if line == last else self._ends[line]


class _Row:
    """Where the cells of a row of a table are; of their escaped pipes, the backslash is gone."""

    def __init__(self, source, place):
        kept = [offset for offset in range(len(source)) if source[offset : offset + 2] != "\\|"]
        self._text = "".join(source[offset] for offset in kept)
        self._places = [*(place + offset for offset in kept), place + len(source)]
        self._cursor = 0

    def cell(self, content):
        """The place of a cell, which is the next one: a function like `_Lines`."""
        start = max(0, self._text.find(content, self._cursor))
        self._cursor = start + len(content)
        return _Cell(self._places[start : start + len(content) + 1])


class _Cell:
    def __init__(self, places):
        self._places = places

    def __call__(self, offset):
        return self._places[min(offset, len(self._places) - 1)]

    def parts(self, start, end):
        """As `_Lines.parts`."""
        yield self(start), self(end)


@cache
def _parsers(is_mdx):
    """(the parser of blocks, the parser of what is in them)"""
    blocks = MarkdownIt("commonmark", {"maxNesting": _DEEPEST_BLOCK}).enable("table")
    blocks.disable("inline")
    inline = MarkdownIt("commonmark", {"maxNesting": _DEEPEST_BRACKET, "store_labels": True})
    inline.inline.ruler.at("image", _placed(image))
    inline.inline.ruler.at("html_inline", _placed(html_inline))
    if is_mdx:  # which has tags, not HTML, and Markdown between them; and no indented code
        blocks.disable(["html_block", "code"])
        inline.disable("autolink")
    for parser in (blocks, inline):  # addresses of any kind, as they are written
        parser.normalizeLink = str
        parser.validateLink = lambda address: True
    return blocks, inline


def _placed(rule):
    """A rule of markdown-it that also keeps where its token is in what it reads."""

    def placed(state, silent):
        start = state.pos
        is_found = rule(state, silent)
        if is_found and not silent:
            state.tokens[-1].meta["place"] = (start, state.pos)
        return is_found

    return placed


def _without(text, code, sign):
    """The text with code replaced by a sign; line ends, and what lines begin with, stay."""
    parts, end = [], 0
    for each in code:
        hidden = _LINE_END_AND_INDENT.sub(
            lambda found: found["kept"] or sign, text[each.start : each.end]
        )
        parts += text[end : each.start], hidden
        end = each.end
    return "".join(parts) + text[end:]


def _only(text, parts):
    """The text with all but some parts, which are in their order, blank."""
    kept, end = [], 0
    for start, stop in parts:
        kept += " " * (start - end), text[start:stop]
        end = max(end, stop)
    return "".join(kept) + " " * (len(text) - end)
