"""Every shape has a schema, and the schema names what the type has."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

import pytest

from dashboard.core.operations.json_schemas import SHAPES, schema_of


def test_the_shapes_have_the_names_of_their_contracts() -> None:
    named = {"comparison/1", "doctor/1", "measurement/1", "claims/1", "report/1", "session-report/1"}
    assert set(SHAPES) == named


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_has_a_json_schema_that_names_all_its_parts(name: str) -> None:
    schema = schema_of(name)
    assert json.dumps(schema)
    one: Any = SHAPES[name]
    inner = get_args(one)
    if inner:
        assert schema["type"] == "array"
        one, schema = inner[0], {**schema["items"], "$defs": schema["$defs"]}
    part = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert part["type"] == "object"
    assert set(part["properties"]) == {field.name for field in fields(one)}
    assert set(part["required"]) <= set(part["properties"])


def test_a_shape_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        schema_of("comparison/2")
