"""Which parts of a page are code that makes pages: nothing may be written there.

PHP, ERB, EJS and JSP (`<% %>`), Jinja, Twig, Liquid, Handlebars, Go templates, Vue and Angular
(`{{ }}`, `{% %}`), Blade, Razor, and the expressions in braces of MDX, Svelte, Astro and HEEx.
"""

import re
from bisect import bisect_right
from typing import NamedTuple

CODE = "\ue000"  # what `masked` writes in place of each character of code; of no language

# Blocks that are not shown, or shown as code.
_BLOCKS = r"comment|highlight|codeblock|schema|javascript|stylesheet"
_PHP_OPENING = r"(?P<php><\?(?:php\b|=|(?=\s)))|(?P<instruction><\?)"
_TEMPLATE_OPENING = (
    rf"(?:\{{%-?|\{{\{{[<%])\s*(?P<block>{_BLOCKS})\b|(?P<blade>@php\b(?!\s*\())"
    r"|<%--|<%|<#--|\{\{!--|\{\{--|\{\{/\*|\{\{|\{%|\{!!|\{#(?![\w:-]+\})"
)
# Blade's and Razor's: @section('name', '<p>'), @Html.Raw("<p>"), @{ var text = "<p>"; }, @* no *@.
_AT_OPENING = (
    r"(?<!\w)@(?:[\w.]+(?P<parenthesis>\()|(?:(?:code|functions)\s*)?(?P<block_brace>\{))|@\*"
)
_COMMENT = "(?P<comment><!--)"
_RAW = r"<(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[\s/>])"
_BRACE = r"(?P<brace>\{)"
# Markdown's own code: between fences, or from a fence to the end of the file; between backticks.
_MARKDOWN_CODE = (
    r"(?P<skipped>^[ >\t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
    r"(?:(?P<fence>`{3,})[^`\n]*|(?P<waves>~{3,})[^\n]*)(?:\n.*?)??"
    r"(?:^[ >\t]*(?:(?P=fence)`*|(?P=waves)~*)[ \t\r]*$|\Z)"
    r"|(?<!`)(?P<ticks>`++)[^`\n]++(?P=ticks)(?!`))"
)
_OPENINGS = {
    "html": (_COMMENT, _RAW, _PHP_OPENING, _TEMPLATE_OPENING, _AT_OPENING),
    "braces": (_COMMENT, _RAW, r"(?P<front>\A---[ \t]*$)|<%--|<%", _BRACE),
    "markdown": (_MARKDOWN_CODE, _COMMENT, _TEMPLATE_OPENING, r"(?<==)(?P<value_brace>\{)"),
    "mdx": (_MARKDOWN_CODE, r"(?P<module>^(?:import|export)\b)", _BRACE),
    "php": (_COMMENT, _PHP_OPENING),  # that of Markdown, in what is HTML by Markdown's rules
}
_OPENINGS = {
    syntax: re.compile("|".join(kinds), re.DOTALL | re.MULTILINE | re.IGNORECASE)
    for syntax, kinds in _OPENINGS.items()
}
_CLOSINGS = {
    "<%--": "--%>", "<%": "%>", "{{!--": "--}}", "{{--": "--}}", "{{/*": "*/}}", "{{": "}}",
    "{%": "%}", "{!!": "!!}", "{#": "#}", "<#--": "-->", "@*": "*@",
}  # fmt: skip
_COMMENTS = ("<%--", "{{!--", "{{--", "{{/*", "{#", "<#--", "@*")

# PHP ends at the first ?> outside of its strings and comments, or with the file. A comment of one
# line ends there, too.
_PHP = re.compile(
    r"""(?: "(?:\\.|[^"\\])*+(?:"|\Z) | '(?:\\.|[^'\\])*+(?:'|\Z) | /\*.*?(?:\*/|\Z)
      | (?://|\#(?!\[)).*?(?=\?>|\n|\Z)
      | <<<[ \t]*(["']?)(\w+)\1\r?\n.*?(?:\n[ \t]*\2\b|\Z) | (?!\?>). )*+(?:\?>|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_JAVASCRIPT = re.compile(
    r""" "(?:\\.|[^"\\\n])*+" | '(?:\\.|[^'\\\n])*+' | `(?:\\.|[^`\\])*+(?:`|\Z)
      | /\*.*?(?:\*/|\Z) | [{}()]""",
    re.DOTALL | re.VERBOSE,
)
_BRACE_OR_BLANK = re.compile(r"\{|\n[ \t]*\r?\n|\Z")
# Signs with one of these between them are of prose, of mathematics or of a page about templates.
_LIMITS = {
    "markdown": re.compile(r"\n[ \t]*\r?\n"),
    "html": re.compile(r"</(?:code|pre)\b", re.IGNORECASE),
}
_FRONT_END = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


class Code(NamedTuple):
    """A part of a page that is code.

    Attributes:
        start, end: int. Where it is.
        is_comment: bool. Whether it never becomes a part of the page.
    """

    start: int
    end: int
    is_comment: bool = False


class _Finder:
    """Searches for many places of one text, in their order, in linear time altogether."""

    def __init__(self, text):
        self._text = text
        self._found = {}  # of each pattern, the (start, end) of its last match
        self._unbalanced = set()

    def find(self, pattern, start):
        """(start, end) of the next match of a string or a compiled pattern; (-1, -1) if none."""
        last = self._found.get(pattern)
        if last is None or -1 < last[0] < start:
            last = self._search(pattern, start)
            self._found[pattern] = last
        return last

    def end(self, pattern, start):
        """The end of the pattern's next match, or -1."""
        return self.find(pattern, start)[1]

    def balanced(self, pair, start):
        """The end of the code between two brackets that begins here, or -1 if it does not end."""
        if pair in self._unbalanced:
            return -1
        depth = 0
        for token in _JAVASCRIPT.finditer(self._text, start):
            depth += (token[0] == pair[0]) - (token[0] == pair[1])
            if not depth:
                return token.end()
        self._unbalanced.add(pair)
        return -1

    def _search(self, pattern, start):
        if isinstance(pattern, str):
            found = self._text.find(pattern, start)
            return (found, found + len(pattern)) if found >= 0 else (-1, -1)
        match = pattern.search(self._text, start)
        return match.span() if match else (-1, -1)


