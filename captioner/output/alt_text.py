"""Alternative texts: finds the pictures in HTML and Markdown that have none, and adds them.

Everything else in a page stays as it is, byte for byte. An alternative text that is there already
is never changed, not even an empty one: `alt=""` says that a picture is decoration. Nothing is
written into code. docs/alt.md says what is read.
"""

import html
import os
import re
from bisect import bisect_right
from functools import cache
from string import Formatter
from typing import NamedTuple

from captioner.errors import CaptionerError, cannot_be, require
from captioner.files import replace_bytes
from captioner.images import ImageError, describe
from captioner.models import opened
from captioner.output.html_pictures import html_pictures, pictures_in_code
from captioner.output.markdown_pictures import markdown_pictures
from captioner.output.page_encoding import Encoding, decode
from captioner.output.picture_addresses import Place, find_file
from captioner.output.template_code import Code, find_code, masked
from captioner.text_files import read_bytes

MARKDOWN = (
    ".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdwn", ".mdtext", ".qmd", ".rmd", ".mdx",
)  # fmt: skip
_WITH_BRACES = (".svelte", ".astro", ".heex")  # HTML with JavaScript (or Elixir) in braces
_WITH_COMPONENTS = (".vue", ".svelte", ".astro")
_XML = (".xhtml", ".xht", ".xml")
# Code, or data with quotes of their own, from end to end: pictures are reported, and left.
_CODE = (
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".json", ".ipynb", ".py", ".rb",
    ".go", ".java", ".cs", ".kt", ".rs", ".swift", ".dart", ".ex", ".exs", ".lua", ".pl", ".r",
    ".scala", ".c", ".cc", ".cpp", ".h", ".css", ".less", ".scss", ".yaml", ".yml", ".toml",
    ".csv", ".sql", ".sh", ".po", ".pot", ".properties", ".strings", ".ini", ".diff", ".patch",
)  # fmt: skip
_TEMPLATES = (".erb", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".liquid", ".ejs", ".hbs")
_REFUSED = (
    ".rst", ".adoc", ".asciidoc", ".org", ".tex", ".textile", ".typ", ".eml", ".mht", ".mhtml",
    ".rtf", ".doc", ".docx", ".odt", ".epub", ".pdf", ".zip",
)  # fmt: skip

_LINE_END = re.compile(r"\r\n?|\n")
# What Markdown, or a template engine, would not read as text. A backslash does not help a backtick
# that has another one before it, nor "|" above a line of "---", which would make a table.
_SPECIAL_IN_MARKDOWN = re.compile(r"[\\*_{}\[\]<>~$^]|&(?=#?\w+;)")
_REPLACED_IN_MARKDOWN = re.compile(r"[`|]")
_SPECIAL_IN_HTML = re.compile(r"[{}@$`|]")


class Gap(NamedTuple):
    """A place where an alternative text is missing, and can be written.

    Attributes:
        start, end: int. The part of the text to replace.
        source: str. The picture's address, as written.
        kind: `"html"` or `"markdown"`.
        path: str. The picture's file.
        line: int. Its line, from 1.
    """

    start: int
    end: int
    source: str
    kind: str
    path: str
    line: int


class Page(NamedTuple):
    """A file in which alternative texts may be missing.

    Attributes:
        path: str.
        text: str. What it holds.
        gaps: list of Gap, in the order of the text.
        left: list of str. A line for each picture whose text is missing and cannot be written:
            file, number of the line, what it is, why.
        bound: int. How many pictures have a text that code computes.
        encoding: Encoding.
    """

    path: str
    text: str
    gaps: list
    left: list
    bound: int
    encoding: Encoding


