"""The description of the server for people: a page made from its OpenAPI document."""

from html import escape

START = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>captioner: from a script</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
</head>
<body class="reference">
<header><h1>captioner</h1><nav><a href="/">Caption photos</a>
<a href="/openapi.json">openapi.json</a></nav></header>
<main>
"""
END = "</main>\n</body>\n</html>\n"
EXAMPLE = """<h2>Examples</h2>
<pre><code>curl --data-binary @photo.jpg 'http://localhost:8000/caption?beam_size=5&amp;n_best=3'
curl -F file=@one.jpg -F file=@two.jpg -F method=greedy http://localhost:8000/caption</code></pre>
<pre><code>import httpx

answer = httpx.post("http://localhost:8000/caption", content=open("photo.jpg", "rb").read())
print(answer.json()["caption"])</code></pre>
"""


def reference_page(document):
    """A page that describes the server, which needs no script.

    Args:
        document: dict. From `openapi.describe`.

    Returns:
        str. HTML.
    """
    info = document["info"]
    parts = [START, f"<h2>{escape(info['summary'])}</h2>\n<p>{escape(info['description'])}</p>\n"]
    parts += [_key(document["components"].get("securitySchemes")), EXAMPLE]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(f"{method.upper()} {path}", operation)
    parts.append("<h2>Schemas</h2>\n")
    for name, schema in document["components"]["schemas"].items():
        rows = [
            (each, _kind(part), part.get("description", ""))
            for each, part in schema["properties"].items()
        ]
        parts.append(f'<h3 id="{escape(name)}">{escape(name)}</h3>\n')
        parts.append(_table(("name", "type", "meaning"), rows))
    return "".join([*parts, END])


def _key(schemes):
    if not schemes:
        return ""
    return (
        "<p>This server needs a key, as <code>Authorization: Bearer KEY</code> or "
        "<code>X-API-Key: KEY</code>.</p>\n"
    )


def _operation(title, operation):
    yield f"<h2><code>{escape(title)}</code></h2>\n<p>{escape(operation['summary'])}.</p>\n"
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}</p>\n"
    if "security" in operation:
        yield "<p>Needs the key.</p>\n"
    if "parameters" in operation:
        yield "<h3>Search settings</h3>\n"
        rows = [
            (each["name"], _kind(each["schema"]), _text(each["schema"]["default"]),
             each["description"])
            for each in operation["parameters"]
        ]  # fmt: skip
        yield _table(("name", "value", "default", "meaning"), rows)
    if "requestBody" in operation:
        yield "<h3>Body</h3>\n"
        content = operation["requestBody"]["content"]
        rows = [(kind, _body(body["schema"])) for kind, body in content.items()]
        yield _table(("content type", "content"), rows)
    yield "<h3>Answers</h3>\n"
    rows = [
        (status, each["description"], _content(each["content"]))
        for status, each in operation["responses"].items()
    ]
    yield _table(("status", "meaning", "content"), rows)


def _body(schema):
    if schema["type"] != "object":
        return "the picture file"
    file, *settings = schema["properties"].items()
    return f"{file[0]}: {file[1]['description'].lower()}; and any of the {len(settings)} settings"


def _content(content):
    [(kind, each)] = content.items()
    return f"{kind}: {_kind(each['schema'])}"


def _kind(schema):
    """A JSON schema in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "oneOf" in schema:
        return " or ".join(_kind(each) for each in schema["oneOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"list of ({_kind(schema['items'])})"
    least, above, most = (schema.get(x) for x in ("minimum", "exclusiveMinimum", "maximum"))
    low = "" if least is None else f" from {least}"
    low = low if above is None else f" above {above}"
    return schema["type"] + low + ("" if most is None else f" to {most}")


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(heads, rows):
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(each, n)}</td>' for n, each in enumerate(row))}</tr>\n"
        for row in rows
    )
    return f'<div class="table"><table>\n<tr>{head}</tr>\n{body}</table></div>\n'


def _cell(text, column):
    return f"<code>{escape(text)}</code>" if column == 0 else escape(text)
