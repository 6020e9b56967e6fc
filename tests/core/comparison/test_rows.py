"""The comparison: from states to rows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.comparison.row_building import section_rows
from dashboard.core.comparison.rows import INPUTS, SECTIONS, RowCache, compare
from dashboard.core.comparison.text_table import SYMBOLS
from dashboard.core.experiments.messages import ArmStatus, ContainerRef, Relation, Row
from dashboard.core.namespaces.state import HostsEntry, Lookup, NamespaceState, Protocol, sorted_state
from tests.core.builders import (
    MACHINE,
    Columns,
    States,
    end,
    machine_column,
    make_column,
    make_listener,
    make_ports,
    make_state,
    shuffled,
    with_column,
    without,
)
from tests.core.scenes import RECORDED, make_scene, recorded_scene, with_neighbour, with_rootless_netns
from tests.core.strategies import engine_scenes, generated_scenes
from tests.properties import examples


def row(rows: Iterable[Row], section: str, key: str, field: str = "") -> Row:
    """The row with this id."""
    (found,) = (one for one in rows if (one.section, one.key, one.field) == (section, key, field))
    return found


def has(rows: Iterable[Row], section: str, key: str) -> bool:
    return any((one.section, one.key) == (section, key) for one in rows)


def written(rows: Iterable[Row]) -> str:
    """The rows in the format of the recorded text: one fact per line, for readable diffs."""
    lines: list[str] = []
    section = ""
    for one in rows:
        if one.section != section:
            section = one.section
            lines += [*([""] if lines else []), f"[{section}]"]
        lines.append(f"{SYMBOLS[one.relation]} {one.label}")
        if one.why:
            lines.append(f"    {one.why}")
        if one.relation is Relation.SAME:
            lines.append(f"  {_cell(one, next(iter(one.cells)))}")
        else:
            lines += [f"  {column}: {_cell(one, column)}" for column in one.cells]
    return "\n".join(lines) + "\n"


def _cell(one: Row, column: str) -> str:
    text = one.cells[column]
    shown = f"({one.absent[column]})" if text is None else text.replace("\n", " / ")
    note = one.notes.get(column, "")
    return f"{shown}  [{note}]" if note else shown


def test_rows_of_six_modes_on_an_engine_are_as_recorded() -> None:
    """Compares the whole text on purpose: every change of a word, a relation or an order fails here.

    ``NETMODES_RECORD=1`` records the text again; read the diff before you commit it.
    """
    path = RECORDED / "seven_columns.txt"
    now = written(compare(*recorded_scene()))
    if os.environ.get("NETMODES_RECORD") == "1":
        path.write_text(now)
    assert now == path.read_text()


@given(st.one_of(generated_scenes(), engine_scenes()), st.data())
def test_rows_do_not_depend_on_the_order_of_observation(observed: tuple[Columns, States], data: st.DataObject) -> None:
    columns, states = observed
    again = {key: sorted_state(shuffled(state, data.draw)) for key, state in states.items()}
    assert compare(columns, again) == compare(columns, states)


@given(st.one_of(generated_scenes(), engine_scenes()))
def test_every_row_has_a_text_for_every_column(observed: tuple[Columns, States]) -> None:
    columns, states = observed
    keys = [column.key for column in columns]
    titles = [section.key for section in SECTIONS]
    rows = compare(columns, states)
    assert [one.section for one in rows] == sorted((one.section for one in rows), key=titles.index)
    for one in rows:
        assert list(one.cells) == keys
        assert set(one.absent) == {key for key, text in one.cells.items() if text is None}
        assert all(one.absent.values())
        assert all(text for text in one.cells.values() if text is not None)
        assert one.label
        assert one.why == "" or one.relation is not Relation.SAME


@settings(max_examples=examples(0.5))
@given(st.lists(st.one_of(generated_scenes(), engine_scenes()), min_size=2, max_size=4), st.data())
def test_a_cache_does_not_change_the_rows(scenes: list[tuple[Columns, States]], data: st.DataObject) -> None:
    cache = RowCache()
    for columns, states in scenes:
        assert compare(columns, states, cache) == compare(columns, states)
        key = data.draw(st.sampled_from([*states, None]))
        if key is not None:
            opened = make_listener(9000, "python3", 99)
            later = states | {key: sorted_state(replace(states[key], listeners=(*states[key].listeners, opened)))}
            assert compare(columns, later, cache) == compare(columns, later)


def _with_slirp4netns() -> tuple[Columns, States]:
    columns, states = make_scene()
    listener = make_listener(40000, "slirp4netns", 99, protocol=Protocol.UDP)
    return columns, states | {MACHINE: sorted_state(replace(states[MACHINE], listeners=(listener,)))}


class ReadState:
    """A state that notes which of its fields are read."""

    def __init__(self, state: NamespaceState, read: set[str]) -> None:
        self._state = state
        self._read = read

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        return getattr(self._state, name)


@given(st.one_of(generated_scenes(), engine_scenes(), st.just(recorded_scene()), st.just(_with_slirp4netns())))
def test_a_section_reads_no_field_that_is_not_among_its_inputs(observed: tuple[Columns, States]) -> None:
    columns, states = observed
    for section, inputs in INPUTS.items():
        read: set[str] = set()
        noting = {key: cast(NamespaceState, ReadState(state, read)) for key, state in states.items()}
        section_rows(ObservedColumns(columns, noting), section)
        assert read <= {"netns", *inputs}, section


def test_a_cache_keeps_the_rows_of_unchanged_sections() -> None:
    columns, states = make_scene()
    cache = RowCache()
    before = compare(columns, states, cache)
    machine = replace(states[MACHINE], listeners=(*states[MACHINE].listeners, make_listener(9000, "python3", 99)))
    after = compare(columns, states | {MACHINE: sorted_state(machine)}, cache)
    same = {id(one) for one in before} & {id(one) for one in after}
    assert same == {id(one) for one in before if one.section != "listeners"}


# Relations.


def relation_of(*texts: str | None) -> Relation:
    """The relation of a sysctl's row in columns with these texts."""
    columns = tuple(make_column(f"bridge-{number}") for number in range(len(texts)))
    states = {
        column.key: make_state(number, sysctls={} if text is None else {"net.core.somaxconn": text})
        for number, (column, text) in enumerate(zip(columns, texts, strict=True), start=1)
    }
    return row(compare(columns, states), "sysctls", "net.core.somaxconn").relation


