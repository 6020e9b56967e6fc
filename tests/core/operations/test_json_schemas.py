"""Every JSON document has a schema with the fields of its type."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

import pytest

from dashboard.core.operations.json_schemas import DOCUMENT_TYPES, schema_of


def test_the_documents_have_their_public_names() -> None:
    named = {"comparison/1", "doctor/1", "measurement/1", "claims/1", "report/1", "session-report/1"}
    assert set(DOCUMENT_TYPES) == named


@pytest.mark.parametrize("name", list(DOCUMENT_TYPES))
def test_every_document_has_a_schema_with_all_fields(name: str) -> None:
    schema = schema_of(name)
    assert json.dumps(schema)
    document: Any = DOCUMENT_TYPES[name]
    inner = get_args(document)
    if inner:
        assert schema["type"] == "array"
        document, schema = inner[0], {**schema["items"], "$defs": schema["$defs"]}
    part = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert part["type"] == "object"
    assert set(part["properties"]) == {field.name for field in fields(document)}
    assert set(part["required"]) <= set(part["properties"])


def test_an_unknown_document_is_an_error() -> None:
    with pytest.raises(KeyError):
        schema_of("comparison/2")
