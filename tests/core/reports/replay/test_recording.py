"""A track shows at each position the state after that journal entry."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, replay
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.experiments.picture import Picture
from dashboard.core.namespaces.state import NamespaceState, sorted_state
from dashboard.core.reports.replay import pictures as replay_pictures
from dashboard.core.reports.replay import recording as tracks
from dashboard.core.reports.replay.recording import MAX_COMPUTED, build_recording, encode_recording
from tests.core.builders import (
    Columns,
    States,
    container_id,
    end,
    make_address,
    make_interface,
    make_listener,
    make_route,
)
from tests.core.machine_scenes import two_machines
from tests.core.replay_reader import Reader
from tests.core.replay_vectors import FIRST_AT, VECTORS, observe, shown, vectors
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import engine_scenes, generated_scenes, interfaces, listeners, routes, states
from tests.properties import examples


def assert_shows(reader: Reader, position: int, expected: dict[str, Any]) -> None:
    """Checks what the reader shows at a position: times to the millisecond, everything else exactly."""
    found = reader.at(position)
    if expected["item"] is not None:
        for name in ("at", "offset_s"):
            assert found["item"].pop(name) == pytest.approx(expected["item"].pop(name), abs=0.00101, rel=0)
    assert found == expected


@st.composite
def changed(draw: st.DrawFn, state: NamespaceState) -> NamespaceState:
    """The state with one object added or removed, or an entirely different state."""
    match draw(
        st.sampled_from(["listener", "listener", "address", "route", "link", "wire", "way", "hostname", "other"])
    ):
        case "listener":
            items = draw(st.one_of(st.just(state.listeners[1:]), listeners.map(lambda one: (*state.listeners, one))))
            return sorted_state(replace(state, listeners=items))
        case "address" if state.interfaces:
            first, *rest = state.interfaces
            texts = st.sampled_from(["10.0.0.1", "10.0.0.2", "fe80::9"])
            found = draw(st.lists(texts, max_size=2, unique=True))
            first = replace(first, addresses=tuple(make_address(one) for one in found), up=draw(st.booleans()))
            return sorted_state(replace(state, interfaces=(first, *rest)))
        case "route":
            return sorted_state(replace(state, routes=(*state.routes[1:], draw(routes))))
        case "link":
            kept = tuple(one for one in state.interfaces if one.index != 7)
            new = draw(st.one_of(st.just(()), interfaces.map(lambda one: (replace(one, index=7),))))
            return sorted_state(replace(state, interfaces=(*kept, *new)))
        case "wire" if any(one.kind == "veth" for one in state.interfaces):
            master, peer = draw(st.sampled_from([None, "docker0"])), draw(st.sampled_from([None, "if2"]))
            links = tuple(
                replace(one, master=master, peer=peer) if one.kind == "veth" else one for one in state.interfaces
            )
            return sorted_state(replace(state, interfaces=links))
        case "way":
            names = tuple(one.name for one in state.interfaces) or ("eth0",)
            others = tuple(one for one in state.routes if one.destination != "default")
            way = (make_route(interface=draw(st.sampled_from(names))),) if draw(st.booleans()) else ()
            return sorted_state(replace(state, routes=(*others, *way)))
        case "hostname":
            return replace(state, hostname=draw(st.sampled_from(["lab-1", "other"])))
        case _:
            return draw(states)


class History(list[tuple[Columns, States]]):
    """A sequence of observations."""

    def __repr__(self) -> str:
        return f"History({[(len(columns), sorted(now)) for columns, now in self]})"


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Generates sequences of observations, each similar to the previous one."""
    columns, now = draw(st.one_of(engine_scenes(), generated_scenes(), st.just(recorded_scene())))
    found = [(columns, dict(now))]
    for _ in range(draw(st.integers(1, 9))):
        what = draw(st.sampled_from(["state", "state", "state", "back", "end", "forget", "nothing"]))
        if what == "state" and now:
            group = draw(st.sampled_from(sorted({state.netns for state in now.values()})))
            sharing = [key for key, state in now.items() if state.netns == group]
            later = draw(changed(now[sharing[0]]))
            now = {**now, **dict.fromkeys(sharing[: draw(st.integers(1, 2))], later)}
        elif what == "back":
            columns, now = draw(st.sampled_from(found))
        elif what == "end" and len(columns) > 1:
            columns = end(columns, columns[-1].key, draw(st.sampled_from([ArmStatus.EXITED, ArmStatus.LOST])))
        elif what == "forget" and now:
            gone = draw(st.sampled_from(sorted(now)))
            now = {key: state for key, state in now.items() if key != gone}
        found.append((columns, dict(now)))
    return History(found)


def test_paths_follow_the_program_that_holds_the_port_of_a_container() -> None:
    columns, states = make_scene(["host"])
    listeners_of_another = tuple(replace(one, container=container_id("other")) for one in states["machine"].listeners)
    later = {key: replace(state, listeners=listeners_of_another) for key, state in states.items()}
    entries, views = observe([(columns, states), (columns, later)])
    reader = Reader(encode_recording(build_recording(entries)))
    for position, (entry, view) in enumerate(zip(entries, views, strict=True)):
        assert_shows(reader, position, shown(view, entry))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(histories())
def test_every_position_shows_what_was_observed(observed: History) -> None:
    entries, seen = observe(observed)
    reader = Reader(encode_recording(build_recording(entries)))
    assert len(reader) == len(entries)
    for position, (entry, then) in enumerate(zip(entries, seen, strict=True)):
        view = replay(entries[: position + 1])
        assert view.states == then.states == observed[position][1]
        assert_shows(reader, position, shown(view, entry))
        assert shown(view, entry) == shown(then, entry)


