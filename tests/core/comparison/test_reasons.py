"""Why columns differ: a reason for every difference, and no reason that contradicts the scene."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from hypothesis import given

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Column, Relation, Row
from dashboard.core.namespaces.state import Origin
from tests.core.builders import (
    MACHINE,
    Columns,
    States,
    end,
    make_interface,
    make_listener,
    make_ports,
    with_column,
    without,
)
from tests.core.comparison.reason_helpers import change
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import engine_scenes, generated_scenes

MODES = ("host", "bridge", "user-bridge", "none", "macvlan", "overlay", "container")


def every_scene() -> Iterator[tuple[Columns, States]]:
    """Every set of modes, with and without published ports, and each with one arm ended."""
    for size in range(1, len(MODES) + 1):
        for modes in combinations(MODES, size):
            if modes == ("container",):
                continue
            for publish in (None, 8080):
                columns, states = make_scene(modes, publish=publish)
                yield columns, states
            yield end(columns, modes[0], ArmStatus.EXITED), without(states, modes[0])


def observed(scene: tuple[Columns, States], *modes: str) -> list[Column]:
    columns, states = scene
    return [one for one in columns if one.key != MACHINE and one.key in states and one.mode in modes]


def contradictions(scene: tuple[Columns, States], row: Row) -> Iterator[str]:
    """The parts of a reason that contradict the scene."""
    columns, states = scene
    text = row.why.lower()
    machine = states.get(MACHINE)
    holders = [column for column in columns if row.cells[column.key] is not None]
    needs = {
        r"\bhost mode\b": bool(observed(scene, "host")),
        r"\bmacvlan\b": any(one.mode == "macvlan" for one in columns),
        r"\boverlay\b": any(one.mode == "overlay" for one in columns),
        r"\bmode none\b": bool(observed(scene, "none")),
        r"\bstack it joined\b|\bcontainer joined\b|\bjoins a stack\b": any(one.mode == "container" for one in columns),
        r"\ba bridged container\b": bool(observed(scene, "bridge", "user-bridge", "overlay", "container")),
        r"docker-proxy": machine is not None and any(x.process == "docker-proxy" for x in machine.listeners),
        r"docker's own resolver": any(s.resolver and s.resolver.origin is Origin.DOCKER for s in states.values()),
        r"--dns": any(s.resolver and s.resolver.origin is Origin.GIVEN for s in states.values()),
        r"default bridge": machine is not None and any(x.name == "docker0" for x in machine.interfaces),
        r"veth pair": any(x.kind == "veth" for s in states.values() for x in s.interfaces),
        r"sub-interface": any(x.kind in {"macvlan", "ipvlan"} for s in states.values() for x in s.interfaces),
        r"is free": row.cells[MACHINE] is None and MACHINE in states,
        r"only the machine has it": [one.key for one in holders] == [MACHINE],
        r"every container here has a network stack of its own": len({s.netns for s in states.values()}) == len(states),
        r"discards -p": any(row.absent.get(one.key) == "discarded" for one in observed(scene, "host")),
        r"nothing is forwarded to": "discarded" in row.absent.values(),
        r"lives? on the machine": row.cells[MACHINE] is not None or row.absent[MACHINE] == "no address",
        r"turns on forwarding on the machine": row.cells.get(MACHINE) == "1",
    }
    for words, true in needs.items():
        if re.search(words, text) and not true:
            yield words


def test_every_difference_of_every_scene_has_a_reason_that_holds() -> None:
    count = 0
    for scene in every_scene():
        for row in compare(*scene):
            if row.relation is Relation.SAME:
                assert row.why == ""
                continue
            count += 1
            modes = [column.mode for column in scene[0]]
            assert row.why, (modes, row)
            assert row.why.endswith("."), row.why
            assert "  " not in row.why
            assert list(contradictions(scene, row)) == [], (modes, row)
    assert count > 5000


def test_every_difference_that_was_recorded_from_an_engine_has_a_reason() -> None:
    scene = recorded_scene()
    differences = [row for row in compare(*scene) if row.relation is not Relation.SAME]
    assert len(differences) > 40
    for row in differences:
        assert row.why
        assert list(contradictions(scene, row)) == [], row


@given(engine_scenes())
def test_no_reason_contradicts_its_scene(scene: tuple[Columns, States]) -> None:
    for row in compare(*scene):
        assert list(contradictions(scene, row)) == [], row


@given(generated_scenes())
def test_no_observation_breaks_a_reason(scene: tuple[Columns, States]) -> None:
    for row in compare(*scene):
        assert "None" not in row.why


def test_a_published_port_leads_to_the_port_of_its_own_mapping() -> None:
    columns, states = make_scene(("bridge", "none"))
    ports = (*make_ports(8080, 80), *make_ports(9090, 81))
    columns = with_column(columns, "bridge", published=ports)
    machine = states[MACHINE]
    extra = tuple(make_listener(port, "docker-proxy", 1) for port in (8080, 9090))
    scene = change((columns, states), MACHINE, listeners=(*machine.listeners, *extra))
    absent = {row.key: row.absent for row in compare(*scene) if row.section == "listeners"}
    assert ":80 " in absent["tcp :8080"]["bridge"]
    assert ":81 " in absent["tcp :9090"]["bridge"]
    assert absent["tcp :22"]["bridge"] == absent["tcp :8080"]["none"]
    assert ":" not in absent["tcp :22"]["bridge"]


def test_an_interface_that_exists_lacks_only_the_value_of_the_row() -> None:
    columns, states = make_scene(("bridge", "none"))
    links = (*states["bridge"].interfaces, make_interface("eth7", 70, mac=None), make_interface("eth8", 80, "bridge"))
    rows = compare(*change((columns, states), "bridge", interfaces=links))
    words = {(row.key, row.field): row.absent for row in rows if row.section == "interfaces"}
    gone = words["eth7", "link"]["none"]
    assert all(absent.get("none", gone) == gone for (name, _field), absent in words.items() if name in {"eth7", "eth8"})
    own = {absent["bridge"] for (name, _field), absent in words.items() if name == "eth7" and "bridge" in absent}
    assert gone not in own
