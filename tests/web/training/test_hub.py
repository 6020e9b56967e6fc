"""Websocket clients of sessions: shared and own messages, presence, admission, removal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from dashboard.core.training.messages import ParticipantState
from dashboard.core.training.session import GRACE_S
from dashboard.lab.workshops.files import Library
from dashboard.models import Participant, TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web import feed_hub
from dashboard.web.training import hub as hub_module
from dashboard.web.training import session_feed
from dashboard.web.training.hub import SessionHub
from dashboard.web.training.session_feed import INSTRUCTOR, SessionFeed
from dashboard.web.workshops.views import library as find_library
from tests.lab.training_builders import NOW, participant, session
from tests.support.polling import eventually, others_run

pytestmark = pytest.mark.django_db(transaction=True)


class Browser:
    """The messages that one connection received."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.code: int | None = None

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.code = message["code"]
        else:
            self.texts.append(message["text"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [found for text in self.texts if (found := json.loads(text))["type"] == kind]


@pytest.fixture
async def hub() -> AsyncIterator[SessionHub]:
    made = SessionHub()
    yield made
    await made.close()


@pytest.fixture
async def row() -> TrainingSession:
    made: TrainingSession = await database_sync_to_async(session)()
    return made


async def join(row: TrainingSession, name: str) -> ParticipantRef:
    found: tuple[ParticipantRef, str] = await database_sync_to_async(participant)(row, name)
    return found[0]


async def enter_three(hub: SessionHub, row: TrainingSession) -> list[tuple[ParticipantRef, Browser]]:
    """Three participants, each with a browser that has received the session's state."""
    people = [(await join(row, name), Browser()) for name in "abc"]
    for one, browser in people:
        await hub.enter(row.id, one.id, browser.send, None, None, admitted=True)
    await eventually(lambda: all(browser.of("session") for _, browser in people))
    return people


async def test_all_clients_get_the_same_encoded_message(hub: SessionHub, row: TrainingSession) -> None:
    people = await enter_three(hub, row)
    await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW, "launch")
    hub.tell(row.id)
    await eventually(lambda: all(browser.of("session")[-1]["step"] == "launch" for _, browser in people))
    last = [next(text for text in reversed(browser.texts) if '"session"' in text) for _, browser in people]
    assert last[0] is last[1] is last[2], "encoded once"


async def test_own_state_is_sent_only_to_its_participant(hub: SessionHub, row: TrainingSession) -> None:
    ada, bob, teacher = await join(row, "Ada"), await join(row, "Bob"), Browser()
    hers, his = Browser(), Browser()
    await hub.enter(row.id, ada.id, hers.send, None, None, admitted=True)
    await hub.enter(row.id, bob.id, his.send, None, None, admitted=True)
    await hub.enter(row.id, INSTRUCTOR, teacher.send, None, None, admitted=True)
    await database_sync_to_async(session_state.add_message)(row.id, ada.id, "", "for Ada", NOW, from_instructor=True)
    hub.tell(row.id, ada.id)
    await eventually(lambda: hers.of("participant")[-1]["messages"])
    await eventually(lambda: teacher.of("progress"))
    assert "for Ada" not in "".join(his.texts + teacher.texts)
    assert not hers.of("progress")


async def test_actions_of_the_instructor_do_not_wait_until_all_own_states_are_sent(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await enter_three(hub, row)
    send = hub._send_own_states
    shown: list[set[str]] = []

    async def act_and_send(feed: SessionFeed, keys: Collection[str]) -> None:
        if not shown:
            await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW, "launch")
            hub.tell(row.id)
        shown.append({browser.of("session")[-1]["step"] for _, browser in people})
        await send(feed, keys)

    monkeypatch.setattr(hub_module, "OWN_STATES", 1)
    monkeypatch.setattr(hub, "_send_own_states", act_and_send)
    hub.tell(row.id, *(one.id for one, _ in people))
    await eventually(lambda: len(shown) == 3)
    assert shown == [{row.step}, {"launch"}, {"launch"}]


async def test_own_states_of_several_participants_are_read_together(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await enter_three(hub, row)
    read = session_state.participant_states
    together: list[int] = []

    def note(session: str, ids: Collection[str], absent: Collection[str]) -> dict[str, ParticipantState]:
        together.append(len(ids))
        return read(session, ids, absent)

    monkeypatch.setattr(session_state, "participant_states", note)
    hub.tell(row.id, *(one.id for one, _ in people))
    await eventually(lambda: all(len(browser.of("participant")) == 2 for _, browser in people))
    assert together == [3]
    assert [browser.of("participant")[-1]["name"] for _, browser in people] == ["a", "b", "c"]


async def test_each_participant_is_sent_the_own_state_although_others_change_again(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await join(row, name) for name in "abcdef"]
    for one in people:
        await hub.enter(row.id, one.id, Browser().send, None, None, admitted=True)
    sent: list[str] = []

    async def note(_feed: SessionFeed, keys: Collection[str]) -> None:
        sent.extend(keys)
        if len(sent) < len(people):
            hub.tell(row.id, *keys)
        await others_run()

    monkeypatch.setattr(hub_module, "OWN_STATES", 1)
    monkeypatch.setattr(hub, "_send_own_states", note)
    hub.tell(row.id, *(one.id for one in people))
    await eventually(lambda: len(sent) >= len(people))
    assert sent[: len(people)] == [one.id for one in people]


async def test_an_instructor_that_missed_a_message_stays_connected(hub: SessionHub, row: TrainingSession) -> None:
    teacher, free = Browser(), asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        await free.wait()
        await teacher.send(message)

    client = await hub.enter(row.id, INSTRUCTOR, send, None, None, admitted=True)
    await eventually(lambda: client.pending is not None)
    await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW, "launch")
    hub.tell(row.id)
    await eventually(lambda: client.needs_snapshot)
    free.set()
    await eventually(lambda: teacher.of("session") and teacher.of("session")[-1]["step"] == "launch")
    hub.tell(row.id)
    await eventually(lambda: teacher.code or len(teacher.of("progress")) > 0)
    hub.tell(row.id)
    await eventually(lambda: teacher.code or len(teacher.of("progress")) > 1)
    assert teacher.code is None


async def test_a_participant_that_waits_is_sent_only_the_own_state(hub: SessionHub, row: TrainingSession) -> None:
    await database_sync_to_async(training_sessions.change)(row.id, row.owner_id, NOW, admission_required=True)
    late, browser, other = await join(row, "Late"), Browser(), Browser()
    client = await hub.enter(row.id, late.id, browser.send, None, None, admitted=False)
    inside = await hub.enter(row.id, INSTRUCTOR, other.send, None, None, admitted=True)
    await eventually(lambda: other.of("session"))
    assert [(one["present"], one["participants"]) for one in other.of("session")] == [(0, 0)]
    hub.exit(row.id, INSTRUCTOR, inside)
    await database_sync_to_async(participants.admit)(row.id, late.id, NOW)
    hub.tell(row.id, late.id)
    await eventually(lambda: len(browser.of("participant")) == 2)
    assert [one["admitted"] for one in browser.of("participant")] == [False, True]
    assert browser.of("session") == []
    hub.exit(row.id, late.id, client)
    assert (hub.browsers, hub.feeds()) == (0, [])


async def test_a_participant_that_waits_learns_of_the_end_of_the_session_and_of_its_deletion(
    hub: SessionHub, row: TrainingSession
) -> None:
    await database_sync_to_async(training_sessions.change)(row.id, row.owner_id, NOW, admission_required=True)
    late, browser = await join(row, "Late"), Browser()
    await hub.enter(row.id, late.id, browser.send, None, None, admitted=False)
    await eventually(lambda: hub.feeds()[0].state)
    await database_sync_to_async(training_sessions.close)(row.id, row.owner_id, NOW)
    hub.tell(row.id)
    await eventually(lambda: browser.of("participant")[-1]["closed"])
    assert [one["closed"] for one in browser.of("participant")] == [False, True]
    assert (browser.of("session"), browser.code) == ([], None)
    await database_sync_to_async(row.delete)()
    hub.tell(late.session)
    await eventually(lambda: browser.code == 4404)


async def test_a_participant_that_waits_is_pinged(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_hub, "CHECK_S", 0.05)
    monkeypatch.setattr(feed_hub, "PING_S", 0.0)
    late, browser = await join(row, "Late"), Browser()
    await hub.enter(row.id, late.id, browser.send, None, None, admitted=False)
    await eventually(lambda: browser.of("ping"))


async def test_a_participant_stays_present_for_the_grace_period(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    monkeypatch.setattr(time, "time", lambda: now)
    ada, bob = await join(row, "Ada"), await join(row, "Bob")
    phone, laptop, watching = Browser(), Browser(), Browser()
    one = await hub.enter(row.id, ada.id, phone.send, None, None, admitted=True)
    two = await hub.enter(row.id, ada.id, laptop.send, None, None, admitted=True)
    await hub.enter(row.id, bob.id, watching.send, None, None, admitted=True)

    async def seen() -> bool:
        found: Participant = await database_sync_to_async(Participant.objects.get)(pk=ada.id)
        return found.seen_at == 1e9

    await eventually(seen)
    hub.exit(row.id, ada.id, one)
    hub.exit(row.id, ada.id, two)
    assert hub.present(row.id) == {ada.id, bob.id}
    now += GRACE_S + 1
    assert hub.present(row.id) == {bob.id}
    hub.wake(row.id)
    await eventually(lambda: [one["present"] for one in watching.of("session")][-1:] == [1])

    async def noted() -> bool:
        found = await database_sync_to_async(workshop_store.load_events)(ada.person, row.workshop)
        return [(one.kind, one.at) for one in found if one.kind != "started"] == [("away", 1e9)]

    await eventually(noted)


@pytest.mark.parametrize("write", ["mark_seen", "note_presence"])
async def test_a_write_that_failed_is_repeated(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    written, failures = getattr(participants, write), ["database is locked"]

    def fail_once(*arguments: Any) -> None:
        if failures:
            raise OperationalError(failures.pop())
        written(*arguments)

    monkeypatch.setattr(participants, write, fail_once)
    monkeypatch.setattr("dashboard.web.training.hub.RETRY_S", 0.01)
    ada = await join(row, "Ada")
    client = await hub.enter(row.id, ada.id, Browser().send, None, None, admitted=True)
    await hub.enter(row.id, INSTRUCTOR, Browser().send, None, None, admitted=True)

    async def seen() -> bool:
        found: Participant = await database_sync_to_async(Participant.objects.get)(pk=ada.id)
        return bool(found.seen_at > NOW)

    await eventually(seen)
    await eventually(lambda: hub.feeds()[0].recorded == {ada.id} and not failures)
    monkeypatch.setattr("dashboard.core.training.session.GRACE_S", -1.0)
    failures.extend(["database is locked"] * (write == "note_presence"))
    hub.exit(row.id, ada.id, client)
    hub.wake(row.id)

    async def is_away() -> bool:
        found = await database_sync_to_async(workshop_store.load_events)(ada.person, row.workshop)
        return bool(found[-1].kind == "away")

    await eventually(is_away)


async def test_a_participant_whose_state_cannot_be_read_does_not_stay_present(
    hub: SessionHub, row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(session_state, "participant_states", fail)
    ada = await join(row, "Ada")
    await hub.enter(row.id, INSTRUCTOR, Browser().send, None, None, admitted=True)
    with pytest.raises(OperationalError):
        await hub.enter(row.id, ada.id, Browser().send, None, None, admitted=True)
    assert hub.browsers == 1
    assert hub.feeds()[0].present(time.time() + GRACE_S + 1) == set()


async def test_removed_participants_and_deleted_sessions_are_disconnected(
    hub: SessionHub, row: TrainingSession
) -> None:
    ada, bob = await join(row, "Ada"), await join(row, "Bob")
    hers, his = Browser(), Browser()
    await hub.enter(row.id, ada.id, hers.send, None, None, admitted=True)
    await hub.enter(row.id, bob.id, his.send, None, None, admitted=True)
    await database_sync_to_async(participants.remove)(row.id, [ada.id], NOW)
    hub.tell(row.id, ada.id)
    await eventually(lambda: hers.code == 4404)
    assert his.code is None
    await database_sync_to_async(row.delete)()
    hub.tell(bob.session)
    await eventually(lambda: his.code == 4404)


async def test_clients_stay_connected_while_the_workshop_has_errors(
    hub: SessionHub,
    row: TrainingSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    people = await enter_three(hub, row)
    correct, broken, read = find_library(), Library(tmp_path, tmp_path), 0
    is_correct = False

    def library() -> Library:
        nonlocal read
        read += 1
        return correct if is_correct else broken

    monkeypatch.setattr(session_feed, "library", library)
    monkeypatch.setattr(hub_module, "RETRY_S", 0.01)
    monkeypatch.setattr(hub_module, "COLLECT_S", 0.01)
    await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW, "launch")
    hub.tell(row.id)
    await eventually(lambda: read >= 3)
    assert [browser.code for _, browser in people] == [None, None, None]
    assert [one.name for one in caplog.records] == [hub_module.__name__], "consecutive failures are logged once"
    is_correct = True
    await eventually(lambda: all(browser.of("session")[-1]["step"] == "launch" for _, browser in people))


async def test_a_slow_client_gets_the_newest_state_when_it_reads_again(hub: SessionHub, row: TrainingSession) -> None:
    ada = await join(row, "Ada")
    gate, slow = asyncio.Event(), Browser()

    async def send(message: MutableMapping[str, Any]) -> None:
        await gate.wait()
        await slow.send(message)

    await hub.enter(row.id, ada.id, send, None, None, admitted=True)
    for number, step in enumerate(("launch", "request")):
        await database_sync_to_async(training_sessions.go_to)(row.id, row.owner_id, NOW + number, step)
        await database_sync_to_async(session_state.add_message)(row.id, ada.id, "", step, NOW, from_instructor=True)
        hub.tell(row.id, ada.id)
        await eventually(lambda number=number: hub._feeds[row.id].number > number)  # type: ignore[misc]
    gate.set()
    await eventually(lambda: slow.of("session") and slow.of("session")[-1]["step"] == "request")
    await eventually(lambda: slow.of("participant") and len(slow.of("participant")[-1]["messages"]) == 2)
