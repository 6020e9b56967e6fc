"""The entries of a journal that are not committed yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.budget.pace import MAX_WAITING_BYTES, MAX_WAITING_ENTRIES, Limits, new_pace
from dashboard.core.experiments.budget.queue import MAX_MERGED_S, JournalQueue
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, Trial, View, entry_size, replay
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from tests.core.builders import make_listener
from tests.core.sample import make_columns, make_head, make_states

START = View(0, make_head(), make_columns(), make_states())
KERNEL = Cause(Source.KERNEL, "listener tcp :80")
PERSON = Cause(Source.PERSON, "stop")
TIGHT = Limits(burst_entries=3, entries_per_s=0.001)


@dataclass
class Journal:
    """A queue with its database."""

    limits: Limits = field(default_factory=Limits)
    rows: dict[int, Entry] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.queue = JournalQueue(START, new_pace(self.limits, 0.0))

    def append(self, cause: Cause = KERNEL, text: str = "", *, quiet: bool = False, **facts: Any) -> Entry:
        return self.queue.append(1000.0 + self.now, self.now, cause, Facts(**facts), text, (), quiet=quiet)

    def open_port(self, port: int, *, quiet: bool = False) -> None:
        """Changes the machine."""
        state = self.queue.view.states[MACHINE]
        listeners = tuple(one for one in state.listeners if one.port != port)
        after = replace(
            state, listeners=listeners if len(listeners) < len(state.listeners) else (make_listener(port), *listeners)
        )
        self.append(text=f"port {port}", quiet=quiet, changes={MACHINE: delta(state, after)})

    def commit(self) -> int:
        batch = self.queue.next_batch()
        for number in batch.replaced:
            del self.rows[number]
        assert not {entry.seq for entry in batch.entries} & set(self.rows)
        self.rows |= {entry.seq: entry for entry in batch.entries}
        return self.queue.committed(batch)

    def end_merge(self) -> None:
        self.queue.end_merge(1000.0 + self.now, self.now)

    def stored(self) -> View:
        return replay(self.rows.values(), START)

    @property
    def texts(self) -> list[str]:
        return [entry.text for entry in self.rows.values()]


@given(
    st.lists(st.sampled_from(["port 80", "port 81", "quiet", "person", "commit", "fail", "end", "wait"]), max_size=40)
)
def test_committed_entries_lead_to_the_view_whatever_is_merged(steps: list[str]) -> None:
    journal = Journal(TIGHT)
    followed = START
    for step in steps:
        match step:
            case "port 80" | "port 81":
                journal.open_port(int(step.removeprefix("port ")))
            case "quiet":
                journal.open_port(90, quiet=True)
            case "person":
                journal.append(PERSON, "person", head=make_head())
            case "commit":
                journal.commit()
                followed = replay((one for one in journal.rows.values() if one.seq > followed.seq), followed)
            case "fail":
                journal.queue.failed(journal.queue.next_batch())
            case "end":
                journal.end_merge()
            case "wait":
                journal.now += MAX_MERGED_S
    journal.commit()
    assert journal.stored() == journal.queue.view
    assert list(journal.rows) == sorted(journal.rows)
    # A browser that has seen a version of the open entry continues from there.
    assert replay((one for one in journal.rows.values() if one.seq > followed.seq), followed) == journal.queue.view


def test_a_flood_becomes_one_entry_that_states_what_it_represents() -> None:
    journal = Journal(TIGHT)
    for number in range(1000):
        journal.now = number / 100
        journal.open_port(8000 + number % 7)
        if number % 50 == 0:
            journal.commit()
    assert len(journal.rows) <= 4
    assert journal.queue.is_flooded
    journal.end_merge()
    journal.commit()
    assert journal.texts == [
        "port 8000",
        "port 8001",
        "port 8002",
        "997 changes within 10 s are merged into this entry (listeners)",
    ]
    assert journal.stored() == journal.queue.view


def test_a_long_flood_has_an_entry_a_minute_while_the_journal_may_grow() -> None:
    journal = Journal(replace(TIGHT, entries_per_s=1.0))
    for second in range(600):
        journal.now = float(second)
        for _ in range(20):
            journal.open_port(8000)
        journal.commit()
    journal.end_merge()
    journal.commit()
    assert 12 <= len(journal.rows) <= 25
    assert journal.stored() == journal.queue.view


def test_one_merged_change_keeps_its_text() -> None:
    journal = Journal(replace(TIGHT, burst_entries=0))
    journal.open_port(8000)
    journal.append(PERSON, "stop", head=make_head())
    journal.commit()
    assert journal.texts == ["port 8000", "stop"]


def test_changes_that_concern_no_column_are_one_entry_without_a_text() -> None:
    journal = Journal()
    for number in range(900):
        journal.open_port(9000 + number % 5, quiet=True)
        journal.commit()
    assert journal.texts == [""]
    journal.append(PERSON, "stop", head=make_head())
    journal.open_port(9000, quiet=True)
    journal.commit()
    assert journal.texts == ["", "stop", ""]
    assert journal.stored() == journal.queue.view
    assert not journal.queue.is_flooded


def test_a_full_journal_announces_it_once_and_stays_current_without_growing() -> None:
    journal = Journal(Limits(max_entries=5))
    for number in range(500):
        journal.open_port(8000 + number % 2)
        journal.now += 10.0
        journal.commit()
    assert len(journal.rows) == 7
    assert sum("reached its limit" in text for text in journal.texts) == 1
    assert journal.stored() == journal.queue.view
    assert not journal.queue.is_flooded
    journal.append(PERSON, "stop", head=make_head())
    journal.commit()
    assert "merged" in journal.texts[-2]


def test_a_journal_that_was_full_before_is_not_announced_again() -> None:
    journal = Journal(Limits(max_bytes=0))
    journal.append(PERSON, "stop", head=make_head())
    journal.commit()
    assert journal.texts == ["stop"]


def test_a_flood_of_2000_ports_stays_within_the_bytes() -> None:
    journal = Journal()
    closed = journal.queue.view.states[MACHINE]
    opened = replace(closed, listeners=tuple(make_listener(port) for port in range(20_000, 22_000)))
    for number in range(240):
        state: NamespaceState = journal.queue.view.states[MACHINE]
        after = closed if state.listeners == opened.listeners else opened
        journal.append(text="ports", changes={MACHINE: delta(state, after)})
        journal.now = number / 2
        journal.commit()
    journal.end_merge()
    journal.commit()
    size = sum(entry_size(entry) for entry in journal.rows.values())
    assert size < 12 * 1024 * 1024
    assert journal.stored() == journal.queue.view


def test_entries_that_wait_for_the_database_are_merged_and_counted() -> None:
    journal = Journal()
    journal.append(PERSON, "launch", removed=("none",))
    for number in range(14_000):
        journal.append(PERSON, f"person {number}", head=make_head())
        if number == 100:
            batch = journal.queue.next_batch()
    assert len(journal.queue._waiting) <= len(batch.entries) + MAX_WAITING_ENTRIES
    journal.queue.failed(batch)
    journal.append(PERSON, "one more", head=make_head())
    assert len(journal.queue._waiting) <= MAX_WAITING_ENTRIES + 1
    assert journal.queue.appended == 14_002
    assert journal.commit() == 14_002
    assert journal.texts[0] == "launch"
    assert "accepted no writes" in " ".join(journal.texts)
    assert journal.stored() == journal.queue.view


def test_large_entries_that_wait_are_merged_by_their_bytes() -> None:
    journal = Journal()
    for number in range(20):
        state = replace(journal.queue.view.states[MACHINE], hostname=f"{number}" * 1_000_000)
        journal.append(PERSON, "large", states={MACHINE: state})
    assert len(journal.queue._waiting) <= MAX_WAITING_BYTES // 1_000_000 + 1


def test_dropped_entries_are_counted_once() -> None:
    journal = Journal(TIGHT)
    for _ in range(10):
        journal.open_port(8000)
    assert journal.queue.appended == 4
    assert (journal.queue.has_final, journal.queue.has_open) == (True, True)
    assert journal.queue.drop() == 4
    assert (journal.queue.has_final, journal.queue.has_open) == (False, False)


def test_an_open_entry_that_ends_while_it_is_written_is_written_again_if_that_fails() -> None:
    journal = Journal()
    journal.open_port(9000, quiet=True)
    batch = journal.queue.next_batch()
    journal.append(PERSON, "stop", head=make_head())
    journal.queue.failed(batch)
    journal.commit()
    assert journal.texts == ["", "stop"]
    assert journal.stored() == journal.queue.view


def test_an_open_entry_that_ends_while_it_is_written_is_stored_once() -> None:
    journal = Journal()
    journal.open_port(9000, quiet=True)
    batch = journal.queue.next_batch()
    journal.append(PERSON, "stop", head=make_head())
    journal.rows |= {entry.seq: entry for entry in batch.entries}
    assert journal.queue.committed(batch) == 1
    assert journal.commit() == 1
    assert journal.texts == ["", "stop"]
    assert journal.stored() == journal.queue.view


def test_after_a_merged_entry_fills_the_journal_the_next_change_announces_it() -> None:
    journal = Journal(replace(TIGHT, max_entries=4))
    for port in (80, 81, 82, 83):
        journal.open_port(port)
    journal.end_merge()
    journal.open_port(84)
    journal.commit()
    assert sum("reached its limit" in text for text in journal.texts) == 1
    assert journal.stored() == journal.queue.view


def test_a_full_journal_does_not_grow_by_restarts_of_an_arm_or_by_requests() -> None:
    journal = Journal(Limits(max_entries=3))
    arm = next(one for one in START.columns if one.key == "bridge")
    for number in range(200):
        journal.now += 10.0
        status = (ArmStatus.EXITED, ArmStatus.RUNNING)[number % 2]
        journal.append(Cause(Source.ENGINE, "die"), "exited", columns=(replace(arm, status=status),))
        trial = Trial(at=journal.now, number=number + 1)
        journal.append(Cause(Source.PERSON, "try"), "tried", head=make_head(), trial=trial)
        journal.commit()
    assert len(journal.rows) == 5
    assert journal.stored() == journal.queue.view
    assert journal.queue.view.trial.number == 200
    journal.append(PERSON, "stop", head=make_head())
    journal.commit()
    assert journal.texts[-2:] == ["397 changes within 33 minutes are merged into this entry (try, die)", "stop"]