@pytest.mark.parametrize(
    ("texts", "relation"),
    [
        (("1", "1", "1"), Relation.SAME),
        (("1",), Relation.SAME),
        (("1", "2", "1"), Relation.DIFFERS),
        (("1", "1", None), Relation.DIFFERS),
        (("1", None, None), Relation.ONLY),
        (("1", None), Relation.ONLY),
        (("1", "2"), Relation.DIFFERS),
    ],
)
def test_rows_have_the_right_relation(texts: tuple[str | None, ...], relation: Relation) -> None:
    assert relation_of(*texts) is relation


def test_a_column_without_a_state_is_left_out_of_the_relation() -> None:
    columns = (machine_column(), make_column("bridge", status=ArmStatus.REFUSED, container=None))
    rows = compare(columns, {MACHINE: make_state()})
    assert {one.relation for one in rows} == {Relation.SAME}


def test_normalised_values_do_not_differ() -> None:
    """Two arms that differ only in veth names, MAC addresses, ids and random ports."""
    columns, states = make_scene(("user-bridge",), publish=None)
    one = states["user-bridge"]
    links = tuple(
        replace(link, index=60, mac="02:42:ff:ff:ff:ff", peer="if61") if link.name == "eth0" else link
        for link in one.interfaces
    )
    listeners = tuple(
        replace(item, pid=77, port=item.port + 1 if item.address == "127.0.0.11" else item.port, container=None)
        for item in one.listeners
    )
    owned = tuple(replace(item, container="ab" * 32) if item.process == "nginx" else item for item in listeners)
    hosts = (one.hosts[0], HostsEntry(one.hosts[1].address, ("ab" * 6,)))
    twin = sorted_state(replace(one, hostname="ab" * 6, interfaces=links, listeners=owned, hosts=hosts))
    other = make_column("user-bridge-2", "user-bridge", container=ContainerRef("ab" * 32, "nm-2", "nginx"))
    rows = compare((columns[1], other), {"user-bridge": one, "user-bridge-2": twin})
    assert [found.label for found in rows if found.relation is not Relation.SAME and found.key != "address"] == []


