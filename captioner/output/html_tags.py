"""The tags of an HTML page, where they are, and their attributes.

The HTML standard's tokenizer (section 13.2.5), as far as it decides what is a tag: comments, CDATA,
scripts and other raw text have none. Whatever a page holds, its time grows with the length only.
"""

import html
import re
from typing import NamedTuple

_OPENING = re.compile(r"<(?:!--|!\[CDATA\[|[!?]|/?[a-zA-Z]|/(?=[^>]))")
_NAME = re.compile(r"[^ \t\n\f\r/>]*")
_BETWEEN = re.compile(r"[ \t\n\f\r/]*")
_ATTRIBUTE = re.compile(r"=?[^ \t\n\f\r/>=]*")
_EQUALS = re.compile(r"[ \t\n\f\r]*=[ \t\n\f\r]*")
_UNQUOTED = re.compile(r"[^ \t\n\f\r>]*")
_ENTITY = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,8}|\w{1,40});")
_COMMENT_END = re.compile(r"--!?>")
_SCRIPT = re.compile(r"<!(?=--)|-->|<(?P<close>/?)script(?=[ \t\n\f\r/>])", re.IGNORECASE)
_RAW = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE)
    for name in ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
# An <svg> or <math> that was not closed ends at one of these at the latest.
_NOT_FOREIGN = re.compile(
    r"b|big|blockquote|body|br|center|code|d[dlt]|div|em|embed|h[1-6]|head|hr|i|img|li|menu|meta|ol|"
    r"p|pre|ruby|s|small|span|strong|su[bp]|table|tt|ul?|var"
)


class Tag(NamedTuple):
    """A tag of a page.

    Attributes:
        start, end: int. Where it is.
        name: str. As written.
        attributes: dict from a name in lower case to its value, entities replaced; the first of
            two of the same name counts. An attribute without a value has an empty one.
        closes: bool. Whether it is an end tag.
        is_empty: bool. Whether it ends in `/>`.
    """

    start: int
    end: int
    name: str
    attributes: dict
    closes: bool
    is_empty: bool


def tags(text, is_xml=False):
    """Finds the tags of a page.

    Args:
        text: str.
        is_xml: bool. Whether `<script/>` is empty, as in XHTML. Defaults to `False`.

    Yields:
        Tag, in the order of the text.

    Example:
    >>> [(tag.name, tag.attributes) for tag in tags("<p><!-- <b> --><IMG SRC=a.jpg></p>")]
    [('p', {}), ('IMG', {'src': 'a.jpg'}), ('p', {})]
    """
    place, foreign, has_sections = 0, 0, True
    while opening := _OPENING.search(text, place):
        start, kind = opening.start(), opening[0]
        if not kind[-1].isalpha():
            if kind == "<![CDATA[" and has_sections:
                place = text.find("]]>", start)
                has_sections = place >= 0
                if has_sections:
                    continue
            place = _comment_end(text, start)
            if place < 0:
                return
            continue
        tag = _read(text, start, closes=kind[1] == "/")
        if tag is None:  # the page ends in it
            return
        yield tag
        place = tag.end
        name = tag.name.lower()
        if name in ("svg", "math") and not tag.is_empty:
            foreign = max(0, foreign - 1) if tag.closes else foreign + 1
        elif _NOT_FOREIGN.fullmatch(name):
            foreign = 0
        elif not tag.closes and not (tag.is_empty and (is_xml or foreign)):
            place = _end_of_raw_text(text, name, place)


def _comment_end(text, start):
    """The end of a comment, or of what browsers take for one; -1 if there is none."""
    if not text.startswith("<!--", start):
        return text.find(">", start) + 1 or -1
    if text.startswith((">", "->"), start + 4):
        return text.index(">", start) + 1
    end = _COMMENT_END.search(text, start + 4)
    return end.end() if end else -1


def _read(text, start, closes):
    name = _NAME.match(text, start + 1 + closes)
    place, attributes = name.end(), {}
    while True:
        between = _BETWEEN.match(text, place)
        place = between.end()
        if place == len(text):
            return None
        if text[place] == ">":
            is_empty = between[0].endswith("/")
            return Tag(start, place + 1, name[0], attributes, closes, is_empty)
        attribute = _ATTRIBUTE.match(text, place)
        place, value = attribute.end(), ""
        if equals := _EQUALS.match(text, place):
            place, value = _value(text, equals.end())
            if place < 0:
                return None
        attributes.setdefault(attribute[0].lower(), value)


def _value(text, start):
    """(Its end, the value); the end is -1 where the page ends in quotes."""
    quote = text[start : start + 1]
    if quote in ('"', "'") and quote:
        end = text.find(quote, start + 1)
        return (end + 1 if end >= 0 else -1), _plain(text[start + 1 : end])
    value = _UNQUOTED.match(text, start)
    return value.end(), _plain(value[0])


def _plain(value):
    # Only whole ones: of "?x=1&copy=2", "&copy" is no entity.
    return _ENTITY.sub(lambda found: html.unescape(found[0]), value) if "&" in value else value


def _end_of_raw_text(text, name, start):
    """Where the next tag may be: what is in scripts, styles and the like is text."""
    if name == "script":
        return _end_of_script(text, start)
    if name == "plaintext":
        return len(text)
    if name not in _RAW:
        return start
    end = _RAW[name].search(text, start)
    return end.start() if end else len(text)


def _end_of_script(text, start):
    """As browsers see it: in `<!-- <script> </script> -->`, a script goes on."""
    is_escaped = is_nested = False
    for found in _SCRIPT.finditer(text, start):
        if found[0] == "<!":
            is_escaped = True
        elif found[0] == "-->":
            is_escaped = is_nested = False
        elif not found["close"]:
            is_nested = is_escaped
        elif is_nested:
            is_nested = False
        else:
            return found.start()
    return len(text)