def find_code(text, syntax):
    """The code in a page.

    Args:
        text: str.
        syntax: `"html"`; `"braces"`, HTML with `{expressions}`; `"markdown"`; `"mdx"`; or `"php"`,
            which is HTML with no other code.

    Returns:
        list of Code, in the order of the text; none overlaps another.

    Example:
    >>> find_code('<?php echo "?>"; ?><p>{{ title }}', "html")
    [Code(start=0, end=19, is_comment=False), Code(start=22, end=33, is_comment=False)]
    """
    finder, found, place = _Finder(text), [], 0
    while opening := _OPENINGS[syntax].search(text, place):
        end, is_code, is_comment = _extent(text, opening, syntax, finder)
        if end < 0:  # never closed: not code
            end = opening.end()
        elif is_code:
            found.append(Code(opening.start(), end, is_comment))
        place = max(end, place + 1)
    return found


def masked(text, code):
    """The text with every character of code replaced, so that all places stay what they are."""
    parts, end = [], 0
    for each in code:
        parts += text[end : each.start], CODE * (each.end - each.start)
        end = each.end
    return "".join(parts) + text[end:]


def overlaps(code, start, end):
    """Whether any of the code, which is in the order of the text, lies in a part of it."""
    last = bisect_right(code, end - 1, key=lambda each: each.start) - 1
    return last >= 0 and code[last].end > start


def _extent(text, opening, syntax, finder):
    """(end or -1, whether it is code, whether it is a comment) of what an opening begins."""
    kinds, start = opening.groupdict(), opening.end()
    if kinds.get("skipped"):
        return start, False, False
    if kinds.get("comment"):
        return finder.end("-->", start), False, False
    if kinds.get("raw"):
        return finder.end(_closing_tag(opening["raw"]), start), False, False
    if kinds.get("php"):
        return _PHP.match(text, start).end(), True, False
    if kinds.get("instruction"):
        return finder.end("?>", start), True, True
    if kinds.get("blade"):
        return finder.end("@endphp", start), True, False
    if kinds.get("block"):
        return finder.end(_closing_block(opening["block"]), start), True, True
    if kinds.get("front"):
        return finder.end(_FRONT_END, start), True, False
    if kinds.get("brace"):  # that is never closed: then all that follows is code
        end = finder.balanced("{}", opening.start())
        return (end if end >= 0 else len(text)), True, text.startswith("/*", start)
    if kinds.get("module"):
        return _module_end(text, start, finder), True, False
    if kinds.get("parenthesis"):
        end = finder.balanced("()", start - 1)
    elif kinds.get("block_brace") or kinds.get("value_brace"):
        end = finder.balanced("{}", start - 1)
    else:
        end = finder.end(_CLOSINGS[opening[0]], start)
    if syntax in _LIMITS and -1 < finder.find(_LIMITS[syntax], start)[0] < end:
        end = -1
    return end, True, opening[0] in _COMMENTS


def _closing_tag(name):
    return re.compile(rf"(?=</{name}[\s/>])", re.IGNORECASE)


def _closing_block(name):
    opening = r"(?:\{%-?|\{\{[<%])\s*(?:end|/\s*)"
    return re.compile(opening + name + r"\b[^%>]{0,80}(?:%\}|[>%]\}\})", re.IGNORECASE)


def _module_end(text, start, finder):
    """The end of an MDX import or export: a blank line that is in no braces."""
    while start >= 0:
        found = _BRACE_OR_BLANK.search(text, start)
        if found[0] != "{":
            return found.start()
        start = finder.balanced("{}", found.start())
    return len(text)