@pytest.mark.parametrize("section", ["identity", "published", "routes"])
def test_reasons_follow_how_an_arm_is_connected(section: str) -> None:
    columns, states = make_scene(["bridge", "none"])
    plugged = replace(states["none"], routes=(make_route(interface="tap0"),))
    link = make_interface("tap0", 5, "veth", addresses=("10.0.2.100/24",))
    steps = [replace(plugged, interfaces=(*plugged.interfaces, replace(link, kind=kind))) for kind in ("veth", "tun")]
    entries, seen = observe([(columns, states | {"none": sorted_state(one)}) for one in steps])
    expected = [_reasons(shown(view, entry), section) for view, entry in zip(seen, entries, strict=True)]
    assert expected[0] != expected[1]
    reader = Reader(encode_recording(build_recording(entries)))
    assert [_reasons(reader.at(position), section) for position in range(2)] == expected


def _reasons(position: dict[str, Any], section: str) -> list[str]:
    return [row["why"] for row in position["rows"] if row["section"] == section]


@settings(max_examples=examples(0.2))
@given(histories(), st.data())
def test_an_extended_recording_equals_one_that_was_built_at_once(observed: History, data: st.DataObject) -> None:
    entries, _ = observe(observed)
    cut = data.draw(st.integers(0, len(entries)))
    grown = build_recording(entries[:cut])
    grown.extend(entries)
    assert encode_recording(grown) == encode_recording(build_recording(entries))


@settings(max_examples=examples(0.2))
@given(histories(), st.data())
def test_a_recording_can_begin_at_a_later_entry(observed: History, data: st.DataObject) -> None:
    entries, _ = observe(observed)
    cut = data.draw(st.integers(0, len(entries) - 1))
    reader = Reader(encode_recording(build_recording(entries[cut:], replay(entries[:cut]), entries[0].at)))
    assert len(reader) == len(entries) - cut
    for position, entry in enumerate(entries[cut:]):
        assert_shows(reader, position, shown(replay(entries[: cut + position + 1]), entry, entries[0].at))


def test_an_empty_journal_has_no_positions() -> None:
    reader = Reader(encode_recording(build_recording([])))
    assert len(reader) == 0
    assert reader.raw["first_at"] is None


def test_a_journal_without_a_head_shows_none() -> None:
    reader = Reader(encode_recording(build_recording([Entry(4, FIRST_AT, Cause(Source.LAB), Facts(), "")])))
    assert reader.at(0)["experiment"] is None
    assert reader.at(0)["columns"] == []
    assert reader.at(0)["item"] is None
    assert reader.seqs == [4]


def test_times_may_go_backwards_after_the_clock_was_set() -> None:
    entries = [Entry(n, FIRST_AT + at, Cause(Source.LAB), Facts(), "x") for n, at in enumerate((0, 5, -3), start=1)]
    assert Reader(encode_recording(build_recording(entries))).times == [0, 5000, -3000]


def repeating(count: int) -> list[Entry]:
    """A listener that opens and closes repeatedly."""
    columns, found = make_scene()
    less, more = (
        found["bridge"],
        sorted_state(replace(found["bridge"], listeners=(*found["bridge"].listeners, make_listener(9000, "nc", 5000)))),
    )
    scenes = [(columns, {**found, "bridge": more if number % 2 else less}) for number in range(count)]
    return observe(scenes)[0]


def test_repeated_values_are_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Columns] = []

    def counted(columns: Columns, found: States) -> tuple[Picture, Picture]:
        drawn.append(columns)
        return draw(columns, found)

    monkeypatch.setattr(replay_pictures, "draw", counted)
    short, long = (zlib.compress(encode_recording(build_recording(repeating(count)))) for count in (10, 500))
    assert len(long) < len(short) + 2500
    assert len(drawn) == 2  # the listener has no room in the picture: one for each recording


def test_a_recording_beyond_the_limit_is_truncated_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not build_recording(repeating(3)).truncated
    monkeypatch.setattr(tracks, "MAX_COMPUTED", 0)
    recording = build_recording(repeating(9))
    recording.extend(repeating(9))
    assert recording.truncated
    assert Reader(encode_recording(recording)).raw["truncated"] is True
    assert len(recording) == 1
    assert MAX_COMPUTED > 10 * 10_000


def test_the_vectors_of_the_script_tests_are_up_to_date() -> None:
    kept = msgspec.json.decode(VECTORS.read_bytes())
    assert kept == vectors(), "python -m tests.core.replay_vectors"


def test_a_recording_at_the_limit_is_not_truncated(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = repeating(3)
    whole = build_recording(entries)
    computed = whole._rows.computed + whole._pictures.computed
    monkeypatch.setattr(tracks, "MAX_COMPUTED", computed)
    assert not build_recording(entries).truncated
    monkeypatch.setattr(tracks, "MAX_COMPUTED", computed - 1)
    assert build_recording(entries).truncated


def test_an_entry_that_is_known_is_ignored() -> None:
    entries = repeating(3)
    recording = build_recording([*entries, entries[0], entries[2]])
    assert len(recording) == 3
    assert encode_recording(recording) == encode_recording(build_recording(entries))


def test_a_recording_of_two_machines_shows_what_was_there() -> None:
    columns, found = two_machines()
    more = {**found, "bridge-lab2": replace(found["bridge-lab2"], listeners=(make_listener(9000, "nc", 5000),))}
    entries, views = observe([(columns, found), (columns, more), (columns, found), (columns, more)])
    reader = Reader(encode_recording(build_recording(entries)))
    for position, (view, entry) in enumerate(zip(views, entries, strict=True)):
        assert_shows(reader, position, shown(view, entry))
