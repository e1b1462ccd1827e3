"""The tags of a page: what browsers take for one, and what they do not."""

import pytest

from captioner.output.html_tags import tags


def names(text, **settings):
    return [("/" if tag.closes else "") + tag.name for tag in tags(text, **settings)]


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("<img src=a.jpg>", {"src": "a.jpg"}),
        ("<img\n\tsrc = 'a b.jpg'\falt>", {"src": "a b.jpg", "alt": ""}),
        ('<IMG SRC="a>b.jpg"/>', {"src": "a>b.jpg"}),
        ("<img/src=a.jpg/>", {"src": "a.jpg/"}),
        ("<img src=a.jpg src=b.jpg>", {"src": "a.jpg"}),
        ('<img src="a&amp;b.jpg?x=1&copy=2">', {"src": "a&b.jpg?x=1&copy=2"}),
        ("<img src=&#x61;&#98;&eacute;.jpg>", {"src": "abé.jpg"}),
        ('<img src="a.jpg"alt="x">', {"src": "a.jpg", "alt": "x"}),
        ("<img =src=a.jpg>", {"=src": "a.jpg"}),
        ("<img src=\u00a0a.jpg>", {"src": "\u00a0a.jpg"}),  # not a space in HTML
    ],
)
def test_attributes(text, attributes):
    [tag] = tags(text)
    assert tag.attributes == attributes
    assert text[tag.start : tag.end] == text


@pytest.mark.parametrize(
    "text",
    [
        "<!-- <img> -->", "<!-- <img> --!>", "<!-- <img>", "<!doctype html '<img'>", "<? <img ?>",
        "</ <img>", "< img>", "<3", "<![CDATA[ <img> ]]>", "<img src='a.jpg>", "<img", "&lt;img>",
    ],
)  # fmt: skip
def test_what_is_no_tag(text):
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<!--><b>", ["b"]),
        ("<!---><b>", ["b"]),
        ("<!-- --!> <b> -->", ["b"]),
        ("<![CDATA[x<i> <b>", ["b"]),  # without an end, it ends as a declaration does
        ("</><b>", ["b"]),
        ('<script>"<img>"</script><b>', ["script", "/script", "b"]),
        ("<SCRIPT></scripty><img></Script ><b>", ["SCRIPT", "/Script", "b"]),
        ("<script><!-- <script> </script> <img> --></script><b>", ["script", "/script", "b"]),
        ("<script><!--></script><b>", ["script", "/script", "b"]),
        ("<style><img></style><b>", ["style", "/style", "b"]),
        ("<title><img></title><textarea><img></textarea>",
         ["title", "/title", "textarea", "/textarea"]),
        ("<plaintext><img>", ["plaintext"]),
        ("<script><img>", ["script"]),
        ("<noscript><img></noscript>", ["noscript", "img", "/noscript"]),
        ("<template><img></template>", ["template", "img", "/template"]),
        ("<svg><style/><b>", ["svg", "style", "b"]),
        ("<svg><p><script/><img>", ["svg", "p", "script"]),  # <p> has ended the drawing
    ],
)  # fmt: skip
def test_raw_text(text, found):
    assert names(text) == found


def test_xhtml_has_empty_scripts():
    assert names("<script src='x.js'/><img>", is_xml=True) == ["script", "img"]
    assert names("<script src='x.js'/><img>") == ["script"]
