"""The page of an OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.web.operations.api_docs import Field, Response, describe_type, read_fields, read_operations

A = "#/components/schemas/A"


@pytest.mark.parametrize(
    ("schema", "text", "name"),
    [
        ({"type": "string"}, "text", ""),
        ({"type": "boolean"}, "true or false", ""),
        ({"$ref": A}, "A", "A"),
        ({"type": "array", "items": {"$ref": A}}, "list of A", "A"),
        ({"type": "array"}, "list of anything", ""),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or nothing", ""),
        ({"anyOf": [{"type": "string"}, {"$ref": A}, {"type": "string"}]}, "text or A", "A"),
        ({"enum": ["stop", "again"]}, "“stop” or “again”", ""),
        ({}, "anything", ""),
    ],
)
def test_a_type_is_described_in_words(schema: dict[str, Any], text: str, name: str) -> None:
    assert describe_type(schema) == (text, name)


def test_properties_are_required_or_have_a_default() -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "number", "default": 0.5}, "c": {"$ref": A, "default": []}}
    assert read_fields({"properties": properties, "required": ["a"]}) == (
        Field("a", "", "text", "", required=True, default=""),
        Field("b", "", "number", "", required=False, default="0.5"),
        Field("c", "", "A", "A", required=False, default=""),
    )
    assert read_fields({"enum": ["x"]}) == ()


def test_an_operation_has_parameters_body_and_responses_in_order() -> None:
    content = {"content": {"application/json": {"schema": {"$ref": A}}}}
    operation = {
        "summary": "Do ``it``",
        "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}, "required": True}],
        "requestBody": content,
        "responses": {"404": {"description": "Not Found"}, "200": {"description": "OK", **content}},
    }
    ((tag, found),) = read_operations({"paths": {"/api/x/{id}": {"post": operation}}})
    assert (tag, found.id, found.method, found.summary, found.body) == ("more", "post-api-x-id", "POST", "Do `it`", "A")
    assert found.parameters == (Field("id", "path", "text", "", required=True, default=""),)
    assert found.responses == (Response("200", "OK", "A", "A"), Response("404", "Not Found", "", ""))
