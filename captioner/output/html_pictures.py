"""The pictures of an HTML page that have no alternative text.

What needs one is decided as the HTML standard (section 4.8.4.4) and the computation of accessible
names (W3C, accname) do; docs/alt.md says how.
"""

import re
from typing import NamedTuple

from captioner.output.html_tags import tags
from captioner.output.template_code import CODE, Code

# Where lazy loading keeps the picture; `src` then holds a placeholder.
LAZY = (
    "data-src", "data-lazy-src", "data-original", "data-lazy", "data-srcset", "data-lazy-srcset",
)  # fmt: skip
_ADDRESSES = (*LAZY, "ngsrc", "src", "srcset")
_NAMES = ("aria-label", "aria-labelledby")
_WATCHED = {*_ADDRESSES, *_NAMES, "alt", "role", "aria-hidden"}

_ORDINARY = re.compile(r"[a-z_][\w.-]*(?::[\w.-]+)?")
# How frameworks say that code sets an attribute: Vue, Alpine, Svelte, Angular, Thymeleaf, Lit.
_BOUND = re.compile(
    r"(?:v-bind:|x-bind:|bind[:-]|(?:data-)?ng-(?:attr-)?|th:|data-th-|t-attf?-|attr:|prop:|:|\.|\?)"
    r"(?P<after>[\w-]+)(?:\.[\w.-]+)?"
    r"|\[\(?(?:attr\.)?(?P<inside>[\w-]+)\)?\]"
    r"|(?P<before>[\w-]+)(?:\.(?:bind|one-way|one-time|to-view|two-way)|\$)"  # Aurelia, Polymer
)
_BOUND_AS_A_WHOLE = {
    "v-bind", "x-bind", "th:attr", "data-th-attr", "tal:attributes", "py:attrs", "t-att",
}  # fmt: skip
# What code may set without setting one of those that count: events, classes and the like.
_OF_NO_ACCOUNT = re.compile(
    r"(?:@|\(|#|\*|[vx]-(?!bind)|hx-|\[(?:class\.|style\.|@)"
    r"|(?:on|use|class|style|transition|in|out|animate|wire):).*"
)
_CODE_IN_VALUE = re.compile(r"[{}<" + CODE + r"]|\[\[|^\s*(?:@(?!/)|\$[\w(])")
_SRCSET = re.compile(r"[\s,]*+(\S*[^\s,])(?:[^,(]|\([^)]*+(?:\)|\Z))*+")
_COMPONENT = re.compile(r"[A-Z]\w*(?:Image|Img)|Image|Img")
_IMAGE_IN_CODE = re.compile(r"<img(?=[\s/>])(?P<rest>[^>]*)", re.IGNORECASE)
_MARKDOWN_IMAGE = re.compile(r"!\[\s*\][\[(]")
_ALT = re.compile(r"(?<![\w-])alt\b", re.IGNORECASE)


class Picture(NamedTuple):
    """A picture without an alternative text.

    Attributes:
        start, end: int. The part of the text that the alternative text replaces.
        sources: tuple of str. The picture's addresses, as written, the best one first.
        kind: `"html"` or `"markdown"`.
        reason: str or None. Why no text can be written.
    """

    start: int
    end: int
    sources: tuple
    kind: str
    reason: str | None = None


class Pictures(NamedTuple):
    """What a page has of pictures.

    Attributes:
        missing: list of Picture: those without an alternative text, in the order of the text.
        base: str. The address that the others are relative to; empty if the page names none.
        bound: int. How many have a text that code computes.
        code_elements: list of Code: `<pre>` and `<code>` elements, none within another.
    """

    missing: list
    base: str
    bound: int
    code_elements: list


def html_pictures(text, is_xml=False, has_components=False):
    """Finds the pictures of a page that have no alternative text.

    Args:
        text: str. Code in it is `masked`.
        is_xml: bool. Whether the page is XHTML. Defaults to `False`.
        has_components: bool. Whether `<Image>` is a component, not a picture. Defaults to `False`.

    Returns:
        Pictures.

    Example:
    >>> [each.sources for each in html_pictures('<img src="a.jpg"><img alt="">').missing]
    [('a.jpg',)]
    """
    reader = _Reader(text, has_components)
    for tag in tags(text, is_xml):
        reader.read(tag)
    return Pictures(reader.missing, reader.base or "", reader.bound, reader.code_elements)


def pictures_in_code(text, code, is_markdown=False):
    """The pictures without an alternative text that code writes, to be left as they are.

    Args:
        text: str. A page.
        code: list of Code, see `find_code`.
        is_markdown: bool. Whether to find Markdown's pictures, too. Defaults to `False`.

    Returns:
        list of Picture, each with a reason.

    Example:
    >>> [each.reason for each in pictures_in_code("{{ '<img src=a.jpg>' }}", [Code(0, 23)])]
    ['is in code']
    """
    return [
        Picture(place, place, (), "html", "is in code")
        for each in code
        if not each.is_comment
        for place in _places_in_code(text, each, is_markdown)
    ]


def _places_in_code(text, code, is_markdown):
    for found in _IMAGE_IN_CODE.finditer(text, code.start, code.end):
        if not _ALT.search(found["rest"]):
            yield found.start()
    if is_markdown:
        for found in _MARKDOWN_IMAGE.finditer(text, code.start, code.end):
            yield found.start()


