"""dashboard.core.reports.row_diff: changes are found, except those that every launch makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.messages import ExperimentHead, Phase
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.reports.row_diff import ArmMatch, ChangedRow, compare_rows, match_arms
from tests.core.builders import Columns, States, make_listener, with_column
from tests.core.machine_scenes import two_machines
from tests.core.scenes import make_scene

Change = Callable[[Columns, States], tuple[Columns, States]]
MODES = ("host", "bridge", "none")


def show(scene: tuple[Columns, States], identity: str = "7f2a9c") -> Snapshot:
    columns, states = scene
    head = ExperimentHead(identity, "nginx", "nginx", 80, Phase.RUNNING, 1.0)
    wide, narrow = draw(columns, states)
    return Snapshot(1, head, columns, compare(columns, states), wide, narrow, ())


def changes(*snapshots: Snapshot) -> tuple[ChangedRow, ...]:
    return compare_rows(snapshots, match_arms(snapshots)).changes


def test_a_report_does_not_differ_from_itself() -> None:
    one = show(make_scene(MODES))
    found = compare_rows([one, one], match_arms([one, one]))
    assert found.changes == ()
    assert found.same_count > 60
    assert all(len(row.texts) == 1 for row in found.same)
    assert len(found.same) <= found.same_count


def relaunched(scene: tuple[Columns, States]) -> tuple[Columns, States]:
    """The same scene in another launch: other inodes, processes, MAC addresses, veth pairs, ids and names."""
    text = msgspec.json.encode(list(scene)).decode()
    text = re.sub(r"02:42:00", "02:42:7e", text)
    text = re.sub(r"veth(\w+)", r"veth9\1", text)
    text = re.sub(r'"pid":(\d+)', lambda found: f'"pid":{int(found[1]) + 5000}', text)
    text = re.sub(r"\b40265(\d+)", r"40271\1", text)
    text = text.replace("nm-7f2a9c-", "nm-c0ffee-")
    columns, states = msgspec.json.decode(text, type=tuple[Columns, States])
    for key in ("bridge", "none"):
        old = next(one for one in columns if one.key == key).container
        assert old is not None
        new = replace(old, id=f"{key.encode().hex()[::-1]:f<64}")
        columns = tuple(replace(one, container=new) if one.key == key else one for one in columns)
        states[key] = replace(states[key], hostname=new.id[:12])
        states = {
            name: replace(
                state,
                hosts=tuple(
                    replace(entry, names=tuple(one.replace(old.id[:12], new.id[:12]) for one in entry.names))
                    for entry in state.hosts
                ),
                listeners=tuple(
                    replace(one, container=new.id if one.container == old.id else one.container)
                    for one in state.listeners
                ),
            )
            for name, state in states.items()
        }
    return columns, states


def test_another_launch_of_the_same_experiment_changes_nothing() -> None:
    one, other = show(make_scene(MODES)), show(relaunched(make_scene(MODES)), "c0ffee")
    assert [row for row, before in zip(other.rows, one.rows, strict=True) if row != before]
    assert changes(one, other) == ()


def opened(columns: Columns, states: States) -> tuple[Columns, States]:
    more = (*states["bridge"].listeners, make_listener(9000, "python3", 77))
    return columns, states | {"bridge": replace(states["bridge"], listeners=more)}


def resolved(columns: Columns, states: States) -> tuple[Columns, States]:
    old = states["none"].resolver
    assert old is not None
    return columns, states | {"none": replace(states["none"], resolver=replace(old, nameservers=("192.0.2.99",)))}


def not_published(columns: Columns, states: States) -> tuple[Columns, States]:
    return with_column(columns, "bridge", published=()), states


def renamed_process(columns: Columns, states: States) -> tuple[Columns, States]:
    listeners = tuple(replace(one, process="caddy") for one in states["bridge"].listeners)
    return columns, states | {"bridge": replace(states["bridge"], listeners=listeners)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (opened, {("listeners", "tcp :9000", ("bridge",), "python3 77")}),
        (resolved, {("dns", "Name servers", ("none",), "192.0.2.99")}),
        (not_published, {("published", "80/tcp published", ("bridge",), "(discarded)")}),
        (renamed_process, {("listeners", "tcp :80", ("bridge",), "caddy 4201")}),
    ],
)
def test_a_change_is_found(change: Change, expected: set[tuple[str, str, tuple[str, ...], str]]) -> None:
    before, after = show(make_scene(MODES)), show(change(*make_scene(MODES)))
    found = {(row.section, row.label, row.arms, row.texts[-1]) for row in changes(before, after)}
    assert expected <= found
    assert all(set(row.arms) <= {"bridge", "none", "machine", "host"} for row in changes(before, after))
    assert len(found) <= 2


def test_arms_that_change_alike_share_a_row() -> None:
    columns, states = make_scene(MODES)
    more = {
        key: replace(states[key], listeners=(*states[key].listeners, make_listener(9100, "exporter", 5)))
        for key in ("machine", "host")
    }
    (row,) = changes(show((columns, states)), show((columns, states | more)))
    assert row.arms == ("machine", "host")
    assert row.texts == ("(nobody listens)", "exporter 5") or row.texts[0] == "–"  # noqa: RUF001


def test_three_reports_are_compared_at_once() -> None:
    one, other = show(make_scene(MODES)), show(opened(*make_scene(MODES)))
    (row,) = changes(one, other, one)
    assert row.texts[1] == "python3 77"
    assert row.texts[0] == row.texts[2]


def keys(arms: Sequence[ArmMatch]) -> list[tuple[str | None, ...]]:
    return [arm.columns for arm in arms]


def test_arms_are_matched_by_key_and_mode_then_by_mode_alone() -> None:
    one = show(make_scene(("host", "bridge")))
    columns, states = make_scene(("host", "bridge", "none"))
    renamed = tuple(replace(column, key="web") if column.key == "bridge" else column for column in columns)
    other = show((renamed, {("web" if key == "bridge" else key): state for key, state in states.items()}))
    found = match_arms([one, other])
    assert keys(found) == [("machine", "machine"), ("host", "host"), ("bridge", "web"), (None, "none")]
    assert [arm.everywhere for arm in found] == [True, True, True, False]


def test_an_arm_of_the_same_key_and_another_mode_is_another_arm() -> None:
    columns, states = make_scene(("host", "bridge"))
    other = tuple(replace(column, mode="macvlan") if column.key == "bridge" else column for column in columns)
    found = match_arms([show((columns, states)), show((other, states))])
    assert keys(found)[-2:] == [("bridge", None), (None, "bridge")]


def test_columns_of_one_mode_with_different_keys_match_where_each_report_has_one() -> None:
    one, other = show(make_scene(("host", "bridge"))), show(make_scene(("host", "bridge")))
    renamed = replace(other, columns=tuple(replace(c, key="web") if c.key == "bridge" else c for c in other.columns))
    assert ArmMatch("bridge", "bridge", ("bridge", "web")) in match_arms([one, renamed])
    assert ArmMatch("host", "host", ("host", "host")) in match_arms([one, renamed])


def test_columns_of_one_mode_have_no_match_where_a_report_has_several() -> None:
    one = show(make_scene(("bridge",)))
    (bridge,) = [column for column in one.columns if column.key == "bridge"]
    left = replace(one, columns=(replace(bridge, key="a"), replace(bridge, key="b")))
    right = replace(one, columns=(replace(bridge, key="c"),))
    assert match_arms([left, right]) == (
        ArmMatch("a", "bridge", ("a", None)),
        ArmMatch("b", "bridge", ("b", None)),
        ArmMatch("c", "bridge", (None, "c")),
    )
    assert [arm.everywhere for arm in match_arms([left, right])] == [False] * 3
    assert match_arms([left, left]) == (ArmMatch("a", "bridge", ("a", "a")), ArmMatch("b", "bridge", ("b", "b")))
    assert match_arms([right]) == (ArmMatch("c", "bridge", ("c",)),)


@pytest.mark.parametrize(("names", "count"), [(("abc", "xyz"), 1), (("abcd", "wxyz"), 0)])
def test_names_of_a_launch_are_replaced_if_they_are_longer_than_three_letters(
    names: tuple[str, str], count: int
) -> None:
    scene = make_scene(("bridge",))
    snapshots = []
    for name in names:
        snapshot = show(scene, name)
        row = replace(snapshot.rows[0], key="row", cells={"bridge": name}, normalised={}, notes={}, absent={})
        snapshots.append(replace(snapshot, rows=(row,)))
    assert len(changes(*snapshots)) == count


def test_a_stack_is_shared_with_the_machine_of_its_column() -> None:
    """In another launch every namespace has another number, also those of the second machine."""
    scene = two_machines(MODES)
    text = re.sub(r"\b40265(\d+)", r"40271\1", msgspec.json.encode(list(scene)).decode())
    columns, states = msgspec.json.decode(text, type=tuple[Columns, States])
    apart = {
        key: replace(state, netns=state.netns + 1000) if key.endswith(("lab2", "@2")) else state
        for key, state in states.items()
    }
    one, other = show(scene), show((columns, apart))
    assert not [row for row in changes(one, other) if row.label == "Network namespace"]
