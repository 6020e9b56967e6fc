"""dashboard.web.operations.api_docs: an OpenAPI document in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.web.operations.api_docs import Answered, Field, read_fields, read_operations, say_type

A = "#/components/schemas/A"


@pytest.mark.parametrize(
    ("schema", "words", "shape"),
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
def test_a_type_is_said_in_words(schema: dict[str, Any], words: str, shape: str) -> None:
    assert say_type(schema) == (words, shape)


def test_members_say_what_happens_if_they_are_left_out() -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "number", "default": 0.5}, "c": {"$ref": A, "default": []}}
    assert read_fields({"properties": properties, "required": ["a"]}) == (
        Field("a", "", "text", "", required=True, default=""),
        Field("b", "", "number", "", required=False, default="0.5"),
        Field("c", "", "A", "A", required=False, default=""),
    )
    assert read_fields({"enum": ["x"]}) == ()


def test_an_operation_has_its_parameters_its_body_and_its_answers_in_order() -> None:
    content = {"content": {"application/json": {"schema": {"$ref": A}}}}
    one = {
        "summary": "Do ``it``",
        "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}, "required": True}],
        "requestBody": content,
        "responses": {"404": {"description": "Not Found"}, "200": {"description": "OK", **content}},
    }
    ((tag, found),) = read_operations({"paths": {"/api/x/{id}": {"post": one}}})
    assert (tag, found.id, found.method, found.summary, found.body) == ("more", "post-api-x-id", "POST", "Do `it`", "A")
    assert found.parameters == (Field("id", "path", "text", "", required=True, default=""),)
    assert found.answers == (Answered("200", "OK", "A", "A"), Answered("404", "Not Found", "", ""))
