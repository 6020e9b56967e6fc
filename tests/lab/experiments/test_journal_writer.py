"""Journal entries are numbered, merged if they are too many, committed in batches, and published after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from django.db import OperationalError

from dashboard.core.experiments.budget.pace import MAX_WAITING_ENTRIES, Limits, new_pace
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View, entry_size, replay
from dashboard.core.experiments.messages import Phase
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.delta import delta
from dashboard.lab.experiments import journal_writer as module
from dashboard.lab.experiments.journal_writer import JournalWriter
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.database import DatabaseThread
from dashboard.store.telemetry import telemetry
from tests.core.sample import make_columns, make_head, make_listener, make_states
from tests.support.lab_harness import RecordingPublisher
from tests.support.polling import eventually, others_run
from tests.support.records import load_record
from tests.support.specs import make_spec

CAUSE = Cause(Source.LAB, "test")
KERNEL = Cause(Source.KERNEL, "listener tcp :9000")


@pytest.fixture
async def database(transactional_db: None) -> AsyncIterator[DatabaseThread]:
    made = DatabaseThread()
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
async def writer(
    database: DatabaseThread, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> JournalWriter:
    monkeypatch.setattr(module, "RETRY_S", (0.01, 0.02))
    identity = await database.run(experiment_store.create_experiment, make_spec("host"))
    return JournalWriter(identity, View(), database, publisher, lambda: 1000.0)


async def test_entries_are_numbered_and_the_view_is_ahead_of_the_database(
    writer: JournalWriter, database: DatabaseThread
) -> None:
    first = writer.append(CAUSE, Facts(head=make_head(Phase.PREPARING)), "one")
    second = writer.append(CAUSE, Facts(head=make_head(Phase.RUNNING)), "two", ("host", "machine"))
    assert (first.seq, second.seq, writer.view.seq) == (1, 2, 2)
    assert writer.view.head is not None
    assert writer.view.head.phase is Phase.RUNNING
    await writer.flush()
    assert await database.run(journal_store.entries, writer.experiment) == (first, second)
    assert await database.run(journal_store.view, writer.experiment) == writer.view
    newest = await database.run(journal_store.newest, [writer.experiment])
    assert newest[writer.experiment][0] == 2


async def test_entries_appended_together_are_one_batch_and_published_after_the_commit(
    writer: JournalWriter, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    append = journal_store.append

    def counted(experiment: str, entries: Sequence[Entry], replaced: Sequence[int]) -> None:
        assert not publisher.woken
        append(experiment, entries, replaced)
        batches.append(len(entries))

    monkeypatch.setattr(journal_store, "append", counted)
    for number in range(50):
        writer.append(CAUSE, Facts(), f"entry {number}")
    await writer.flush()
    assert batches == [50]
    assert publisher.woken == [writer.experiment]


async def test_entries_appended_during_a_write_are_the_next_batch(
    writer: JournalWriter, database: DatabaseThread
) -> None:
    for number in range(20):
        writer.append(CAUSE, Facts(), f"entry {number}")
        await others_run()
    await writer.flush()
    entries = await database.run(journal_store.entries, writer.experiment)
    assert [entry.seq for entry in entries] == list(range(1, 21))
    await writer.flush()


async def test_entries_of_a_launch_wait_for_the_next_write_until_the_launch_ends(
    writer: JournalWriter, publisher: RecordingPublisher, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAUNCH_S", 1e9)  # longer than any machine has run: the first write waits for nothing
    writer.append(CAUSE, Facts(head=make_head(Phase.PREPARING)), "preparing")
    await eventually(lambda: publisher.woken == [writer.experiment])
    writer.append(CAUSE, Facts(head=make_head(Phase.LAUNCHING)), "launching")
    writer.append(CAUSE, Facts(), "created")
    await others_run()
    assert len(await database.run(journal_store.entries, writer.experiment)) == 1
    writer.append(CAUSE, Facts(head=make_head(Phase.RUNNING)), "running")
    await eventually(lambda: len(publisher.woken) == 2)
    assert len(await database.run(journal_store.entries, writer.experiment)) == 4
    writer.append(CAUSE, Facts(), "stopped listening")
    await eventually(lambda: len(publisher.woken) == 3)


async def test_a_flush_does_not_wait_for_the_next_write_of_a_launch(
    writer: JournalWriter, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAUNCH_S", 3600.0)
    for phase in (Phase.PREPARING, Phase.LAUNCHING):
        writer.append(CAUSE, Facts(head=make_head(phase)), phase)
        await writer.flush()
    assert len(await database.run(journal_store.entries, writer.experiment)) == 2


async def test_a_failed_write_is_repeated_and_published_as_trouble(
    writer: JournalWriter, publisher: RecordingPublisher, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal_store.append
    left = iter(range(3))

    def fail(experiment: str, entries: Sequence[Entry], replaced: Sequence[int]) -> None:
        if next(left, None) is not None:
            assert not publisher.woken
            raise OperationalError("database or disk is full")
        append(experiment, entries, replaced)

    monkeypatch.setattr(journal_store, "append", fail)
    writer.append(CAUSE, Facts(), "one")
    flushed = asyncio.ensure_future(writer.flush())
    await others_run()
    writer.append(CAUSE, Facts(), "two")
    await flushed
    said = "The journal cannot be written: database or disk is full. Trying again."
    assert publisher.troubles == [said, said, said, ""]
    assert [entry.text for entry in await database.run(journal_store.entries, writer.experiment)] == ["one", "two"]


async def test_a_commit_with_a_lost_response_is_not_repeated_forever(
    writer: JournalWriter, publisher: RecordingPublisher, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal_store.append
    losses = iter([True, False, False])

    def lose_the_answer(experiment: str, entries: Sequence[Entry], replaced: Sequence[int]) -> None:
        append(experiment, entries, replaced)
        if next(losses, False):
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(journal_store, "append", lose_the_answer)
    writer.append(CAUSE, Facts(), "one")
    writer.append(CAUSE, Facts(), "two")
    flushed = asyncio.ensure_future(writer.flush())
    await eventually(lambda: publisher.troubles)
    writer.append(CAUSE, Facts(), "three")
    await asyncio.wait_for(flushed, 10)
    entries = await database.run(journal_store.entries, writer.experiment)
    assert [(entry.seq, entry.text) for entry in entries] == [(1, "one"), (2, "two"), (3, "three")]
    record = await database.run(load_record, writer.experiment)
    assert (record.journal_entries, record.journal_bytes) == (3, sum(map(entry_size, entries)))
    assert publisher.troubles[-1] == ""


async def test_an_entry_of_another_writer_is_not_replaced(
    writer: JournalWriter, database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    other = Entry(1, 999.0, CAUSE, Facts(), "of another lab", ())
    await database.run(journal_store.append, writer.experiment, [other])
    writer.append(CAUSE, Facts(), "one")
    await eventually(lambda: len(publisher.troubles) > 2)
    await writer.close(0.1)
    assert await database.run(journal_store.entries, writer.experiment) == (other,)


async def test_a_new_writer_continues_the_numbers(
    writer: JournalWriter, database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    writer.append(CAUSE, Facts(head=make_head()), "one")
    await writer.flush()
    view = await database.run(journal_store.view, writer.experiment)
    second = JournalWriter(writer.experiment, view, database, publisher, lambda: 2000.0)
    assert second.append(CAUSE, Facts(), "two").seq == 2
    await second.flush()
    assert [entry.at for entry in await database.run(journal_store.entries, writer.experiment)] == [1000.0, 2000.0]


async def test_a_clock_that_is_set_back_does_not_change_the_order(
    database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    identity = await database.run(experiment_store.create_experiment, make_spec("host"))
    moments = iter([5000.0, 1400.0, 9000.0])
    writer = JournalWriter(identity, View(), database, publisher, lambda: next(moments))
    for number in range(3):
        writer.append(CAUSE, Facts(), f"entry {number}")
    await writer.flush()
    entries = await database.run(journal_store.entries, identity)
    assert [entry.at for entry in entries] == [5000.0, 1400.0, 9000.0]
    assert [entry.seq for entry in entries] == [1, 2, 3]


async def test_entries_of_a_removed_experiment_are_dropped(
    writer: JournalWriter, database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    writer.append(CAUSE, Facts(), "one")
    await writer.flush()
    await database.run(experiment_store.delete, writer.experiment)
    writer.append(CAUSE, Facts(), "nobody asks")
    async with asyncio.timeout(20):
        await writer.flush()
    assert publisher.troubles == []


async def test_a_flood_is_one_entry_in_the_database_that_stays_current(
    database: DatabaseThread, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await database.run(experiment_store.create_experiment, make_spec("host"))
    start = View(0, make_head(), make_columns(), make_states())
    pace = new_pace(Limits(burst_entries=2, entries_per_s=0.0), 0.0)
    waiting = telemetry.metrics().entries_waiting  # writers of earlier tests in this process count, too
    writer = JournalWriter(identity, start, database, publisher, lambda: 1000.0, pace)
    state = start.states[MACHINE]
    for number in range(300):
        monkeypatch.setattr(module, "CALM_S", 0.05 if number == 299 else 1000.0)
        after = replace(state, listeners=(make_listener(9000 + number, "python3", 7), *state.listeners))
        writer.append(KERNEL, Facts(changes={MACHINE: delta(writer.view.states[MACHINE], after)}), f"port {number}")
        if number % 100 == 0:
            await writer.flush()
            stored = await database.run(journal_store.entries, identity)
            assert replay(stored, start) == writer.view
            assert len(stored) <= 3

    async def final() -> tuple[Entry, ...]:
        await writer.flush()
        stored = await database.run(journal_store.entries, identity)
        return stored if stored[-1].text else ()

    stored = await eventually(final)
    assert [entry.text for entry in stored] == [
        "port 0",
        "port 1",
        "298 changes within 0 s are merged into this entry (listeners)",
    ]
    assert replay(stored, start) == writer.view
    assert telemetry.metrics().entries_waiting == waiting
    record = await database.run(load_record, identity)
    assert record.journal_entries == 3


async def test_a_full_disk_fills_neither_memory_nor_the_journal(
    writer: JournalWriter, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal_store.append

    def fail(*_arguments: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(journal_store, "append", fail)
    for number in range(14_000):
        writer.append(CAUSE, Facts(head=make_head(Phase.RUNNING)), f"entry {number}")
        if number % 500 == 0:
            await others_run()
    assert len(writer._queue._waiting) <= 2 * MAX_WAITING_ENTRIES
    monkeypatch.setattr(journal_store, "append", append)
    await writer.flush()
    stored = await database.run(journal_store.entries, writer.experiment)
    assert any("entries are merged into this one" in entry.text for entry in stored)
    assert await database.run(journal_store.view, writer.experiment) == writer.view


async def test_a_closed_writer_leaves_nothing_open(writer: JournalWriter, database: DatabaseThread) -> None:
    writer.append(KERNEL, Facts(), quiet=True)
    writer.append(KERNEL, Facts(), quiet=True)
    await writer.close(5.0)
    assert [entry.text for entry in await database.run(journal_store.entries, writer.experiment)] == [""]
