"""The description of the server for programs, in the form of OpenAPI 3.1."""

from captioner import __version__
from captioner.decoding import SETTINGS
from captioner.web.uploads import MOST_FILES, MOST_TOTAL

ERRORS = {
    400: "Not a picture, a damaged picture, a wrong setting, a form without a file, or a host that "
    "is not this machine's",
    401: "The key is missing or wrong",
    403: "The request comes from a web page of another site",
    413: "A file is too large, or all of them together",
    500: "A mistake of the server, recorded in its log",
    503: "Too many pictures are waiting; the header Retry-After says when to try again",
}
RAW, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"
TEXT = {"type": "string"}
FILE = {"type": "string", "format": "binary"}


def describe(model, limits, needs_key):
    """The server as an OpenAPI document.

    Args:
        model: Captioner, Ensemble or LiteCaptioner. Its stored settings are the defaults.
        limits: dict of int: `most_bytes`, `most_waiting`.
        needs_key: bool. Whether captions need a key.

    Returns:
        dict, as JSON has it.
    """
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "captioner",
            "version": __version__,
            "summary": "Captions for photographs",
            "description": _limits(**limits),
        },
        "paths": {
            "/caption": {"post": _caption_operation(model, needs_key)},
            "/health": {"get": _operation("Whether the server works", _ref("Health"), (400,))},
            "/metrics": {"get": _metrics_operation(needs_key)},
        },
        "components": {"schemas": _schemas()},
    }
    if needs_key:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return document


def settings_of_server(model):
    """The search settings of a server: a dict from names to (Setting, JSON schema)."""
    return {
        name: (each, each.schema(model.generation.get(name, each.default)))
        for name, each in SETTINGS.items()
    }


def _limits(most_bytes, most_waiting):
    megabytes = most_bytes // 2**20
    return (
        f"A picture file may have {megabytes} MB; one request may have {MOST_FILES} files and "
        f"{MOST_TOTAL * megabytes} MB. When {most_waiting} pictures are waiting, more are refused. "
        "Every error is JSON: {\"error\": \"what is wrong\"}."
    )  # fmt: skip


def _caption_operation(model, needs_key):
    settings = settings_of_server(model)
    fields = {
        name: schema | {"description": _help(each)} for name, (each, schema) in settings.items()
    }
    picture = {"description": f"One picture, or up to {MOST_FILES}; the field may have any name"}
    operation = _operation(
        "Caption pictures",
        {"oneOf": [_ref("Answer"), {"type": "array", "items": {
            "oneOf": [_ref("NamedAnswer"), _ref("NamedError")]}}]},
        sorted({400, 403, 413, 500, 503} | ({401} if needs_key else set())),
        _key(needs_key),
    )  # fmt: skip
    return operation | {
        "description": "The body is a picture file, whatever its content type, or a form with one "
        "or several files. Several files are answered by a list in the same order, in which a file "
        "that cannot be captioned has an error. Search settings are given in the query, or as "
        "fields of the form; a field overrides the query.",
        "parameters": [
            {"name": name, "in": "query", "description": _help(each), "schema": schema}
            for name, (each, schema) in settings.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                RAW: {"schema": FILE},
                "image/*": {"schema": FILE},
                FORM: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {"type": "array", "items": FILE, **picture},
                            **fields,
                        },
                        "required": ["file"],
                    }
                },
            },
        },
    }


def _metrics_operation(needs_key):
    operation = _operation(
        "Counters for Prometheus: requests, errors, seconds, pictures, batches", TEXT,
        (400, 401) if needs_key else (400,), _key(needs_key),
    )  # fmt: skip
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": TEXT}}
    return operation


def _operation(summary, answer, errors, security=None):
    responses = {"200": {"description": "Done", "content": {JSON: {"schema": answer}}}}
    for status in errors:
        content = {JSON: {"schema": _ref("Error")}}
        responses[str(status)] = {"description": ERRORS[status], "content": content}
    return {"summary": summary, "responses": responses} | (security or {})


def _key(needs_key):
    return {"security": [{"bearer": []}, {"header": []}]} if needs_key else {}


def _help(setting):
    methods = f"; with method {' or '.join(setting.methods)}" if len(setting.methods) == 1 else ""
    return f"{setting.help[0].upper()}{setting.help[1:]}{methods}"


def _ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(schema, description):
    return {"type": "array", "items": schema, "description": description}


def _object(required, **properties):
    return {"type": "object", "properties": properties, "required": required}


def _schemas():
    number = {"type": "number"}
    error = {"type": "string", "description": "What is wrong, in one line"}
    file = {"type": "string", "description": "The name of the file, as the form gave it"}
    weights = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    caption = _object(
        ["text", "score", "words", "word_scores"],
        text={"type": "string", "description": "The sentence"},
        score=number | {"description": "Log-probability, normalised by length"},
        confidence=number | {
            "minimum": 0, "maximum": 1,
            "description": "How often captions like this one are right; absent where the model "
            "cannot say it",
        },
        words=_list_of(TEXT, "The words one by one"),
        word_scores=_list_of(number, "The log-probability of each word, the end's last"),
        attention=_list_of(weights, "Where each word looked: rows of 0 to 255; absent for models "
                           "without attention"),
    )  # fmt: skip
    answer = {
        "caption": {"type": "string", "description": "The best caption"},
        "captions": _list_of(_ref("Caption"), "n_best captions, best first"),
    }
    return {
        "Caption": caption,
        "Answer": _object(list(answer), **answer),
        "NamedAnswer": _object(["file", *answer], file=file, **answer),
        "NamedError": _object(["file", "error"], file=file, error=error),
        "Error": _object(["error"], error=error),
        "Health": _object(
            ["status", "version", "model", "waiting"],
            status={"const": "ok"}, version=TEXT, model=TEXT,
            waiting={"type": "integer", "description": "Pictures that wait"},
        ),
    }  # fmt: skip
