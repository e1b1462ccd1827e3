"""The pictures of HTML that need an alternative text, and those that must be left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.output.html_pictures import html_pictures, pictures_in_code
from captioner.output.html_tags import tags
from captioner.output.template_code import Code, find_code, masked


def pictures(text, **settings):
    return html_pictures(masked(text, find_code(text, "html")), **settings)


def reasons(text, **settings):
    return [each.reason for each in pictures(text, **settings).missing]


@pytest.mark.parametrize(
    ("tag", "sources"),
    [
        ("<img src=a.jpg>", ["a.jpg"]),
        ("<IMG ID=x SRC=' a.jpg '>", ["a.jpg"]),
        ("<image src=a.jpg>", ["a.jpg"]),  # as browsers read it
        ("<img src=a.jpg title=x>", ["a.jpg"]),  # a title is no alternative text
        ("<img src=a.jpg role=img aria-label=' '>", ["a.jpg"]),
        ("<img src=a.jpg aria-hidden=false>", ["a.jpg"]),
        ('<img data-src="a.jpg" src="data:image/gif;base64,R0">', ["a.jpg",
        "data:image/gif;base64,R0"]),
        ("<img src=wait.gif data-original=a.jpg>", ["a.jpg", "wait.gif"]),
        ("<img srcset='a.jpg 1x, b,c.jpg 2x'>", ["a.jpg", "b,c.jpg"]),
        ("<img src=s.jpg data-srcset=' a.jpg 480w,\n b.jpg , '>", ["a.jpg", "b.jpg", "s.jpg"]),
        ("<picture><source srcset='a.webp, b.webp 2x'><source><img src=a.jpg></picture>",
         ["a.jpg", "a.webp", "b.webp"]),
        ("<video><source srcset=a.webp><img src=a.jpg></video>", ["a.jpg"]),
        ("<picture><source srcset=b.webp></picture><img src=a.jpg>", ["a.jpg"]),
        ("<img src=a.jpg class='{{ c }}' onclick=\"f({a: 1})\">", ["a.jpg"]),
        ("<img src=a.jpg :class=c v-if=x @click='y' #ref *ngIf=z [class.a]=b on:load=f>",
        ["a.jpg"]),
        ("<img src=a.jpg on:click|once=f class:a-[1]=b hx-on::load=f [@fade]=x [style.top.%]=y>",
         ["a.jpg"]),
        ("<img src=a.jpg srcset='{{ s }}'>", ["a.jpg"]),
        ("<img ngSrc=a.jpg>", ["a.jpg"]),
        ("<noscript><img src=a.jpg></noscript>", ["a.jpg"]),
        ("<template><img src=a.jpg></template>", ["a.jpg"]),
        ("<pre><code><img src=a.jpg></code></pre>", ["a.jpg"]),
        ("{% if x %}<img src=a.jpg>{% endif %}", ["a.jpg"]),
    ],
)  # fmt: skip
def test_pictures_to_fill(tag, sources):
    [picture] = pictures(tag).missing
    assert picture.reason is None
    assert list(picture.sources) == sources
    assert tag[: picture.start].lower().endswith(("<img", "<image"))


@pytest.mark.parametrize(
    "tag",
    [
        "<img src=a.jpg alt>", "<img src=a.jpg alt=''>", "<img ALT=x src=a.jpg>",
        "<img src=a.jpg alt='{{ x }}'>", "<img src=a.jpg alt={x}>",
        "<img src=a.jpg role=presentation>", "<img src=a.jpg role='NONE img'>",
        "<img src=a.jpg aria-hidden=true>", "<img src=a.jpg aria-label=cat>",
        "<img src=a.jpg aria-labelledby=cat>", "<!-- <img src=a.jpg> -->",
        "<script>'<img src=a.jpg>'</script>", "<p title='<img src=a.jpg>'>", "<imgs src=a.jpg>",
        "<input type=image src=a.jpg alt=Search>", "<input type=image src=a.jpg title=Search>",
        "<input type=text src=a.jpg>", "<area alt=x href=y>", "<area shape=default>",
        "<svg role=img><image href=a.jpg></svg>",
        "<svg aria-hidden=true><g><image href=a></g></svg>",
        "<svg><image href=a.jpg><title>A cat</title></image></svg>",
        "<svg><image href=a.jpg aria-label=cat /></svg>",
    ],
)  # fmt: skip
def test_nothing_is_missing(tag):
    assert pictures(tag).missing == []


@pytest.mark.parametrize(
    "attribute",
    [
        ":alt=t", "v-bind:alt=t", "[alt]=t", "[attr.alt]=t", "x-bind:alt=t", "bind:alt=t",
        "alt.bind=t",
        "bind-alt=t", "ng-attr-alt=t", "th:alt=t", "data-th-alt=t", "alt$=t", ".alt=t",
        "t-att-alt=t",
        ":alt", ":aria-label=t", "[attr.aria-label]=t", ":alt.camel=t",
    ],
)  # fmt: skip
def test_a_text_that_code_computes_is_counted(attribute):
    found = pictures(f"<img src=a.jpg {attribute}>")
    assert found.missing == []
    assert found.bound == 1


@pytest.mark.parametrize(
    "tag",
    [
        "<img :src=u>", "<img v-bind:src=u>", "<img [src]=u>", "<img [attr.src]=u>",
        "<img [(src)]=u>",
        "<img x-bind:src=u>", "<img bind:src=u>", "<img src.bind=u>", "<img ng-src=u>",
        "<img th:src=u src=a.jpg>", "<img src$=u>", "<img :data-src=u src=a.jpg>",
        "<img [ngSrc]=u>",
        "<img v-bind=all src=a.jpg>", "<img x-bind=all src=a.jpg>", "<img :[key]=x src=a.jpg>",
        "<img v-bind:[key]=x src=a.jpg>", "<img {...all} src=a.jpg>", "<img {src}>",
        "<img src={u}>",
        "<img src={`a.jpg`}>", "<img src='{{ u }}'>", "<img src='img/{{ n }}.jpg'>",
        "<img src=[[u]]>",
        "<img src='${u}'>", "<img src='$(u)'>", "<img src=@Model.Url>", "<img src='<?= $u ?>'>",
        "<img src=\"<?php echo $a > 1 ? 'x' : \"y\" ?>\">", "<img src='<%= u %>'>",
        "<img src=a.jpg <?php if ($a > 1) echo 'alt=\"x\"'; ?>>",
        "<img src=a.jpg {{ attributes }}>",
        "<img {% if x %}src=a.jpg{% endif %}>", "<img src=wait.jpg data-src='{{ u }}'>",
        "<img src=a.jpg data-bind='attr: {alt: title}'>", "<img src=a.jpg data-i18n='[alt]cat'>",
        "<img src=a.jpg th:attr='alt=#{x}'>", "<img src=a.jpg data-i18n-alt=cat>",
        "<img src='a.jpg\"' \">", "<img src=\"<c:url value='/a.jpg'/>\">", "<img src=a.jpg <b>",
        "<img src=a.jpg ...attributes>",
    ],
)  # fmt: skip
def test_code_or_broken_attributes_are_left(tag):
    [reason] = reasons(tag)
    assert "code" in reason


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("<img>", "has no address"),
        ("<img src='' srcset=' , '>", "has no address"),
        ("<input type=IMAGE src=a.jpg>", "is a button"),
        ("<area href=x>", "is a link of an image map"),
        ("<svg><image href=a.jpg /></svg>", "is in SVG"),
        ("<svg><image href=a.jpg></image><title>A cat</title></svg>", "is in SVG"),
        ("<#assign x = '<img src=a.jpg>'>", "is text in quotes"),
        ("<img src=a.jpg width=1 height=1>", "is one pixel"),
    ],
)
def test_what_a_caption_cannot_say(tag, reason):
    [found] = reasons(tag)
    assert found.startswith(reason)


def test_components_are_left():
    text = (
        "<Image src=a.jpg /><NextImg src=a.jpg /><img src=a.jpg /><Card /><Image alt=x src=a.jpg />"
    )
    found = reasons(text, has_components=True)
    assert found == ["is a component, not HTML", "is a component, not HTML", None]
    assert len(pictures(text).missing) == 2  # <IMAGE> in plain HTML is a picture


def test_the_first_base_with_an_address_counts():
    assert pictures("<base target=x><base href=b/><base href=c/>").base == "b/"
    assert pictures("<img src=a.jpg>").base == ""


def test_pictures_in_code():
    text = "{{ '<img src=a.jpg><img alt=x><img data-alt=y>' }}{# <img src=c.jpg> #}"
    found = pictures_in_code(text, find_code(text, "html"))
    assert [text[each.start :][:9] for each in found] == ["<img src=", "<img data"]
    assert {each.reason for each in found} == {"is in code"}


def test_elements_of_code():
    text = "<pre>x<code>y</code>z</pre><p><code>w</code><code>"
    assert html_pictures(text).code_elements == [Code(0, 27), Code(30, 44)]


PIECES = [
    "<img src=a.jpg>", "<IMG\nSRC='a.jpg'/>", "<img/src=a.jpg", "<img src=a.jpg alt>", ">", "<",
    "</",
    "<!--", "-->", "--!>", "<!", "<![CDATA[", "]]>", "<?php ", "?>", "{{", "}}", "<script>", "'",
    "</script>", "<style>", "</style>", "<title>", "</title>", '"', "<p title='", "<svg>",
    "</svg>", "=",
    "<a b=\"", " ", "\n", "text", "<!-->", "<script><!--<script>", "@x(", ")", "<picture>",
    "{% x %}",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
def test_whatever_the_page_only_its_texts_change(text):
    """Once texts are written, no picture lacks one, and every tag is what it was."""
    filled = text
    for each in reversed(pictures(text).missing):
        if each.reason is None:
            filled = filled[: each.start] + ' alt="a dog"' + filled[each.end :]
    assert not [each for each in pictures(filled).missing if each.reason is None]
    assert tags_without_texts(filled) == tags_without_texts(text)


def tags_without_texts(text):
    return [
        (tag.name, {**tag.attributes, "alt": None}, tag.closes, tag.is_empty)
        for tag in tags(masked(text, find_code(text, "html")))
    ]
