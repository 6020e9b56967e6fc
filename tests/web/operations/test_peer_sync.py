"""Two web processes played in one, without Redis: whatever one of them does is found by the other's looks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.operations.deployment import Role
from dashboard.lab.remote.wakeups import Wakeup
from dashboard.models import TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.feed_hub import GONE
from dashboard.web.measurements.hub import MeasurementHub
from dashboard.web.operations import peer_sync
from dashboard.web.operations.peer_sync import Team
from dashboard.web.service import Service
from dashboard.web.training.hub import INSTRUCTOR, SessionHub
from tests.lab.training_builders import NOW, session
from tests.polling import eventually, others_run
from tests.specs import make_spec
from tests.web.training.test_hub import Browser, sit

pytestmark = pytest.mark.django_db(transaction=True)


class Process:
    """One of them: ``told`` is what it tells the others."""

    def __init__(self) -> None:
        self.told: list[Wakeup] = []
        service = Service()
        service.role = Role.WEB
        service.tell = lambda *wake: self.told.append(wake)  # type: ignore[method-assign]
        self.experiments, self.runs, self.classes = ExperimentHub(), MeasurementHub(), SessionHub()
        self.team = Team(service, self.experiments, self.runs, self.classes)

    async def close(self) -> None:
        await self.team.close()
        for hub in (self.experiments, self.runs, self.classes):
            await hub.close()


@pytest.fixture
async def two(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Process, Process]]:
    monkeypatch.setattr(
        peer_sync, "CLASSES_WELL_S", peer_sync.CLASSES_S
    )  # nobody waits for less, with Redis or without
    made = Process(), Process()
    for one in made:
        await one.team.start()
    yield made
    for one in made:
        await one.close()


@pytest.fixture
async def row() -> TrainingSession:
    made: TrainingSession = await database_sync_to_async(session)()
    return made


async def test_an_entry_that_nobody_tells_of_is_found(two: tuple[Process, Process]) -> None:
    here, _ = two
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("none", "none"))
    browser = Browser()
    await here.experiments.join(identity, browser.send)
    await eventually(lambda: browser.of("snapshot"))
    entry = Entry(1, NOW, Cause(Source.LAB, "say"), Facts(), "it was lost", ())
    await database_sync_to_async(experiment_store.append)(identity, [entry])
    experiment_store._recent.pop(identity)  # another process wrote it
    await eventually(lambda: browser.of("patch"))
    assert here.experiments.missed == 1
    await database_sync_to_async(experiment_store.delete)(identity)
    await eventually(lambda: browser.code == GONE)


async def test_who_sits_elsewhere_is_there_too(two: tuple[Process, Process], row: TrainingSession) -> None:
    here, there = two
    ada, bob = await sit(row, "Ada"), await sit(row, "Bob")
    hers, his = Browser(), Browser()
    client = await here.classes.enter(row.id, ada.id, hers.send, None, admitted=True)
    await there.classes.enter(row.id, bob.id, his.send, None, admitted=True)
    await eventually(
        lambda: all(one.of("session")[-1:] and one.of("session")[-1]["present"] == 2 for one in (hers, his))
    )
    assert here.classes.present(row.id) == {ada.id: True, bob.id: True}
    here.classes.go(row.id, ada.id, client)
    elsewhere = Process()
    elsewhere.classes.elsewhere.ask = elsewhere.team._ask
    asked = database_sync_to_async(elsewhere.classes.present)
    assert bob.id in await asked(row.id), "asked of the database where nobody follows"


async def test_what_an_instructor_does_at_one_is_told_or_found_at_the_other(
    two: tuple[Process, Process], row: TrainingSession
) -> None:
    here, there = two
    ada, hers, teacher = await sit(row, "Ada"), Browser(), Browser()
    await there.classes.enter(row.id, ada.id, hers.send, None, admitted=True)
    await there.classes.enter(row.id, INSTRUCTOR, teacher.send, None, admitted=True)
    await eventually(lambda: hers.of("session"))
    await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW, "launch")
    here.classes.tell(row.id, ada.id)
    assert here.told == [("class-now", row.id, ada.id)]
    there.team.heard(here.told[0])
    await eventually(lambda: hers.of("session")[-1]["step"] == "launch", 1.0)
    # Now without a word.
    await eventually(lambda: there.classes.feeds()[0].version.shared)
    told = len(teacher.of("progress"))
    await database_sync_to_async(session_state.add_message)(row.id, ada.id, "", "for Ada", NOW, from_instructor=True)
    await eventually(lambda: hers.of("participant")[-1]["messages"])
    assert len(teacher.of("progress")) > told
    await database_sync_to_async(participants.remove)(row.id, ada.id, NOW)
    await eventually(lambda: hers.code == GONE)


async def test_a_participant_that_moved_leaves_the_old_device_also_where_nobody_says_so(
    two: tuple[Process, Process], row: TrainingSession
) -> None:
    _, there = two
    ada, old, new = await sit(row, "Ada"), Browser(), Browser()
    await there.classes.enter(row.id, ada.id, old.send, None, admitted=True)
    await eventually(lambda: there.classes.feeds()[0].version.shared)
    link = await database_sync_to_async(participants.make_link)(row.id, ada.id)
    assert await database_sync_to_async(participants.resume)(str(link), NOW)
    await there.classes.enter(row.id, ada.id, new.send, None, admitted=True)
    await eventually(lambda: old.code == GONE)
    await others_run()
    assert new.code is None
