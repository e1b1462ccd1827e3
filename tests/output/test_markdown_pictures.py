"""The pictures of Markdown: what CommonMark and GitHub show as one, and where it is."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from captioner.output.markdown_pictures import markdown_pictures

REFERENCE = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")
REFERENCE.normalizeLink = str
REFERENCE.validateLink = lambda address: True


def filled(text, **settings):
    """The text, with "!" where a text is missing and can be written, and "?" where it is left."""
    for each in reversed(markdown_pictures(text, **settings).missing):
        text = text[: each.start] + ("?" if each.reason else "!") + text[each.end :]
    return text


@pytest.mark.parametrize(
    "text",
    [
        "![!](a.jpg) ![x](a.jpg)",
        '![!](<a b.jpg> "title") ![!](a(1).jpg \'t\') ![!]( a.jpg )',
        "\\![](a.jpg) !\\[](a.jpg) \\\\![!](a.jpg) ![\\]](a.jpg)",
        "`![](a.jpg)` ``![](a.jpg) ` `` ` ![!](a.jpg)",
        "`two\nlines ![](a.jpg)`",
        "```\n![](a.jpg)\n```\n![!](a.jpg)",
        "~~~ md\n![](a.jpg)\n```\n",
        "    ![](a.jpg)\n\ttab ![](a.jpg)\n\n![!](a.jpg)",
        "text\n    ![!](a.jpg)",  # goes on with a paragraph
        "- a\n\n  ![!](a.jpg)\n\n      ![](a.jpg)\n",
        "1. a\n\n   - b\n\n     ![!](a.jpg)\n2. ![!](a.jpg)",
        "-\t![!](a.jpg)\n\n\t![!](a.jpg)\n\n\t\t\t![](a.jpg)",
        "> ![!](a.jpg)\n> > - ![!](a.jpg)\nlazy ![!](a.jpg)\n\n>     ![](a.jpg)",
        "> ```\n> ![](a.jpg)\n\n![!](a.jpg)",
        "# ![!](a.jpg) #\n\n![!](a.jpg)\n===",
        "[![!](a.jpg)](b) [x ![!](a.jpg) y][c]\n\n[c]: d",
        "*![!](a.jpg)* **x ![!](a.jpg)** ~~![!](a.jpg)~~",
        "![!][one] ![!][ONE] ![one][] ![one] ![x][one] ![][none] ![][]\n\n[one]: a.jpg 't'",
        "![!](a.jpg)\r\n![!](a.jpg)\r![!](a.jpg)",
        "| ![!](a.jpg) | x |\n|---|---|\n| a \\| b ![!](a.jpg) | `\\|` ![!](a.jpg) |",
        "a | b\n-|-\n![!](a.jpg) | | c\n | ![!](a.jpg)",
        "> | a |\n> |---|\n> | ![!](a.jpg) |",
        "x <img! src=a.jpg> <img src=a.jpg alt> \\<img src=a.jpg> `<img src=a.jpg>`",
        "<p align=center>\n    <img! src=a.jpg>\n</p>",
        "<div>\n![](a.jpg)\n\n![!](a.jpg)\n\n</div>",
        "- <img! src=a.jpg>\n\n  <p>\n      <img!\n  src=a.jpg></p>",
        "> <div>\n> <img! src=a.jpg>\n> </div>",
        "| <img! src=a.jpg> |\n|---|\n| <img! src=a.jpg> |",
        "x <!-- ![](a.jpg) <img src=a.jpg> --> ![!](a.jpg)",
        "<!--\n\n![](a.jpg)\n\n-->\n\n![!](a.jpg)",
        "<script>\n'<img src=a.jpg>'\n\n</script>\n\n![!](a.jpg)",
        "<picture>\n<source srcset=a.webp>\n<img! src=a.jpg>\n</picture>",
        "<https://x.org/![](a.jpg)> [a](<![](b)>) [a](b '![](c)')",
        "---\ntitle: '![](a.jpg)'\nx: <img src=a.jpg>\n---\n![!](a.jpg)",
        "{\n'title': '![](a.jpg)'\n}\n![!](a.jpg)",
        "+++\nx = '![](a.jpg)'\n+++\n![!](a.jpg)",
        "---\n\n![!](a.jpg)",
        "![!](file:///a.jpg) ![!](data:x) ![!](C:\\a.jpg) ![!](https://x.org/a.jpg)",
        "\0 ![!](a.jpg) \u2028 ![!](a.jpg) \x0b\x1c ![!](a.jpg)",
        "\u00a0\n\u2003\n![!](a.jpg)",
        "{% raw %}\n\n![!](a.jpg)\n\n{% endraw %} {{ x }} ![!](a.jpg)",
        "1. a\n\n    {% comment %}\n\n    ![](a.jpg)\n    {% endcomment %}\n\n    ![!](a.jpg)",
        "{% highlight html %}\n<img src=a.jpg>\n{% endhighlight %}\n\n![!](a.jpg)",
        "A {{ stands alone\n\n![!](a.jpg)\n\nand }} later, {% as\n\n![!](a.jpg) %}",
        "x[^1]\n\n[^1]: ![!](a.jpg)\n> [^b]: y ![!](a.jpg)",
        "Say `{{` and `}}` ![!](a.jpg) `}}`",
        "<?php echo '<img alt=x src=a.jpg>';\n\n?>\n\n![!](a.jpg)",
    ],
)  # fmt: skip
def test_pictures(text):
    """A "!" in the table is where a text is missing."""
    assert filled(re.sub(r"!\[!\]", "![]", text).replace("<img!", "<img")) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("![]({{ site.url }}/a.jpg)", "its address contains code"),
        ("![][one]\n\n[one]: {{ url }}", "its address contains code"),
        ("![]()", "has no address"),
        ("<code>![](a.jpg)</code>", "is in a <code> or <pre> element"),
        ("<pre><img src=a.jpg></pre>", "is in a <code> or <pre> element"),
        ("<?php echo '<img src=a.jpg>'; ?>", "is in code"),
        ("{{ '<img src=a.jpg>' }}", "is in code"),
        ("{{ f('![](a.jpg)') }}", "is in code"),
        ("<img src='{{ url }}'>", "its src contains code"),
        ("<img src={require('./a.jpg').default} />", "its src contains code"),
        ("![![](a.jpg)](b.jpg)", "has only pictures in place of a text"),
    ],
)
def test_what_is_left(text, reason):
    [picture] = markdown_pictures(text).missing
    assert picture.reason == reason


def test_sources_are_as_markdown_reads_them():
    text = "![](<a b.jpg>) ![](a\\_b.jpg) ![](a&amp;b.jpg) ![](a%20b.jpg) ![][x]\n\n[x]: <c d.jpg>"
    found = [each.sources for each in markdown_pictures(text).missing]
    assert found == [("a b.jpg",), ("a_b.jpg",), ("a&b.jpg",), ("a%20b.jpg",), ("c d.jpg",)]


@pytest.mark.parametrize(
    "text",
    [
        'import X from "x"\n\n![!](a.jpg)',
        "import X from '<img alt src=x>'\nexport const a = <img alt=x />\n\n![!](a.jpg)",
        "<Box>\n  ![!](a.jpg)\n\n    ![!](a.jpg)\n</Box>",
        "<img! src='a.jpg' />\n\n<img!\n  src='a.jpg'\n  width={3}\n/>",
        "{/* ![](a.jpg) <img src=a.jpg /> */} {f('![x](a.jpg)')}",
        "```jsx\n<img src=a.jpg />{\n```\n\n![!](a.jpg)",
        "`<img src=a.jpg />{` ![!](a.jpg)",
        "<img src={url} alt={t('x')} /> <img alt='' src={url} />",
    ],
)
def test_mdx(text):
    assert filled(text.replace("![!]", "![]").replace("<img!", "<img"), is_mdx=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "<img src={url} />", "<img {...all} src='a.jpg' />", "<Image src='a.jpg' />",
        "{open && <img src='a.jpg' />}", "export const a = {\n\n b: <img src='a.jpg' />}",
        "<img src='a.jpg' style={{\n  a: 1\n}} {...all} />",
    ],
)  # fmt: skip
def test_mdx_leaves_code(text):
    assert [bool(each.reason) for each in markdown_pictures(text, is_mdx=True).missing] == [True]


PIECES = [
    "![](a.jpg)", "![ ](a.jpg)", '![](<a b.jpg> "t")', "![][one]", "![\n](a.jpg)", "![x](a.jpg)",
    "`",
    "``", "```\n", "~~~\n", "    ", "\t", "\n", "\n\n", "> ", "- ", "1. ", "  ", "# ", " #\n",
    "===\n",
    "---\n", "| a | b |\n|---|---|\n", "|", "\\|", "\\", "[", "](x)", "](", "![",
    "<img src=a.jpg alt=x>",
    "<div>\n", "</div>\n", "<!--", "-->", "**", "_", "&amp;", "text", "\r\n", "\r",
    "[one]: a.jpg\n",
    "<a href='", "'>", "\0", "\u00a0", "\x0c", "\u2028", "~~",
]  # fmt: skip


def without_texts(page):
    return re.sub(r' alt="[^"]*"', "", page)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map(lambda pieces: "a\n" + "".join(pieces)))
def test_whatever_the_page_it_looks_the_same_afterwards(text):
    """Held against markdown-it's own pages: every picture gets a text, and nothing else changes."""
    before, after = REFERENCE.render(text), REFERENCE.render(filled(text))
    assert without_texts(after) == without_texts(before)
    if "![!" not in text and "![\n!" not in text:  # pictures in the place of texts are left
        assert not re.search(r'<img src="[^"]+" alt="\s*"', after)