# Published ports.


def test_the_discarded_port_stays_visible() -> None:
    rows = compare(*make_scene(("host", "bridge")))
    asked, published = row(rows, "published", "80/tcp", "asked"), row(rows, "published", "80/tcp", "published")
    assert asked.cells["host"] == ":8080"
    assert published.cells == {MACHINE: None, "host": None, "bridge": "0.0.0.0:8081\n[::]:8081"}
    assert published.absent["host"] == "discarded"
    assert published.relation is not Relation.SAME
    assert "discards -p in host mode" in published.why


def test_a_discarded_port_is_a_difference_if_no_other_arm_was_asked() -> None:
    columns, states = make_scene(("host", "bridge"), publish=None)
    rows = compare(with_column(columns, "host", asked=make_ports(8080, 80, "")), states)
    assert row(rows, "published", "80/tcp", "published").relation is Relation.DIFFERS
    assert row(rows, "published", "80/tcp", "published").absent["bridge"] == "not published"
    assert row(rows, "published", "80/tcp", "asked").relation is Relation.ONLY


def test_published_ports_do_not_apply_to_the_machine() -> None:
    rows = compare(*make_scene(("bridge", "none")))
    assert row(rows, "published", "80/tcp", "asked").absent[MACHINE] == "does not apply"


def test_without_requested_or_published_ports_there_is_no_row() -> None:
    assert not has(compare(*make_scene(("host", "bridge"), publish=None)), "published", "80/tcp")


# Columns without a state.


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (ArmStatus.WAITING, "not started yet"),
        (ArmStatus.CREATED, "not started yet"),
        (ArmStatus.REFUSED, "refused"),
        (ArmStatus.EXITED, "exited"),
        (ArmStatus.GONE, "removed"),
        (ArmStatus.LOST, "removed outside Netmodes"),
        (ArmStatus.RUNNING, "not read yet"),
    ],
)
def test_an_arm_without_a_state_shows_its_status(status: ArmStatus, word: str) -> None:
    columns, states = make_scene(("host", "bridge"))
    rows = compare(end(columns, "bridge", status), without(states, "bridge"))
    assert {one.absent["bridge"] for one in rows if one.section != "published"} == {word}
    assert all(one.cells["bridge"] is None for one in rows if one.section != "published")


def test_a_host_mode_arm_that_lost_the_port_is_an_ended_column_beside_the_machine() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = end(columns, "host", ArmStatus.EXITED, exit_code=1)
    rows = compare(columns, without(states, "host"))
    assert row(rows, "identity", "netns").absent["host"] == "exited"
    assert row(rows, "published", "80/tcp", "published").absent["host"] == "not running"


def test_without_any_state_only_published_ports_have_rows() -> None:
    columns, _ = make_scene(("host", "bridge"))
    assert {one.section for one in compare(columns, {})} == {"published"}
    assert compare((), {}) == ()


def test_without_the_machine_the_arms_are_still_compared() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    rows = compare(columns, without(states, MACHINE))
    assert row(rows, "identity", "netns").relation is Relation.DIFFERS
    assert row(rows, "identity", "namespace uts").cells["bridge"] == "its own"


# Order.


def test_rows_come_in_reading_order() -> None:
    rows = compare(*recorded_scene())
    listeners = [one.key for one in rows if one.section == "listeners"]
    assert listeners == ["tcp :80", "tcp :8080", "tcp :8081", "tcp resolver", "udp resolver"]
    links = list(dict.fromkeys(one.key for one in rows if one.section == "interfaces"))
    assert links == ["eth0", "br-83c0d28c387d", "docker0", "lo", "veth to bridge", "veth to user-bridge"]
    routes = [(one.key, one.field) for one in rows if one.section == "routes"]
    assert routes[0] == ("default", "inet")
    assert [field for _, field in routes] == sorted((field for _, field in routes), key=["inet", "inet6"].index)


