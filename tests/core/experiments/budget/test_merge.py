"""Entries merged into one have the same effect."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.budget.merge import (
    Tally,
    describe_merged,
    describe_unwritten,
    is_mergeable,
    is_replaceable,
    merge,
)
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, Trial, View, advance, replay
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from tests.core.builders import make_listener, make_state
from tests.core.sample import make_columns, make_head, make_states
from tests.core.strategies import states

KERNEL = Cause(Source.KERNEL, "listener tcp :80")
BEFORE = View(10, make_head(), make_columns(), make_states())


def entry_after(view: View, facts: Facts, cause: Cause = KERNEL) -> Entry:
    return Entry(view.seq + 1, 1000.0 + view.seq, cause, facts, f"entry {view.seq + 1}", ("host",))


@given(st.lists(st.tuples(st.sampled_from([MACHINE, "bridge"]), states), min_size=1, max_size=5), st.booleans())
def test_the_merged_entry_leads_to_the_last_view_from_each_earlier_one(
    observed: list[tuple[str, NamespaceState]], renamed: bool
) -> None:
    views, entries = [BEFORE], []
    for key, state in observed:
        head = replace(make_head(), title="renamed") if renamed else None
        entries.append(entry_after(views[-1], Facts(head=head, changes={key: delta(views[-1].states[key], state)})))
        views.append(advance(views[-1], entries[-1]))
    merged = merge(entries, views[-1])
    for view in views[:-1]:
        assert advance(view, merged) == views[-1]
    assert (merged.seq, merged.text) == (entries[-1].seq, entries[-1].text)


def test_columns_and_states_that_appear_or_disappear_are_as_in_the_last_view() -> None:
    bridge = replace(BEFORE.columns[2], error="gone")
    entries = [
        entry_after(BEFORE, Facts(columns=(bridge,), forgotten=(bridge.key,))),
        entry_after(
            replace(BEFORE, seq=11), Facts(states={"new": make_state(5)}, columns=(replace(bridge, key="new"),))
        ),
    ]
    after = replay(entries, BEFORE)
    merged = merge(entries, after)
    assert advance(BEFORE, merged) == after
    assert merged.facts.forgotten == (bridge.key,)


def test_the_newest_trial_is_merged() -> None:
    entries = [entry_after(BEFORE, Facts(trial=Trial(number=1))), entry_after(BEFORE, Facts(trial=Trial(number=2)))]
    entries[1] = replace(entries[1], seq=12)
    after = replay(entries, BEFORE)
    merged = merge(entries, after)
    assert advance(BEFORE, merged) == after
    assert merged.facts.trial == Trial(number=2)


def test_changes_of_more_than_the_state_has_are_merged_into_the_state() -> None:
    crowded = replace(BEFORE.states[MACHINE], listeners=tuple(make_listener(port) for port in range(1000, 3000)))
    opened = entry_after(BEFORE, Facts(changes={MACHINE: delta(BEFORE.states[MACHINE], crowded)}))
    during = advance(BEFORE, opened)
    closed = entry_after(during, Facts(changes={MACHINE: delta(crowded, BEFORE.states[MACHINE])}))
    merged = merge([opened, closed], advance(during, closed))
    assert merged.facts == Facts(states={MACHINE: BEFORE.states[MACHINE]})


@pytest.mark.parametrize(
    ("cause", "facts", "expected"),
    [
        (KERNEL, Facts(), True),
        (Cause(Source.ENGINE, "network connect"), Facts(), True),
        (Cause(Source.ENGINE, "inspect"), Facts(columns=(replace(BEFORE.columns[2], networks={}),)), True),
        (Cause(Source.ENGINE, "die"), Facts(columns=(replace(BEFORE.columns[2], status=ArmStatus.EXITED),)), False),
        (Cause(Source.ENGINE, "trouble"), Facts(head=make_head(Phase.RUNNING)), False),
        (Cause(Source.PERSON, "stop"), Facts(), False),
        (KERNEL, Facts(forgotten=("bridge",)), False),
        (KERNEL, Facts(removed=("bridge",)), False),
    ],
)
def test_actions_of_persons_phases_and_the_status_of_arms_have_an_entry_of_their_own(
    cause: Cause, facts: Facts, expected: bool
) -> None:
    assert is_replaceable(cause, facts, BEFORE) is expected


def test_a_removed_column_is_not_merged() -> None:
    assert is_mergeable(entry_after(BEFORE, Facts(forgotten=("bridge",))))
    assert not is_mergeable(entry_after(BEFORE, Facts(removed=("bridge",))))


def test_the_text_states_the_number_the_time_and_the_kinds() -> None:
    tally = Tally()
    for number in range(1234):
        detail = "listener tcp :80, listener tcp :81, …" if number % 2 else "link eth1, address eth1"
        tally = tally.add(Entry(number, 1000.0 + number / 100, Cause(Source.KERNEL, detail), Facts()))
    tally = tally.add(Entry(1234, 1020.0, Cause(Source.ENGINE, "network connect"), Facts()))
    assert describe_merged(tally, 1030.4) == (
        "1,235 changes within 30 s are merged into this entry (links, addresses, listeners, network connect)"
    )
    assert describe_merged(Tally(2, 0.0), 600.0) == "2 changes within 10 minutes are merged into this entry"
    assert "14,000 entries" in describe_unwritten(14_000)
