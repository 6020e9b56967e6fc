"""Recordings of terminals by participant and step, and who may have a terminal."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest
from django.db import OperationalError

from dashboard.core.terminal.limits import RECORD_BYTES
from dashboard.core.training.session import HostsFor
from dashboard.models import TerminalRecord, TrainingSession
from dashboard.store.database import DatabaseThread
from dashboard.store.training import participants, terminal_recordings
from dashboard.store.training.terminal_recordings import Recorder, lines_of, pieces_of, recordings, refusals, store
from tests.lab.training_builders import NOW, participant, session
from tests.support.polling import eventually, others_run


@pytest.mark.django_db
def test_each_step_has_its_own_recording_that_reads_as_lines() -> None:
    ada = participant(session())[0].id
    bob = participant(session("rival"), "Bob")[0].id
    assert store(ada, "launch", 10.0, b"$ docker \x1b[1mps\x1b[0m\r\nCONT")
    assert store(ada, "launch", 12.0, b"AINER\r\n$ ")
    assert store(ada, "prepare", 5.0, b"x\r\n")
    assert store(bob, "launch", 11.0, b"secret\r\n")
    assert [(one.step, one.began_at, one.ended_at, one.pieces) for one in recordings(ada)] == [
        ("prepare", 5.0, 5.0, 1),
        ("launch", 10.0, 12.0, 2),
    ]
    assert lines_of(ada, "launch") == ((10.0, "$ docker ps\n"), (12.0, "CONTAINER\n"), (12.0, "$\n"))
    assert lines_of(ada, "nowhere") == ()
    TerminalRecord.objects.filter(participant_id=ada, at=10.0).update(data=b"damaged")
    assert [at for at, _ in pieces_of(ada, "launch")] == [12.0]


@pytest.mark.django_db
def test_a_recording_ends_at_its_maximum_size_and_says_so() -> None:
    ada = participant(session())[0].id
    noise = os.urandom(64 << 10).hex().encode()
    count = 0
    while store(ada, "launch", float(count), noise):
        count += 1
        assert count < 20
    stored = sum(len(one) for one in TerminalRecord.objects.values_list("data", flat=True))
    assert RECORD_BYTES <= stored < RECORD_BYTES + len(noise)
    assert lines_of(ada, "launch")[-1][1].endswith("it has reached the maximum size.]\n")
    assert store(ada, "next", 1.0, b"x"), "the next step has its own limit"


@pytest.mark.django_db
def test_the_reason_why_a_participant_may_have_no_terminal_is_stated() -> None:
    row = session(hosts=HostsFor.PERSON, terminal=True)
    ada, bob = participant(row)[0].id, participant(row, "Bob")[0].id
    assert refusals([ada, bob], NOW) == {}
    participants.remove(row.id, [ada], NOW)
    found = refusals([ada, bob, "nobody"], NOW)
    assert "no longer a participant" in found.pop(ada)
    assert "deleted" in found.pop("nobody")
    assert found == {}
    assert "is over" in refusals([bob], NOW + 1e6)[bob], "expired"
    TrainingSession.objects.filter(pk=row.id).update(closed_at=NOW)
    assert "is over" in refusals([bob], NOW)[bob]
    TrainingSession.objects.filter(pk=row.id).update(terminal=False)
    assert "no terminals" in refusals([bob], NOW)[bob]


@pytest.mark.django_db(transaction=True)
async def test_output_is_buffered_and_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_recordings, "FLUSH_S", 60.0)
    database = DatabaseThread()
    ada = (await database.run(participant, await database.run(session)))[0].id
    recorder = Recorder(database, lambda: NOW)
    for letter in "abc":
        recorder.add(ada, "launch", letter.encode())
    recorder.add(ada, "next", b"d")
    assert await database.run(recordings, ada) == ()
    await recorder.close()
    assert [(one.step, one.pieces) for one in await database.run(recordings, ada)] == [("launch", 1), ("next", 1)]
    assert await database.run(pieces_of, ada, "launch") == ((NOW, b"abc"),)
    monkeypatch.setattr(terminal_recordings, "store", lambda *_: False)
    recorder.add(ada, "launch", b"x")
    await recorder.close()
    recorder.add(ada, "launch", b"y")
    assert not recorder._buffers.get((ada, "launch")), "a full recording is not buffered"
    database.close()


@pytest.mark.django_db(transaction=True)
async def test_a_stop_while_output_is_stored_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_recordings, "FLUSH_S", 0.0)
    database = DatabaseThread()
    ada = (await database.run(participant, await database.run(session)))[0].id
    began, released = threading.Event(), threading.Event()

    def store_slowly(*piece: Any) -> bool:
        began.set()
        released.wait(20)
        return store(*piece)

    monkeypatch.setattr(terminal_recordings, "store", store_slowly)
    recorder = Recorder(database, lambda: NOW)
    recorder.add(ada, "launch", b"a")
    recorder.add(ada, "next", b"b")
    await eventually(began.is_set)
    closing = asyncio.create_task(recorder.close())
    await others_run()
    released.set()
    await closing
    assert [(one.step, one.pieces) for one in await database.run(recordings, ada)] == [("launch", 1), ("next", 1)]
    database.close()


@pytest.mark.django_db(transaction=True)
async def test_output_is_kept_until_the_database_stores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_recordings, "FLUSH_S", 0.0)
    database, loop = DatabaseThread(), asyncio.get_running_loop()
    ada = (await database.run(participant, await database.run(session)))[0].id
    recorder = Recorder(database, lambda: NOW)
    attempts = []

    def store_second_time(*piece: Any) -> bool:
        attempts.append(piece)
        if len(attempts) == 1:
            loop.call_soon_threadsafe(recorder.add, ada, "launch", b"b")
            raise OperationalError("database is locked")
        return store(*piece)

    monkeypatch.setattr(terminal_recordings, "store", store_second_time)
    recorder.add(ada, "launch", b"a")
    await eventually(lambda: len(attempts) == 2)
    await recorder.close()
    assert await database.run(pieces_of, ada, "launch") == ((NOW, b"ab"),)
    database.close()