def test_ports_are_in_numerical_order() -> None:
    listeners = tuple(make_listener(port) for port in (8080, 9, 80, 443))
    rows = compare((machine_column(),), {MACHINE: make_state(listeners=listeners)})
    assert [one.key for one in rows if one.section == "listeners"] == ["tcp :9", "tcp :80", "tcp :443", "tcp :8080"]


def test_lookups_are_in_the_order_of_their_queries() -> None:
    lookups = tuple(Lookup(name, "no such name") for name in ("web", "localhost", "db"))
    rows = compare((machine_column(),), {MACHINE: make_state(lookups=lookups)})
    assert [one.key for one in rows if one.key.startswith("lookup")] == ["lookup web", "lookup localhost", "lookup db"]


def test_a_state_without_a_column_is_ignored() -> None:
    stranger: dict[str, NamespaceState] = {"stranger": make_state(5)}
    columns, states = make_scene(("bridge",))
    assert compare(columns, states | stranger) == compare(columns, states)


def test_a_missing_value_shows_what_is_missing() -> None:
    rows = compare(*make_scene(("host", "bridge", "none")))
    assert row(rows, "listeners", "tcp :8081").absent["bridge"] == "the machine's :8081 leads to :80 here"
    assert row(rows, "listeners", "tcp :8081").absent["none"] == "no listener"
    assert row(rows, "interfaces", "eth0", "link").absent["none"] == "no such interface"
    assert row(rows, "interfaces", "eth0", "joined").absent[MACHINE] == "joined to nothing"
    assert row(rows, "routes", "default", "inet").absent["none"] == "no such route"
    assert row(rows, "hosts", "lab-1").absent["bridge"] == "not listed"


def test_a_published_udp_port_leads_inside_by_its_own_protocol_only() -> None:
    columns, states = make_scene(("bridge", "none"), publish=None)
    columns = with_column(columns, "bridge", published=tuple(replace(p, protocol="udp") for p in make_ports(22, 53)))
    rows = compare(columns, states)
    assert row(rows, "listeners", "tcp :22").absent["bridge"] == "no listener"


def test_a_row_holds_the_normalised_value_only_where_it_is_not_the_text() -> None:
    rows = {(row.section, row.key, row.field): row for row in compare(*make_scene(("bridge", "user-bridge")))}
    mac = rows["interfaces", "eth0", "mac"]
    assert mac.normalised["bridge"] == mac.normalised["user-bridge"] != mac.cells["bridge"]
    assert rows["interfaces", "eth0", "mtu"].normalised == {}
    listening = rows["listeners", "tcp :80", ""]
    assert listening.normalised["bridge"] == "nginx of a container at all IPv4"
    assert "nginx 4" in (listening.cells["bridge"] or "")


def test_the_neighbour_is_shown_and_not_compared() -> None:
    columns, states = make_scene(("host", "bridge"))
    before = compare(columns, states)
    after = compare(*with_neighbour(columns, states))
    facts = [(one.section, one.key, one.field, one.relation, one.why) for one in after]
    assert facts == [(one.section, one.key, one.field, one.relation, one.why) for one in before]
    assert row(after, "routes", "default", "inet").cells["neighbour"] == "via 192.0.2.1 dev eth0"


def test_the_bridges_of_a_rootless_podman_are_rows_that_are_not_compared() -> None:
    after = compare(*with_rootless_netns(*make_scene(("host", "bridge"))))
    bridge = row(after, "interfaces", "docker0", "addresses")
    assert bridge.cells["rootless-netns"] == "172.17.0.1/16"
    assert (bridge.cells["machine"], bridge.relation, bridge.why) == (None, Relation.SAME, "")
    netns = row(after, "identity", "netns", "")
    assert netns.cells["rootless-netns"] not in {netns.cells["machine"], netns.cells["bridge"], None}
    assert {one.cells.get("rootless-netns") for one in after if one.section == "published"} == {None}