def read_page(path, root=None):
    """Reads a page: Markdown by the ending of its name, else HTML.

    Args:
        path: str.
        root: str or None. The folder that addresses beginning with `/` start at. Defaults to
            `None`: such pictures are left.

    Returns:
        Page.

    Raises:
        CaptionerError: It cannot be read, or is of a kind that has neither HTML nor Markdown.
    """
    ending = _ending(path)
    require(ending not in _REFUSED, f"{path}: is not HTML or Markdown, which is what alt reads")
    data = read_bytes(path)
    try:
        text, encoding = decode(data, ending in MARKDOWN)
    except CaptionerError as error:
        raise CaptionerError(f"{path}: {error}") from error
    found = _pictures(text, ending)
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    place = Place(os.path.dirname(path), found.base, root)
    file_of = cache(lambda sources: find_file(sources, place))
    gaps, left = [], []
    for each in found.missing:
        line = bisect_right(starts, each.start)
        source, reason = (*each.sources, "<img>")[0], each.reason
        if not reason:
            source, file, reason = file_of(each.sources)
        if reason:
            left.append(f"{path}:{line}: {_shown(source)}: {reason}")
        else:
            gaps.append(Gap(each.start, each.end, source, each.kind, file, line))
    return Page(path, text, gaps, left, found.bound, encoding)


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
    filled = fill(page, texts)
    if path or filled != page.text:
        try:
            replace_bytes(path or page.path, page.encoding.encode(filled))
        except OSError as error:
            raise CaptionerError(cannot_be("written", path or page.path, error)) from error
    return sum(gap.source in texts for gap in page.gaps)


def alternative_texts(model, pages, template="{caption}", batch_size=32, **search):
    """Captions the pictures of pages whose alternative texts are missing.

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
    paths = list(dict.fromkeys(gap.path for page in pages for gap in page.gaps))
    captions, broken = {}, {}
    if paths:
        for _, path, result in opened(model).generate_all(paths, batch_size, **search):
            if isinstance(result, ImageError):
                broken[path] = str(result)
            else:
                captions[path] = template.format(caption=result[0].text)
    texts, missing = [], []
    for page in pages:
        texts.append({gap.source: captions[gap.path] for gap in page.gaps if gap.path in captions})
        missing += page.left
        missing += [
            f"{page.path}:{gap.line}: {broken[gap.path]}" for gap in page.gaps if gap.path in broken
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


def fill(page, texts):
    """The text of a page with texts put into its gaps.

    Args:
        page: Page.
        texts: dict from a gap's source to str. Gaps of other sources stay.

    Returns:
        str.
    """
    parts, end = [], 0
    for gap in page.gaps:
        if gap.source in texts:
            parts += page.text[end : gap.start], _written(texts[gap.source], gap, page.encoding)
            end = gap.end
    return "".join(parts) + page.text[end:]


def _ending(path):
    """That of a page's name in lower case; of a template, that of what it makes: .md of a.md.j2."""
    stem, ending = os.path.splitext(path.lower())
    inner = os.path.splitext(stem)[1]
    return inner if ending in _TEMPLATES and inner in MARKDOWN + _CODE else ending


def _pictures(text, ending):
    """The `Pictures` of a page, read as its name's ending says."""
    if ending in MARKDOWN:
        return markdown_pictures(text, is_mdx=ending == ".mdx")
    if ending in _CODE:
        code = [Code(0, len(text))]
    else:
        code = find_code(text, "braces" if ending in _WITH_BRACES else "html")
    is_xml = ending in _XML or text.startswith("<?xml")
    found = html_pictures(masked(text, code), is_xml, ending in _WITH_COMPONENTS)
    missing = found.missing + pictures_in_code(text, code)
    return found._replace(missing=sorted(missing, key=lambda each: each.start))


def _shown(source):
    """A picture's address in messages: short, and printable."""
    return describe(source if len(source) <= 80 else f"{source[:77]}...")


def _written(text, gap, encoding):
    text = " ".join(text.split())
    if gap.kind == "html":
        text = _SPECIAL_IN_HTML.sub(_reference, html.escape(text))
    else:
        text = _SPECIAL_IN_MARKDOWN.sub(r"\\\g<0>", text)
        text = _REPLACED_IN_MARKDOWN.sub(_reference, text)
    text = "".join(
        each if each.isascii() or encoding.has(each) else _reference(each) for each in text
    )
    return f' alt="{text}"' if gap.kind == "html" else text


def _reference(found):
    """The character reference of a character, or of what a pattern found."""
    return f"&#{ord(found[0])};"
