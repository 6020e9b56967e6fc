"""The public JSON formats: their field names are stable."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import msgspec
import pytest
from hypothesis import given

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import (
    ArmStatus,
    Check,
    Column,
    Comparison,
    ContainerRef,
    Doctor,
    EngineRef,
    ModeReport,
    PublishedPort,
    Relation,
    Row,
    encode,
)
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.namespaces.state import (
    Address,
    HostsEntry,
    Interface,
    Listener,
    Lookup,
    NamespaceState,
    Resolver,
    Route,
)
from dashboard.core.operations.json_schemas import schema_of
from tests.core.builders import Columns, States
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import generated_scenes

#: Every shape with the names that other programs rely on. Names may be added; none may be removed or change its
#: meaning.
CONTRACTS: dict[type[Any], set[str]] = {
    Comparison: {"schema", "engine", "columns", "states", "rows"},
    Column: {"key", "mode", "title", "container", "command", "warnings", "published"},
    ContainerRef: {"id", "name", "image"},
    NamespaceState: {
        "netns",
        "hostname",
        "interfaces",
        "routes",
        "listeners",
        "resolver",
        "hosts",
        "sysctls",
    },
    Interface: {"name", "index", "kind", "mac", "mtu", "up", "peer", "addresses"},
    Address: {"address", "prefix", "family", "scope"},
    Route: {"family", "destination", "gateway", "interface", "source", "metric"},
    Listener: {"protocol", "family", "address", "port", "pid", "process", "container"},
    Resolver: {"nameservers", "search", "options", "origin"},
    Row: {"section", "key", "field", "cells", "relation"},
    Doctor: {"schema", "engine", "modes", "checks"},
    ModeReport: {"mode", "available", "reason"},
    Check: {"name", "ok", "detail"},
}
ADDED: dict[type[Any], set[str]] = {
    Comparison: {"report"},
    Column: {
        "setup",
        "asked",
        "status",
        "step",
        "error",
        "exit_code",
        "logs",
        "networks",
        "target",
        "port",
        "engine_kind",
        "invisible",
        "engine",
        "machine",
        "absent",
        "note",
    },
    NamespaceState: {"namespaces", "lookups", "firewall"},
    Interface: {"master", "peer_netns"},
    Listener: {"v6only", "interface"},
    Row: {"detail", "label", "why", "notes", "absent", "normalised"},
    ModeReport: {"note"},
}
ALSO: dict[type[Any], set[str]] = {
    EngineRef: {"version", "api", "name", "kernel", "system", "private", "endpoint", "kind"},
    PublishedPort: {"container_port", "protocol", "host_address", "host_port"},
    HostsEntry: {"address", "names"},
    Lookup: {"name", "outcome", "answers", "server", "time_us"},
}
ENGINE = EngineRef("26.1.5", "1.45")


def make_comparison(scene: tuple[Columns, States]) -> Comparison:
    return Comparison(ENGINE, *scene, compare(*scene))


@pytest.mark.parametrize("shape", [*CONTRACTS, *ALSO], ids=lambda shape: shape.__name__)
def test_a_shape_has_the_names_of_its_contract(shape: type[Any]) -> None:
    names = {field.name for field in fields(shape)}
    assert CONTRACTS.get(shape, ALSO.get(shape, set())) <= names
    assert names == CONTRACTS.get(shape, ALSO.get(shape, set())) | ADDED.get(shape, set())


def test_every_shape_contains_its_name() -> None:
    comparison = json.loads(encode(make_comparison(make_scene())))
    assert comparison["schema"] == "comparison/1"
    assert set(comparison) == CONTRACTS[Comparison] | {"report"}
    doctor = json.loads(encode(Doctor(ENGINE, (), ())))
    assert doctor["schema"] == "doctor/1"
    assert set(doctor) == CONTRACTS[Doctor]


def test_the_schema_of_a_comparison_reaches_every_part_of_it() -> None:
    parts = schema_of("comparison/1")["$defs"]
    reached = {shape.__name__ for shape in (CONTRACTS | ALSO)} - {"Doctor", "ModeReport", "Check"}
    assert reached <= set(parts)


@given(generated_scenes())
def test_a_comparison_is_unchanged_after_json(scene: tuple[Columns, States]) -> None:
    comparison = make_comparison(scene)
    assert msgspec.json.decode(encode(comparison), type=Comparison) == comparison


def test_a_recorded_comparison_is_unchanged_after_json() -> None:
    comparison = make_comparison(recorded_scene())
    assert msgspec.json.decode(encode(comparison), type=Comparison) == comparison


def test_values_of_enumerations_are_contracts() -> None:
    assert [str(one) for one in Relation] == ["same", "differs", "only", "unknown"]
    assert [str(one) for one in ArmStatus] == ["waiting", "created", "running", "refused", "exited", "gone", "lost"]


def test_a_missing_value_is_null_and_not_omitted() -> None:
    comparison = json.loads(encode(make_comparison(make_scene(("none",)))))
    assert comparison["columns"][0]["container"] is None
    route = next(one for one in comparison["rows"] if one["section"] == "routes")
    assert route["cells"]["none"] is None


def test_a_snapshot_and_a_comparison_hold_the_same_rows() -> None:
    assert {"rows", "columns"} <= {field.name for field in fields(Snapshot)} & {
        field.name for field in fields(Comparison)
    }