class _Reader:
    def __init__(self, text, has_components):
        self.text = text
        self.missing = []
        self.base = None
        self.bound = 0
        self.code_elements = []
        self._has_components = has_components
        self._picture = None  # addresses of the <source>s of an open <picture>
        self._drawings = []  # of each open <svg>: whether it is named or hidden as a whole
        self._code_starts = {}
        self._unnamed_image = None  # an SVG <image> whose <title> may follow

    def read(self, tag):
        name, values = tag.name.lower(), tag.attributes
        if self._has_components and tag.name != name:
            if _COMPONENT.fullmatch(tag.name):
                self._read_unfillable(tag, "is a component, not HTML")
            return
        self._read_svg_title(tag, name)
        if name == "svg":
            self._read_svg(tag)
        elif name in ("pre", "code"):
            self._read_code_element(tag, name)
        elif name == "picture":
            self._picture = None if tag.closes else []
        elif tag.closes:
            return
        elif name == "base" and self.base is None:
            self.base = values.get("href")
        elif name == "source" and self._picture is not None:
            self._picture += _addresses(values)
        elif name == "image" and self._drawings:
            self._read_svg_image(tag)
        elif name in ("img", "image"):  # outside of SVG, browsers read <image> as <img>
            self._read_img(tag)
        elif name == "input" and values.get("type", "").strip().lower() == "image":
            self._read_unfillable(tag, "is a button: its alt says what it does, not what it shows")
        elif name == "area" and "href" in values:
            self._read_unfillable(tag, "is a link of an image map: its alt says where it leads")

    def _read_img(self, tag):
        values = tag.attributes
        if _has_text(values):
            return
        bound = _bound_attribute(values)
        if bound in ("alt", *_NAMES):
            self.bound += 1
            return
        sources = _addresses(values) + (self._picture or [])
        dynamic = [each for each in (*LAZY, "src") if _CODE_IN_VALUE.search(values.get(each, ""))]
        reason = None
        if bound:
            reason = "has code among its attributes" if bound == "*" else f"code sets its {bound}"
        elif dynamic:
            reason = f"its {dynamic[0]} contains code"
        elif self._is_quoted(tag):
            reason = "is text in quotes, as in code"
        elif not sources:
            reason = "has no address"
        elif all(values.get(each) in ("0", "1") for each in ("width", "height")):
            reason = "is one pixel, a spacer or a counter"
        place = tag.start + 1 + len(tag.name)
        self.missing.append(Picture(place, place, tuple(sources), "html", reason))

    def _read_unfillable(self, tag, reason):
        values = tag.attributes
        if _has_text(values) or values.get("title", "").strip() or tag.closes:
            return
        if _bound_attribute(values) in ("alt", *_NAMES):
            self.bound += 1
        else:
            self._leave(tag, reason)

    def _read_svg(self, tag):
        if tag.closes:
            del self._drawings[-1:]
        elif not tag.is_empty:
            is_covered = _has_text(tag.attributes) or tag.attributes.get("role") == "img"
            self._drawings.append(is_covered or any(self._drawings[-1:]))

    def _read_svg_image(self, tag):
        if self._drawings[-1] or _has_text(tag.attributes):
            return
        self._leave(tag, "is in SVG, where a <title> inside <image> is the text")
        self._unnamed_image = None if tag.is_empty else len(self.missing) - 1

    def _read_svg_title(self, tag, name):
        if self._unnamed_image is not None:
            if name == "title" and not tag.closes:
                del self.missing[self._unnamed_image]
            self._unnamed_image = None

    def _read_code_element(self, tag, name):
        if not tag.closes:
            self._code_starts.setdefault(name, tag.start)
        elif name in self._code_starts:
            start = self._code_starts.pop(name)
            while self.code_elements and self.code_elements[-1].end > start:  # nested
                start = min(start, self.code_elements.pop().start)
            self.code_elements.append(Code(start, tag.end))

    def _is_quoted(self, tag):
        before, after = self.text[tag.start - 1 : tag.start], self.text[tag.end : tag.end + 1]
        return before == after and before in ('"', "'", "`")

    def _leave(self, tag, reason):
        values = tag.attributes
        sources = _addresses(values) or [
            values[each] for each in ("href", "xlink:href") if values.get(each)
        ]
        self.missing.append(Picture(tag.start, tag.start, tuple(sources), "html", reason))


def _has_text(values):
    """Whether an element has an alternative text, another name, or says that it is decoration."""
    if "alt" in values or any(values.get(each, "").strip() for each in _NAMES):
        return True
    role = (values.get("role", "").lower().split() or [""])[0]
    return role in ("presentation", "none") or values.get("aria-hidden", "").lower() == "true"


def _bound_attribute(values):
    """Which of the attributes that count here code sets: its name, `"*"` for any, or None."""
    found = []
    for name, value in values.items():
        if name in _BOUND_AS_A_WHOLE or _sets_attributes(name, value):
            found.append("*")
        elif bound := _BOUND.fullmatch(name):
            target = bound["after"] or bound["inside"] or bound["before"]
            found += [target] if target in _WATCHED else []
        elif not _ORDINARY.fullmatch(name) and (CODE in name or not _OF_NO_ACCOUNT.fullmatch(name)):
            found.append("*")
    texts = [each for each in found if each in ("alt", *_NAMES)]
    return (texts or found or [None])[0]


def _sets_attributes(name, value):
    # Knockout's "attr: {alt: title}", i18next's "[alt]key", Thymeleaf's th:alt-title.
    if name == "data-bind":
        return bool(re.search(r"\b(?:attr|src|alt)\b", value))
    return name.startswith(("data-i18n", "th:alt-")) and "alt" in name + value


def _addresses(values):
    """The addresses in the attributes of a picture that are no code, the best one first."""
    found = []
    for name in _ADDRESSES:
        value = values.get(name, "").strip()
        if value:
            found += _of_srcset(value) if name.endswith("srcset") else [value]
    return [each for each in found if not _CODE_IN_VALUE.search(each)]


def _of_srcset(value):
    return [found[1] for found in _SRCSET.finditer(value.rstrip(", \t\n\f\r"))]
