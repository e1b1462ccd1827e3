"""Code in pages: where it begins and ends."""

import pytest

from captioner.output.template_code import CODE, Code, find_code, masked, overlaps


def code_of(text, syntax="html"):
    return [text[each.start : each.end] for each in find_code(text, syntax)]


@pytest.mark.parametrize(
    "code",
    [
        "<?php $o->f(); ?>",
        '<?php echo "<img src=\'a.jpg\'> ?> \\" "; ?>',
        "<?php // don't ?>",
        "<?php # it's\n echo '?>'; ?>",
        "<?php /* ' ?> */ f() ?>",
        '<?php $x = <<<HTML\n<img src="it\'s ?>.jpg">\nHTML;\n?>',
        "<?php $x = <<<'A'\n?>\n  A; ?>",
        "<?= $url ?>",
        "<? if (1 > 0): ?>",
        "<%= '<img src=a.jpg>' %>",
        "<%-- <img src=a.jpg> --%>",
        "{{ '<img src=a.jpg>' | safe }}",
        "{{!-- }} --}}",
        "{{-- <img> --}}",
        "{{/* }} */}}",
        "{% set x = '<img src=a.jpg>' %}",
        "{# <img src=a.jpg> #}",
        "{!! '<img src=a.jpg>' !!}",
        "{% comment %} <img src=a.jpg> {% endcomment %}",
        "{%- highlight html -%} <img src=a.jpg> {%- endhighlight -%}",
        "@php $x = '<img src=a.jpg>' @endphp",
        "@section('title', '<p>(<img src=a.jpg>')",
        '@Html.Raw("<img src=a.jpg>")',
        '@{ var x = "<p>}<img src=a.jpg></p>"; if (y) { z(); } }',
        '@functions { string x = "<img src=a.jpg>"; }',
        "@* <img src=a.jpg> *@",
        "<#-- <img src=a.jpg> -->",
    ],
)
def test_code_in_html(code):
    assert code_of(f"<p>{code}<b>") == [code]


def test_php_that_is_not_closed_goes_on_to_the_end():
    assert code_of("<p><?php echo '<img src=a.jpg>';") == ["<?php echo '<img src=a.jpg>';"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ <img>", "{% <img>", "{# <img>", "<% <img>", "{#title} and {#b}", "{% comment %",
        "<!-- {{ x }} -->", "<script>{{ x }}</script>", "<style>{{ x }}</style>", "a { b } c",
    ],
)  # fmt: skip
def test_what_is_not_code_in_html(text):
    assert not [each for each in code_of(text) if each != "{% comment %"]


@pytest.mark.parametrize(
    ("syntax", "text", "code"),
    [
        ("braces", "<p>{a ? '}' : `}`}</p>", ["{a ? '}' : `}`}"]),
        ("braces", "{#if x}<img>{/if}", ["{#if x}", "{/if}"]),
        ("braces", "{() => {return {a: 1}}} {/* } */}", ["{() => {return {a: 1}}}", "{/* } */}"]),
        ("braces", "---\nconst a = '<img>'\n---\n<b>", ["---\nconst a = '<img>'\n---"]),
        ("braces", "<p>{ never closed <img>", ["{ never closed <img>"]),
        ("braces", "<script>{</script>{a}", ["{a}"]),
        ("markdown", "```\n{{ a }}\n```\n{{ b }}", ["{{ b }}"]),
        ("markdown", "~~~ x\n{{ a }}\n", []),
        ("markdown", "`{{ a }}` {{ b }}", ["{{ b }}"]),
        ("markdown", "<?php is HTML's affair ?>", []),
        ("mdx", "import X from 'x'\n\n{a}", ["import X from 'x'", "{a}"]),
        ("mdx", "export const a = {\n\n b: '<img>'}\nlast\n\nb", [
            "export const a = {\n\n b: '<img>'}\nlast"]),
        ("mdx", "```js\nf({\n```\n- 1. ~~~\n  f({\n  ~~~\n{a}", ["{a}"]),
        ("markdown", "={a} $x={ \n\n }$", ["{a}"]),
        ("html", "<code>{{</code> <code>}}</code> {{ a }}", ["{{ a }}"]),
        ("php", "{{ a }}<?= 1 ?>", ["<?= 1 ?>"]),
    ],
)  # fmt: skip
def test_code_of_other_syntaxes(syntax, text, code):
    assert code_of(text, syntax) == code


def test_masked_keeps_places():
    text = "a{{ b }}c"
    hidden = masked(text, find_code(text, "html"))
    assert hidden == "a" + CODE * 7 + "c"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 5, False), (0, 6, True), (7, 8, True), (8, 20, False), (19, 30, True), (25, 30, False)],
)
def test_overlaps(start, end, expected):
    assert overlaps([Code(5, 8), Code(20, 25)], start, end) == expected
