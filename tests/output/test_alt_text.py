"""Alternative texts: every gap filled, and nothing else touched."""

import pytest

from captioner.output.alt_text import fill, find_gaps, local_path

HTML = """<!doctype html>\r
<p>one < two & <IMG SRC="a.jpg"
   class=wide><img src='b c.jpg' alt="mine"><img alt src=c.jpg>
<!-- <img src="comment.jpg"> --><script>"<img src='script.jpg'>"</script>
<img src="sub/d.jpg?size=2#x" /><img src="https://example.org/e.jpg"><img>
<picture><source srcset="f.webp"><img src="f%20g.jpg"></picture>"""

MARKDOWN = r"""# Title ![](a.jpg) and ![mine](b.jpg)

![ ](<with space.jpg> "a title") ![](c_(1).jpg) \![](no.jpg) `![](code.jpg)`

```html
![](block.jpg) <img src="block.jpg">
```

    ![](indented.jpg)

> ```
> ![](quoted.jpg)
> ```

`` two lines
![](span.jpg) `` <!-- ![](comment.jpg) -->

<img src="d.jpg" width=3>
"""


def test_gaps_of_html():
    gaps = find_gaps(HTML)
    assert [gap.source for gap in gaps] == [
        "a.jpg", "sub/d.jpg?size=2#x", "https://example.org/e.jpg", "f%20g.jpg",
    ]  # fmt: skip
    assert all(
        gap.start == gap.end and HTML[gap.start - 3 : gap.end].lower() == "img" for gap in gaps
    )


def test_gaps_of_markdown():
    assert [gap.source for gap in find_gaps(MARKDOWN, markdown=True)] == [
        "a.jpg", "with space.jpg", "c_(1).jpg", "d.jpg",
    ]  # fmt: skip


def test_only_the_gaps_change():
    gaps = find_gaps(HTML)
    filled = fill(HTML, gaps, {gap.source: 'a "dog" & <cat>' for gap in gaps})
    assert filled.count(' alt="a &quot;dog&quot; &amp; &lt;cat&gt;"') == len(gaps)
    assert filled.replace(' alt="a &quot;dog&quot; &amp; &lt;cat&gt;"', "") == HTML
    assert find_gaps(filled) == []
    assert fill(HTML, gaps, {}) == HTML
    text = fill(MARKDOWN, find_gaps(MARKDOWN, True), {"a.jpg": "x [y]", "with space.jpg": "two"})
    assert r"![x \[y\]](a.jpg)" in text
    assert '![two](<with space.jpg> "a title")' in text
    assert "`![](code.jpg)`" in text


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("a.jpg", "a.jpg"), ("x/b%20c.jpg?v=1", "x/b c.jpg"), ("https://x.org/a.jpg", None),
        ("//x.org/a.jpg", None), ("data:image/png;base64,AA==", None), ("", None), ("#top", None),
        ("http://[", None),
    ],
)  # fmt: skip
def test_files_beside_the_page(source, path):
    assert local_path(source) == path
