"""Requests that are generated from the OpenAPI document, valid and invalid: none is answered with a server error."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from channels.db import database_sync_to_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.api import api
from tests.support.specs import make_spec
from tests.web.asgi_client import Person, http, person

pytestmark = pytest.mark.django_db(transaction=True)
DOCUMENT: dict[str, Any] = api.get_openapi_schema()
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
#: An absent lab is no error of the server: the response has the reason.
UNAVAILABLE = 503

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def values(schema: dict[str, Any], known: str = "") -> st.SearchStrategy[Any]:
    """Values of a schema, and some that it forbids. ``known`` is the id of an experiment."""
    if "$ref" in schema:
        return values(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], known)
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | ANYTHING
    if "anyOf" in schema:
        return st.one_of(*(values(one, known) for one in schema["anyOf"]))
    match schema.get("type"):
        case "object":
            fields = {name: values(field, known) for name, field in schema.get("properties", {}).items()}
            return st.fixed_dictionaries({}, optional=fields) | ANYTHING
        case "array":
            return st.lists(values(schema.get("items", {}), known), max_size=4) | ANYTHING
        case "integer":
            return st.integers(-(1 << 70), 1 << 70) | st.integers(0, 100)
        case "number":
            return st.floats() | st.integers(0, 100)
        case "boolean":
            return st.booleans()
        case "string":
            return st.sampled_from([known, "host", "bridge", "nginx", "8080:80", ""]) | st.text(max_size=60)
    return ANYTHING


@st.composite
def requests(draw: st.DrawFn, known: str) -> tuple[str, str, bytes]:
    """Method, address and body of a request to an operation of the document."""
    path, method, operation = draw(st.sampled_from(OPERATIONS))
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", []):
        value = draw(values(parameter["schema"], known))
        if parameter["in"] == "path":
            text = draw(st.sampled_from([known, known, str(value)[:80] or "x"]))
            path = path.replace(f"{{{parameter['name']}}}", quote(text, safe=""))
        elif draw(st.booleans()):
            query[parameter["name"]] = value
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = b""
    if content is not None:
        sent = draw(values(content["schema"], known))
        body = draw(st.sampled_from([json.dumps(sent).encode(), json.dumps(sent).encode(), b"{", b"\xff"]))
    return method.upper(), re.sub(r"{\w+}", "x", path) + (f"?{urlencode(query)}" if query else ""), body


async def send(who: Person, request: tuple[str, str, bytes]) -> tuple[int, str]:
    method, path, body = request
    headers = (("content-type", "application/json"),)
    answer = await http(method, path.replace("%2F", "%252F"), who=who, headers=headers, body=body, token=True)
    return answer.status, answer.text[:300]


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_no_request_is_answered_with_a_server_error(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    known = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    who = await person()
    drawn: list[tuple[str, str, bytes]] = []

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(requests(known))
    def draw(request: tuple[str, str, bytes]) -> None:
        drawn.append(request)

    draw()
    errors = []
    for request in drawn:
        status, text = await send(who, request)
        if status >= 500 and not (status == UNAVAILABLE and "detail" in text):
            errors.append((status, request, text))
    assert len(drawn) >= count
    assert errors == []
