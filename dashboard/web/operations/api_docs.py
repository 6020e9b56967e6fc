"""The page of the HTTP API, drawn from its OpenAPI document: no script, no other policy than any page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

Schema = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
_REFERENCE = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of an object. ``shape`` names the schema to look at, if its type is one of ours."""

    name: str
    where: str
    type: str
    shape: str
    required: bool
    default: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One status that comes back."""

    status: str
    meaning: str
    type: str
    shape: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Field, ...]
    body: str
    answers: tuple[Answered, ...]


def say_type(schema: Schema) -> tuple[str, str]:
    """The type in words, and the name of the schema in it, if there is one."""
    if (reference := str(schema.get("$ref", ""))).startswith(_REFERENCE):
        name = reference.removeprefix(_REFERENCE)
        return name, name
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        said = [say_type(one) for one in choices]
        words = " or ".join(dict.fromkeys(text for text, _shape in said))
        return words, next((shape for _text, shape in said if shape), "")
    if schema.get("enum"):
        return " or ".join(f"“{one}”" for one in schema["enum"]), ""
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        text, shape = say_type(schema.get("items", {}))
        return f"list of {text}", shape
    return {"null": "nothing", "string": "text", "boolean": "true or false"}.get(kind, kind), ""


def read_fields(schema: Schema) -> tuple[Field, ...]:
    """The members of an object."""
    required = set(schema.get("required", ()))
    return tuple(
        _field(name, "", one, needed=name in required) for name, one in dict(schema.get("properties", {})).items()
    )


def _field(name: str, where: str, schema: Schema, *, needed: bool) -> Field:
    text, shape = say_type(schema)
    default = schema.get("default")
    return Field(name, where, text, shape, needed, str(default) if default or default == 0 else "")


def _content(holder: Schema) -> Schema:
    found: Schema = dict(holder.get("content", {})).get("application/json", {}).get("schema", {})
    return found


def read_operations(document: Schema) -> Iterator[tuple[str, Operation]]:
    """Each operation with its tag, in the document's order."""
    for path, methods in dict(document["paths"]).items():
        for method in METHODS:
            if (one := methods.get(method)) is None:
                continue
            parameters = tuple(
                _field(each["name"], each["in"], each["schema"], needed=each.get("required", False))
                for each in one.get("parameters", ())
            )
            answers = tuple(
                Answered(str(status), answer["description"], *(say_type(content) if content else ("", "")))
                for status, answer in sorted(dict(one.get("responses", {})).items(), key=lambda item: str(item[0]))
                for content in [_content(answer)]
            )
            about = str(one.get("description", "")).replace("``", "`")
            body = say_type(_content(one.get("requestBody", {})))[1]
            summary = str(one.get("summary", "")).replace("``", "`")
            identity = f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}"
            yield (
                (one.get("tags") or ["more"])[0],
                Operation(identity, method.upper(), path, summary, about, parameters, body, answers),
            )


class Documentation(DocsBase):
    """What ``/api/docs`` shows."""

    _said: dict[str, Any] | None = None

    def render_page(self, request: HttpRequest, api: NinjaAPI, **_kwargs: Any) -> HttpResponse:
        """The whole document as one page."""
        if self._said is None:  # The routes do not change while the server runs.
            document = api.get_openapi_schema()
            groups: dict[str, list[Operation]] = {}
            for tag, operation in read_operations(document):
                groups.setdefault(tag, []).append(operation)
            shapes = {name: read_fields(one) for name, one in dict(document["components"]["schemas"]).items()}
            self._said = {"groups": groups, "shapes": shapes, "version": api.version}
        return render(request, "operations/api_docs.html", self._said)
