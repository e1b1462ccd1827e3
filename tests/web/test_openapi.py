"""The description for programs: valid, complete, and what the server does."""

import pytest
from fastapi.openapi.models import OpenAPI, PathItem

from captioner.decoding import SETTINGS
from captioner.web.openapi import describe
from captioner.web.uploads import settings_in
from tests.web.conftest import PNG, client_of

LIMITS = {"most_bytes": 2**20, "most_waiting": 64}


def parameters(document):
    return {
        each["name"]: each["schema"] for each in document["paths"]["/caption"]["post"]["parameters"]
    }


@pytest.mark.parametrize("needs_key", [False, True])
def test_it_is_openapi(tiny_captioner, needs_key):
    document = describe(tiny_captioner, LIMITS, needs_key)
    OpenAPI.model_validate(document)
    operation = PathItem.model_validate(document["paths"]["/caption"]).post
    assert set(operation.requestBody.content) >= {"application/octet-stream", "multipart/form-data"}
    assert ("401" in operation.responses) == needs_key
    assert bool(operation.security) == needs_key
    assert ("securitySchemes" in document["components"]) == needs_key


def test_every_reference_leads_somewhere(tiny_captioner):
    def references(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            part = list(part.values())
        for each in part if isinstance(part, list) else ():
            yield from references(each)

    document = describe(tiny_captioner, LIMITS, True)
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= schemas


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_described_with_the_range_that_counts(tiny_captioner, name):
    schema = parameters(describe(tiny_captioner, LIMITS, False))[name]
    for end in ("default", "minimum", "maximum"):
        if end in schema:
            text = str(schema[end]).lower()
            assert settings_in({name: text}) == {name: schema[end]}
    setting = SETTINGS[name]
    assert ("maximum" in schema) == (setting.most is not None or setting.http_most is not None)
    assert schema.get("exclusiveMinimum") == setting.above


def test_the_defaults_are_those_of_the_model(tiny_captioner, monkeypatch):
    monkeypatch.setitem(tiny_captioner.generation, "beam_size", 7)
    document = describe(tiny_captioner, LIMITS, False)
    assert parameters(document)["beam_size"]["default"] == 7
    form = document["paths"]["/caption"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["beam_size"]["default"] == 7
    assert SETTINGS["n_best"].schema(1)["default"] == 1


def test_every_path_of_it_is_answered(tiny_captioner):
    with client_of(tiny_captioner) as client:
        document = client.get("/openapi.json").json()
        answers = {
            path: client.post(path, content=PNG) if "post" in each else client.get(path)
            for path, each in document["paths"].items()
        }
    assert {each.status_code for each in answers.values()} == {200}
    schemas = document["components"]["schemas"]
    for path, name in (("/caption", "Answer"), ("/health", "Health")):
        assert set(answers[path].json()) == set(schemas[name]["properties"])
    [caption] = answers["/caption"].json()["captions"]
    assert set(schemas["Caption"]["required"]) == set(caption)
    assert set(caption) < set(schemas["Caption"]["properties"])
