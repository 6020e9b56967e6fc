"""The journal: replaying entries gives the recorded views."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.core.experiments.journal import (
    NO_TRIAL,
    Attempt,
    Cause,
    Entry,
    Facts,
    Source,
    Trial,
    View,
    advance,
    decode_facts,
    encode_facts,
    replay,
)
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentHead, Phase
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from tests.core.builders import make_column, make_state
from tests.core.strategies import arm_keys, columns_with_key, states
from tests.properties import examples

CAUSE = Cause(Source.KERNEL, "address eth0", "nginx 4711")


def make_head(phase: Phase = Phase.RUNNING) -> ExperimentHead:
    return ExperimentHead("7f2a9c", "nginx on port 80", "nginx", 80, phase, 1_780_000_000.0)


@dataclass
class Recording:
    """A simulated lab: its current state, and the entries that it has written."""

    view: View = field(default_factory=View)
    entries: list[Entry] = field(default_factory=list)
    seen: list[View] = field(default_factory=list)

    def write(self, facts: Facts, **now: Any) -> None:
        number = len(self.entries) + 1
        self.entries.append(Entry(number, 1_780_000_000.0 + number, CAUSE, facts, "something happened"))
        self.view = replace(self.view, seq=number, **now)
        self.seen.append(self.view)

    def set_column(self, column: Column) -> None:
        kept = tuple(column if one.key == column.key else one for one in self.view.columns)
        new = () if any(one.key == column.key for one in kept) else (column,)
        self.write(Facts(columns=(column,)), columns=kept + new)

    def observe(self, key: str, state: NamespaceState) -> None:
        self.write(Facts(states={key: state}), states=self.view.states | {key: state})

    def change(self, later: dict[str, NamespaceState]) -> None:
        known = {key: state for key, state in later.items() if key in self.view.states}
        changes = {key: delta(self.view.states[key], state) for key, state in known.items()}
        self.write(Facts(changes=changes), states=self.view.states | known)

    def end(self, key: str, *, removed: bool) -> None:
        states = {name: state for name, state in self.view.states.items() if name != key}
        if removed:
            columns = tuple(one for one in self.view.columns if one.key != key)
            self.write(Facts(removed=(key,)), states=states, columns=columns)
        else:
            self.write(Facts(forgotten=(key,)), states=states)

    def set_head(self, phase: Phase) -> None:
        self.write(Facts(head=make_head(phase)), head=make_head(phase))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    recording = Recording()
    for _ in range(draw(st.integers(1, 8))):
        key = draw(arm_keys)
        match draw(st.sampled_from(["column", "state", "change", "change", "forget", "remove", "head"])):
            case "column":
                recording.set_column(draw(columns_with_key(key)))
            case "state":
                recording.observe(key, draw(states))
            case "change":
                recording.change({name: draw(states) for name in recording.view.states})
            case "head":
                recording.set_head(draw(st.sampled_from(Phase)))
            case what:
                recording.end(key, removed=what == "remove")
    return recording


def stored(entries: list[Entry]) -> list[Entry]:
    """The entries as they come back from the database."""
    return [replace(entry, facts=decode_facts(encode_facts(entry.facts))) for entry in entries]


@settings(max_examples=examples(0.6))
@given(recordings())
def test_a_replay_stopped_at_any_entry_shows_the_view_after_it(recording: Recording) -> None:
    read = stored(recording.entries)
    for number, seen in enumerate(recording.seen, start=1):
        assert replay(read[:number]) == seen


@settings(max_examples=examples(0.6))
@given(recordings(), st.data())
def test_a_replay_continues_from_any_view(recording: Recording, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(recording.entries)))
    view = replay(recording.entries[:start])
    assert replay(recording.entries[start:], view) == replay(recording.entries) == recording.view


@given(recordings(), st.data())
def test_entries_that_were_applied_change_nothing(recording: Recording, data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(recording.entries))
    assert advance(recording.view, entry) is recording.view
    assert replay([*recording.entries, *recording.entries]) == recording.view


@given(recordings())
def test_facts_are_unchanged_after_encoding_and_decoding(recording: Recording) -> None:
    for entry in recording.entries:
        assert decode_facts(encode_facts(entry.facts)) == entry.facts
        assert decode_facts(encode_facts(entry.facts).encode()) == entry.facts


@pytest.mark.parametrize("text", ["", "{", "[]", '{"columns": [{"key": 1}]}', '{"states": {"a": {}}}'])
def test_malformed_facts_are_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_facts(text)


def test_unknown_fields_of_a_later_version_are_ignored() -> None:
    assert decode_facts('{"weather": "fine"}') == Facts()


def test_a_view_is_never_changed_in_place() -> None:
    before = replay([Entry(1, 0.0, CAUSE, Facts(columns=(make_column(),), states={"bridge": make_state()}))])
    kept = View(before.seq, before.head, before.columns, dict(before.states))
    advance(before, Entry(2, 0.0, CAUSE, Facts(removed=("bridge",))))
    advance(before, Entry(2, 0.0, CAUSE, Facts(states={"bridge": make_state(7)})))
    assert before == kept


def test_a_forgotten_column_keeps_its_head() -> None:
    view = View(1, None, (make_column(),), {"bridge": make_state()})
    ended = make_column(status=ArmStatus.EXITED, exit_code=1)
    after = advance(view, Entry(2, 0.0, CAUSE, Facts(columns=(ended,), forgotten=("bridge",))))
    assert after.columns == (ended,)
    assert after.states == {}


def test_changes_of_an_unknown_column_are_ignored() -> None:
    changes = {"bridge": delta(make_state(), make_state(hostname="other"))}
    after = advance(View(), Entry(1, 0.0, CAUSE, Facts(changes=changes)))
    assert after == View(1)


def test_a_state_and_a_change_in_one_entry_are_applied_in_that_order() -> None:
    first, later = make_state(), make_state(hostname="other")
    facts = Facts(states={"bridge": first}, changes={"bridge": delta(first, later)}, forgotten=("bridge",))
    assert advance(View(), Entry(1, 0.0, CAUSE, facts)).states == {"bridge": later}


def test_columns_keep_their_places_and_new_ones_come_last() -> None:
    columns = tuple(make_column(key) for key in ("host", "bridge", "none"))
    facts = Facts(columns=(make_column("macvlan"), make_column("bridge", port=81)), removed=("host",))
    after = advance(View(1, None, columns), Entry(2, 0.0, CAUSE, facts))
    assert [(column.key, column.port) for column in after.columns] == [("bridge", 81), ("none", 80), ("macvlan", 80)]


def test_a_trial_replaces_the_one_before_and_entries_without_one_keep_it() -> None:
    trial = Trial((Attempt("loopback", "127.0.0.1 to host", "machine", "host", "", "", 200),), 5.0, 1)
    tried = advance(View(), Entry(1, 0.0, CAUSE, Facts(trial=trial)))
    assert tried.trial == trial
    assert advance(tried, Entry(2, 0.0, CAUSE, Facts())).trial == trial
    assert advance(tried, Entry(2, 0.0, CAUSE, Facts(trial=NO_TRIAL))).trial == NO_TRIAL
    assert decode_facts(encode_facts(Facts(trial=trial))) == Facts(trial=trial)
    assert "trial" not in encode_facts(Facts()), "entries without a trial are as long as before"
