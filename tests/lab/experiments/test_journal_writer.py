"""Journal entries are numbered without gaps, committed in batches, and published after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from django.db import OperationalError

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View
from dashboard.core.experiments.messages import Phase
from dashboard.lab.experiments import journal_writer as module
from dashboard.lab.experiments.journal_writer import JournalWriter
from dashboard.store import experiments as experiment_store
from dashboard.store.database import DatabaseThread
from tests.support.lab_harness import RecordingPublisher
from tests.support.polling import others_run
from tests.support.specs import make_spec
from tests.web.sample import make_head

CAUSE = Cause(Source.LAB, "test")


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
    assert await database.run(experiment_store.entries, writer.experiment) == (first, second)
    assert await database.run(experiment_store.view, writer.experiment) == writer.view
    assert await database.run(experiment_store.last_seq, writer.experiment) == 2


async def test_entries_appended_together_are_one_batch_and_published_after_the_commit(
    writer: JournalWriter, publisher: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    append = experiment_store.append

    def counted(experiment: str, entries: Sequence[Entry]) -> None:
        assert not publisher.woken
        append(experiment, entries)
        batches.append(len(entries))

    monkeypatch.setattr(experiment_store, "append", counted)
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
    entries = await database.run(experiment_store.entries, writer.experiment)
    assert [entry.seq for entry in entries] == list(range(1, 21))
    await writer.flush()


async def test_a_failed_write_is_repeated_and_published_as_trouble(
    writer: JournalWriter, publisher: RecordingPublisher, database: DatabaseThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = experiment_store.append
    left = iter(range(3))

    def fail(experiment: str, entries: Sequence[Entry]) -> None:
        if next(left, None) is not None:
            assert not publisher.woken
            raise OperationalError("database or disk is full")
        append(experiment, entries)

    monkeypatch.setattr(experiment_store, "append", fail)
    writer.append(CAUSE, Facts(), "one")
    flushed = asyncio.ensure_future(writer.flush())
    await others_run()
    writer.append(CAUSE, Facts(), "two")
    await flushed
    said = "The journal cannot be written: database or disk is full. Trying again."
    assert publisher.troubles == [said, said, said, ""]
    assert [entry.text for entry in await database.run(experiment_store.entries, writer.experiment)] == ["one", "two"]


async def test_a_new_writer_continues_the_numbers(
    writer: JournalWriter, database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    writer.append(CAUSE, Facts(head=make_head()), "one")
    await writer.flush()
    view = await database.run(experiment_store.view, writer.experiment)
    second = JournalWriter(writer.experiment, view, database, publisher, lambda: 2000.0)
    assert second.append(CAUSE, Facts(), "two").seq == 2
    await second.flush()
    assert [entry.at for entry in await database.run(experiment_store.entries, writer.experiment)] == [1000.0, 2000.0]


async def test_a_clock_that_is_set_back_does_not_change_the_order(
    database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    identity = await database.run(experiment_store.create_experiment, make_spec("host"))
    moments = iter([5000.0, 1400.0, 9000.0])
    writer = JournalWriter(identity, View(), database, publisher, lambda: next(moments))
    for number in range(3):
        writer.append(CAUSE, Facts(), f"entry {number}")
    await writer.flush()
    entries = await database.run(experiment_store.entries, identity)
    assert [entry.at for entry in entries] == [5000.0, 1400.0, 9000.0]
    assert [entry.seq for entry in entries] == [1, 2, 3]


async def test_entries_of_a_removed_experiment_are_dropped(
    writer: JournalWriter, database: DatabaseThread, publisher: RecordingPublisher
) -> None:
    writer.append(CAUSE, Facts(), "one")
    await writer.flush()
    await database.run(experiment_store.delete, writer.experiment)
    writer.append(CAUSE, Facts(), "nobody asks")
    async with asyncio.timeout(5):
        await writer.flush()
    assert publisher.troubles == []
