"""The documentation page of the HTTP API.

It is rendered from the OpenAPI document without scripts, under the same security policy as all pages.
"""

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
_TYPE_NAMES = {"null": "nothing", "string": "text", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of an operation, or a property of an object. ``location`` is path or query, empty for a property.

    ``schema`` is the name of the schema to which ``type`` refers, empty if it refers to none.
    """

    name: str
    location: str
    type: str
    schema: str
    required: bool
    default: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response of an operation: its HTTP status, meaning and type."""

    status: str
    meaning: str
    type: str
    schema: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API. ``body`` is the name of the schema of the request body, empty if the operation has no
    body."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: str
    responses: tuple[Response, ...]


def describe_type(schema: Schema) -> tuple[str, str]:
    """Returns a type in words, and the name of the schema to which it refers (empty if it refers to none)."""
    if (reference := str(schema.get("$ref", ""))).startswith(_REFERENCE):
        name = reference.removeprefix(_REFERENCE)
        return name, name
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        types = [describe_type(choice) for choice in choices]
        text = " or ".join(dict.fromkeys(text for text, _name in types))
        return text, next((name for _text, name in types if name), "")
    if schema.get("enum"):
        return " or ".join(f"“{value}”" for value in schema["enum"]), ""
    type_name = str(schema.get("type", "anything"))
    if type_name == "array":
        text, name = describe_type(schema.get("items", {}))
        return f"list of {text}", name
    return _TYPE_NAMES.get(type_name, type_name), ""


def read_fields(schema: Schema) -> tuple[Field, ...]:
    """Returns the properties of an object schema, in the order of the schema."""
    required = set(schema.get("required", ()))
    return tuple(
        _field(name, "", value, required=name in required) for name, value in schema.get("properties", {}).items()
    )


def _field(name: str, location: str, schema: Schema, *, required: bool) -> Field:
    text, schema_name = describe_type(schema)
    default = schema.get("default")
    return Field(name, location, text, schema_name, required, str(default) if default or default == 0 else "")


def _json_schema(content: Schema) -> Schema:
    schema: Schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _response(status: str, response: Schema) -> Response:
    schema = _json_schema(response)
    return Response(status, response["description"], *(describe_type(schema) if schema else ("", "")))


def _operation(path: str, method: str, operation: Schema) -> Operation:
    """Converts an operation of the OpenAPI document. Replaces the double backticks around code in its texts by single
    ones."""
    parameters = operation.get("parameters", ())
    responses = {str(status): response for status, response in operation.get("responses", {}).items()}
    return Operation(
        id=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary", "")).replace("``", "`"),
        description=str(operation.get("description", "")).replace("``", "`"),
        parameters=tuple(
            _field(each["name"], each["in"], each["schema"], required=each.get("required", False))
            for each in parameters
        ),
        body=describe_type(_json_schema(operation.get("requestBody", {})))[1],
        responses=tuple(_response(status, response) for status, response in sorted(responses.items())),
    )


def read_operations(document: Schema) -> Iterator[tuple[str, Operation]]:
    """Yields all operations of an OpenAPI document, each with its tag, in the order of the document."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if operation := methods.get(method):
                yield (operation.get("tags") or ["more"])[0], _operation(path, method, operation)


class Documentation(DocsBase):
    """Renders the page ``/api/docs`` from the OpenAPI document."""

    _context: dict[str, Any] | None = None

    def render_page(self, request: HttpRequest, api: NinjaAPI, **_kwargs: Any) -> HttpResponse:
        """Renders the whole documentation on one page."""
        if self._context is None:  # The routes do not change while the server runs.
            document = api.get_openapi_schema()
            groups: dict[str, list[Operation]] = {}
            for tag, operation in read_operations(document):
                groups.setdefault(tag, []).append(operation)
            schemas = {name: read_fields(schema) for name, schema in document["components"]["schemas"].items()}
            self._context = {"groups": groups, "schemas": schemas, "version": api.version}
        return render(request, "operations/api_docs.html", self._context)
