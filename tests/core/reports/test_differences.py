"""dashboard.core.reports.differences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Relation, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import HostsEntry, Lookup
from dashboard.core.reports.differences import MOST_DIFFERENCES, RULES, Told, is_open, list_differences
from tests.core.builders import Columns, States, end, engine_scenes, make_scene, recorded_scene, with_column, without

THREE = ("host", "bridge", "user-bridge")


def sentences(columns: Columns, states: States) -> dict[str, str]:
    """What each rule says of a scene, those that say nothing left out."""
    told = Told(columns, compare(columns, states))
    return {name: said[1] for name, rule in RULES if (said := rule(told)) is not None}


def of_modes(*modes: str, publish: int | None = 8080) -> dict[str, str]:
    return sentences(*make_scene(modes, publish=publish))


def with_lookup(modes: tuple[str, ...], name: str, *finding: str) -> dict[str, str]:
    columns, states = make_scene(modes)
    answer = {True: Lookup(name, "answer", ("172.18.0.2",), "127.0.0.11"), False: Lookup(name, "no such name")}
    looked = {key: replace(state, lookups=(answer[key in finding],)) for key, state in states.items()}
    return sentences(columns, looked)


CASES = [
    (
        "namespace",
        of_modes(*THREE),
        "host lives in this machine's own network namespace; bridge and user-bridge each have one of their own.",
    ),
    ("namespace", of_modes("host"), None),
    ("namespace", of_modes("bridge", "none"), "Network namespaces: bridge and none each have one of their own."),
    (
        "namespace",
        of_modes("bridge", "none", "container"),
        "Network namespaces: none has one of its own; bridge and container share one.",
    ),
    (
        "discarded",
        of_modes(*THREE),
        "The Engine discarded -p for host: 80/tcp was asked for at :8080 and is not published.",
    ),
    ("discarded", of_modes("bridge", "user-bridge"), None),
    ("discarded", of_modes(*THREE, publish=None), None),
    (
        "published",
        of_modes("host", "bridge"),
        (
            "bridge is reached through 0.0.0.0:8081, [::]:8081, published for 80/tcp; "
            "host answers at the machine's own port 80, nothing is forwarded."
        ),
    ),
    ("published", of_modes("host", "none", publish=None), None),
    (
        "address",
        of_modes("host", "bridge"),
        "bridge has 172.17.0.2; host has no address of its own (using the machine's).",
    ),
    (
        "resolver",
        of_modes("host", "user-bridge"),
        (
            "For names host asks 127.0.0.53, 192.0.2.53 (copied from the machine); "
            "user-bridge asks 127.0.0.11 (Docker's own resolver)."
        ),
    ),
    (
        "lookup",
        with_lookup(THREE, "bridge", "user-bridge"),
        "The container's name “bridge” is found from user-bridge, not from host and bridge.",
    ),
    ("lookup", with_lookup(THREE, "example.org", "user-bridge"), None),
    ("lookup", with_lookup(THREE, "bridge", *THREE, MACHINE), None),
    ("hosts", of_modes("host", "bridge"), "The hosts file of host has “lab-1”, that of bridge has not."),
    (
        "open-ports",
        of_modes("host", "bridge"),
        (
            "host stands beside this machine's 3 listening ports, all of them open to the network; "
            "bridge has only 1 of its own."
        ),
    ),
    ("open-ports", of_modes("bridge", "user-bridge"), None),
    (
        "low-ports",
        of_modes("host", "bridge"),
        "Without root a program may take ports from 1024 on in this machine and host; from 0 on in bridge.",
    ),
    (
        "route",
        of_modes("host", "none"),
        "host leaves via 192.0.2.1 dev eth0; none has no way out.",
    ),
]


@pytest.mark.parametrize(("rule", "said", "sentence"), CASES)
def test_each_rule_says_what_the_rows_prove_and_nothing_else(
    rule: str, said: dict[str, str], sentence: str | None
) -> None:
    assert said.get(rule) == sentence


def test_an_arm_that_does_not_run_is_not_said_to_lack_anything() -> None:
    columns, states = make_scene(THREE)
    columns, states = end(columns, "bridge", ArmStatus.EXITED), without(states, "bridge")
    for sentence in sentences(columns, states).values():
        assert "not from bridge" not in sentence
        assert "bridge has no " not in sentence


def test_the_first_five_rules_that_say_something_are_shown_with_their_rows() -> None:
    columns, states = recorded_scene()
    rows = compare(columns, states)
    found = list_differences(columns, rows)
    assert [one.rule for one in found] == ["namespace", "discarded", "published", "address", "resolver"]
    by_id = {row_id(row): row for row in rows}
    assert [by_id[one.row].why for one in found] == [one.why for one in found]
    assert all(one.why for one in found)


def test_what_no_rule_knows_is_told_by_its_cells() -> None:
    columns, _states = make_scene(("bridge", "user-bridge"), publish=None)
    row = Row("weather", "sky", "", {"bridge": "grey", "user-bridge": None}, Relation.ONLY, "Sky", "It rains.")
    (found,) = list_differences(columns, [row])
    assert (found.sentence, found.why, found.row) == (
        "Sky: bridge grey; user-bridge none.",
        "It rains.",
        "weather/sky/",
    )


@pytest.mark.parametrize(
    ("note", "reached"),
    [
        ("all IPv4", True),
        ("127.0.0.1", False),
        ("[::1]", False),
        ("127.0.0.53%lo, 127.0.0.54", False),
        ("127.0.0.1; all IPv6", True),
        ("192.0.2.2", True),
        ("", False),
    ],
)
def test_a_socket_on_a_loopback_address_is_not_open_to_the_network(note: str, reached: bool) -> None:
    assert is_open(note) is reached


def test_a_title_is_taken_as_it_is() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = with_column(columns, "host", title="<b>host</b>")
    states = states | {"host": replace(states["host"], hosts=(HostsEntry("192.0.2.9", ("db",)),))}
    assert sentences(columns, states)["namespace"].startswith("<b>host</b> lives in ")


@settings(max_examples=60)
@given(engine_scenes())
def test_any_scene_has_at_most_five_differences_each_proven_by_a_row(scene: tuple[Columns, States]) -> None:
    columns, states = scene
    rows = compare(columns, states)
    found = list_differences(columns, rows)
    assert len(found) <= MOST_DIFFERENCES
    assert {one.row for one in found} <= {row_id(row) for row in rows}
    assert all(one.sentence.endswith(".") for one in found)
