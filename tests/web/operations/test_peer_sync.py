"""Two web processes, simulated in one process without NATS: each finds the changes of the other by polling. Presence is
passed on by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.operations.deployment import Role
from dashboard.lab.remote.wakeups import ALL, Wakeup
from dashboard.models import TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.feed_hub import GONE
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements.hub import MeasurementHub
from dashboard.web.operations import peer_sync
from dashboard.web.operations.peer_sync import PeerSync
from dashboard.web.service import Service
from dashboard.web.training.hub import SessionHub
from dashboard.web.training.linked_clients import mirror_key
from dashboard.web.training.session_feed import INSTRUCTOR
from tests.lab.training_builders import NOW, session
from tests.support.polling import eventually, others_run
from tests.support.specs import make_spec
from tests.web.training.test_hub import Browser, join

pytestmark = pytest.mark.django_db(transaction=True)


class Process:
    """A web process; ``sent`` are its wake-ups to the others."""

    def __init__(self) -> None:
        self.sent: list[Wakeup] = []
        self.others: list[Process] = []
        service = Service()
        service.role = Role.WEB
        service.tell = self.tell  # type: ignore[method-assign]
        self.experiments, self.measurements, self.sessions = ExperimentHub(), MeasurementHub(), SessionHub()
        self.sync = PeerSync(service, self.experiments, self.measurements, self.sessions)

    def tell(self, *wakeup: str) -> None:
        """Delivers presence and discards all other wake-ups."""
        if wakeup[0] != "present":
            self.sent.append(wakeup)
        for other in self.others if wakeup[0] == "present" else ():
            other.sync.receive(wakeup)

    async def close(self) -> None:
        await self.sync.close()
        for hub in (self.experiments, self.measurements, self.sessions):
            await hub.close()


@pytest.fixture
async def two(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Process, Process]]:
    # Polls as often as without NATS.
    monkeypatch.setattr(peer_sync, "SESSIONS_WITH_NATS_S", peer_sync.SESSIONS_S)
    processes = Process(), Process()
    processes[0].others, processes[1].others = [processes[1]], [processes[0]]
    for process in processes:
        await process.sync.start()
    yield processes
    for process in processes:
        await process.close()


@pytest.fixture
async def row() -> TrainingSession:
    return await to_db_thread(session)


async def test_an_entry_without_a_wake_up_is_found(two: tuple[Process, Process]) -> None:
    here, _ = two
    identity = await to_db_thread(experiment_store.create_experiment, make_spec("none", "none"))
    browser = Browser()
    await here.experiments.join(identity, browser.send)
    await eventually(lambda: browser.of("snapshot"))
    entry = Entry(1, NOW, Cause(Source.LAB, "say"), Facts(), "it was lost", ())
    await to_db_thread(journal_store.append, identity, [entry])
    recent_entries.forget(identity)  # another process wrote it
    await eventually(lambda: browser.of("patch"))
    assert here.experiments.missed == 1
    await to_db_thread(experiment_store.rename, identity, "Shop & blog")
    await eventually(lambda: browser.of("snapshot")[-1]["experiment"]["title"] == "Shop & blog")
    await to_db_thread(experiment_store.delete, identity)
    await eventually(lambda: browser.code == GONE)


async def test_the_end_of_trouble_with_the_journal_is_found_with_the_next_entry(two: tuple[Process, Process]) -> None:
    here, _ = two
    identity = await to_db_thread(experiment_store.create_experiment, make_spec("none", "none"))
    browser = Browser()
    await here.experiments.join(identity, browser.send)
    await eventually(lambda: browser.of("snapshot"))
    here.experiments.trouble(identity, "disk full")
    await eventually(lambda: browser.of("snapshot")[-1]["experiment"]["problem"] == "disk full")
    entry = Entry(1, NOW, Cause(Source.LAB, "say"), Facts(), "there is space again", ())
    await to_db_thread(journal_store.append, identity, [entry])
    recent_entries.forget(identity)  # another process wrote it
    await eventually(lambda: browser.of("snapshot")[-1]["experiment"]["problem"] == "")


@pytest.mark.parametrize("is_closed", [False, True])
async def test_a_mirrored_comparison_ends_without_a_wake_up_when_it_is_replaced_or_the_session_is_closed(
    two: tuple[Process, Process], row: TrainingSession, is_closed: bool
) -> None:
    _, there = two
    one = await to_db_thread(experiment_store.create_experiment, make_spec("none", "none"))
    other = await to_db_thread(experiment_store.create_experiment, make_spec("none", "none"))
    await to_db_thread(training_sessions.mirror, row.id, row.owner_id, NOW, one)
    old, new = Browser(), Browser()
    for experiment, browser in ((one, old), (other, new)):
        client = await there.experiments.join(experiment, browser.send)
        there.sessions.link(mirror_key(row.id, experiment), client, there.experiments)
    await eventually(lambda: new.code == GONE)
    assert old.code is None
    if is_closed:
        assert await to_db_thread(training_sessions.close, row.id, row.owner_id, NOW)
    else:
        assert await to_db_thread(training_sessions.mirror, row.id, row.owner_id, NOW, "")
    await eventually(lambda: old.code == GONE)


async def test_participants_of_other_processes_are_present(two: tuple[Process, Process], row: TrainingSession) -> None:
    here, there = two
    ada, bob = await join(row, "Ada"), await join(row, "Bob")
    hers, his = Browser(), Browser()
    client = await here.sessions.enter(row.id, ada.id, hers.send, None, None, admitted=True)
    await there.sessions.enter(row.id, bob.id, his.send, None, None, admitted=True)
    await eventually(
        lambda: all(one.of("session")[-1:] and one.of("session")[-1]["present"] == 2 for one in (hers, his))
    )
    assert here.sessions.present(row.id) == {ada.id, bob.id}
    here.sessions.exit(row.id, ada.id, client)
    without_clients = Process()
    await without_clients.sync.start()
    there.others.append(without_clients)
    there.sync.receive(ALL)  # as when a process has connected: every process reports at once
    await eventually(lambda: bob.id in without_clients.sessions.present(row.id))
    await there.close()
    assert bob.id not in without_clients.sessions.present(row.id), "its last report"
    await without_clients.close()


async def test_a_change_of_the_instructor_reaches_the_other_process_with_and_without_a_wake_up(
    two: tuple[Process, Process], row: TrainingSession
) -> None:
    here, there = two
    ada, hers, instructor = await join(row, "Ada"), Browser(), Browser()
    await there.sessions.enter(row.id, ada.id, hers.send, None, None, admitted=True)
    await there.sessions.enter(row.id, INSTRUCTOR, instructor.send, None, None, admitted=True)
    await eventually(lambda: hers.of("session"))
    await to_db_thread(training_sessions.go_to, row.id, row.owner_id, NOW, "launch")
    here.sessions.tell(row.id, ada.id)
    assert here.sent == [("class-now", row.id, ada.id)]
    there.sync.receive(here.sent[0])
    assert there.sessions.feeds()[0].urgent.is_set(), "it is sent at once"
    await eventually(lambda: hers.of("session")[-1]["step"] == "launch")
    # Now without a wake-up.
    await eventually(lambda: there.sessions.feeds()[0].version.shared)
    before = len(instructor.of("progress"))
    await to_db_thread(session_state.add_message, row.id, ada.id, "", "for Ada", NOW, from_instructor=True)
    await eventually(lambda: hers.of("participant")[-1]["messages"])
    assert len(instructor.of("progress")) > before
    await to_db_thread(participants.remove, row.id, [ada.id], NOW)
    await eventually(lambda: hers.code == GONE)


async def test_a_participant_who_moves_is_disconnected_on_the_old_device_without_a_wake_up(
    two: tuple[Process, Process], row: TrainingSession
) -> None:
    _, there = two
    ada, old, new = await join(row, "Ada"), Browser(), Browser()
    await there.sessions.enter(row.id, ada.id, old.send, None, None, admitted=True)
    await eventually(lambda: there.sessions.feeds()[0].version.shared)
    link = await to_db_thread(participants.make_link, row.id, ada.id)
    assert await to_db_thread(participants.resume, str(link), NOW)
    await there.sessions.enter(row.id, ada.id, new.send, None, None, admitted=True)
    await eventually(lambda: old.code == GONE)
    await others_run()
    assert new.code is None
