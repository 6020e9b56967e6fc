"""Validates a document against a JSON Schema. Supports the part of draft 2020-12 that the schemas of Netmodes use;
other keywords are errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_KNOWN = frozenset(
    {
        "$defs", "$ref", "type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties",
        "items", "prefixItems", "minItems", "maxItems", "title", "description", "default", "discriminator",
        "contentEncoding",
    }
)  # fmt: skip
_TYPES: dict[str, Any] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


def _is(value: object, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def violations(document: object, schema: Mapping[str, Any]) -> list[str]:
    """Where the document violates the schema; empty if it is valid. AssertionError for an unknown keyword."""
    return list(_walk(document, schema, schema, "$"))


def _walk(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[str]:
    assert set(schema) <= _KNOWN, f"{place}: this reader does not know {set(schema) - _KNOWN}"
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        yield from _walk(value, target, root, place)
        return
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices and all(list(_walk(value, one, root, place)) for one in choices):
        yield f"{place}: {value!r} is none of {len(choices)} choices"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not in {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    kinds = schema.get("type")
    if kinds and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{place}: {value!r} is no {kinds}"
        return
    if isinstance(value, Mapping):
        yield from _walk_object(value, schema, root, place)
    if isinstance(value, list):
        yield from _walk_array(value, schema, root, place)


def _walk_object(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}: {name} is missing"
    others = schema.get("additionalProperties", properties == {})
    for name, one in value.items():
        if name in properties:
            yield from _walk(one, properties[name], root, f"{place}.{name}")
        elif isinstance(others, Mapping):
            yield from _walk(one, others, root, f"{place}.{name}")
        elif not others:
            yield f"{place}: {name} is not described"


def _walk_array(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    if len(value) < schema.get("minItems", 0) or len(value) > schema.get("maxItems", len(value)):
        yield f"{place}: {len(value)} items"
    for number, one in enumerate(value):
        rule = first[number] if number < len(first) else schema.get("items", True)
        if isinstance(rule, Mapping):
            yield from _walk(one, rule, root, f"{place}[{number}]")
        elif not rule:
            yield f"{place}: too many items"
