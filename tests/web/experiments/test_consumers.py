"""The websocket of an experiment, through all layers of the application."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from channels.db import database_sync_to_async
from django.contrib.sessions.models import Session

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import hub
from dashboard.web.feed_consumer import READ_ONLY
from dashboard.web.feed_hub import GONE, TRY_LATER
from dashboard.web.http.session_connections import SIGNED_OUT, close_ended_sessions
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.asgi_client import ORIGIN, Person, cookie_name, http, person, websocket
from tests.web.own_host import lab_here

pytestmark = pytest.mark.django_db(transaction=True)
OWN = (("origin", ORIGIN),)
FORM = ("content-type", "application/x-www-form-urlencoded")


@pytest.fixture
async def identity() -> str:
    made: str = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    return made


async def test_the_first_message_is_a_snapshot(me: Person, identity: str) -> None:
    async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as socket:
        first = await socket.message()
        assert (first["type"], first["v"], first["seq"]) == ("snapshot", 1, 0)
        assert first["experiment"]["id"] == identity


async def test_any_message_from_a_browser_closes_the_connection(me: Person, identity: str) -> None:
    for said in ({"text": "{}"}, {"text": '{"action": "stop"}'}, {"bytes": b"\x00"}, {"text": "x" * 60_000}):
        async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as socket:
            await socket.message()
            socket.incoming.put_nowait({"type": "websocket.receive", **said})
            assert await socket.closed() == READ_ONLY
    record = await database_sync_to_async(load_record)(identity)
    assert record.wanted is Wanted.RUNNING


@pytest.mark.parametrize("path", ["nobody/", "", "../", "a/b/", "%00/"])
async def test_an_unknown_experiment_has_a_close_code(me: Person, path: str) -> None:
    async with websocket(f"/ws/experiments/{path}", who=me, headers=OWN) as socket:
        assert socket.is_open
        assert await socket.closed() == GONE


async def test_signing_out_closes_the_connections_of_that_session_only(me: Person, identity: str) -> None:
    other = await person()
    async with (
        websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as mine,
        websocket(f"/ws/experiments/{identity}/", who=other, headers=OWN) as theirs,
    ):
        await mine.message()
        await theirs.message()
        answer = await http("POST", "/sign-out/", who=me, headers=OWN, token=True)
        assert answer.status == 200
        assert await mine.closed() == SIGNED_OUT
        assert hub.browsers == 2
        assert (await http("GET", "/", who=other)).status == 200
        assert theirs.outgoing.empty()
    await eventually(lambda: hub.browsers == 0)


async def test_a_new_password_signs_other_browsers_out_and_reconnects_the_pages_of_its_own(
    me: Person, identity: str
) -> None:
    other, path = await person(), f"/ws/experiments/{identity}/"
    async with websocket(path, who=me, headers=OWN) as mine, websocket(path, who=other, headers=OWN) as theirs:
        await mine.message()
        await theirs.message()
        body = urlencode(dict.fromkeys(("new_password1", "new_password2"), "correct horse 7 battery")).encode()
        answer = await http("POST", "/account/", who=me, headers=(FORM, *OWN), body=body, token=True)
        assert answer.status == 200
        assert await theirs.closed() == SIGNED_OUT
        assert not await Session.objects.filter(session_key=other.cookies[cookie_name()]).aexists()
        assert mine.outgoing.empty()
        await close_ended_sessions()
        assert await mine.closed() == TRY_LATER
    begin = f"{cookie_name()}="
    (cookie,) = (value for name, value in answer.headers if name == "set-cookie" and value.startswith(begin))
    renewed = Person({**me.cookies, cookie_name(): cookie.removeprefix(begin).partition(";")[0]})
    async with websocket(path, who=renewed, headers=OWN) as again:
        assert (await again.message())["type"] == "snapshot"


async def test_a_closed_connection_leaves_no_client(me: Person, identity: str) -> None:
    async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as socket:
        await socket.message()
        assert hub.browsers == 1
    await eventually(lambda: hub.browsers == 0)


async def test_many_reconnects_leave_no_client(me: Person, identity: str) -> None:
    for _ in range(40):
        async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN):
            pass
    await eventually(lambda: hub.browsers == 0)


async def test_a_launch_is_followed_from_request_to_removal(
    me: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as bench:
        identity = await bench.database.run(experiment_store.create_experiment, make_spec("host"))
        async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as socket:
            bench.lab.wake()
            first = await socket.message()
            assert first["type"] == "snapshot"
            phases, base = [first["experiment"]["phase"]], first["seq"]
            while phases[-1] != "running":
                message = await socket.message()
                assert (message["type"], message["base"]) == ("patch", base)
                base = message["seq"]
                if message["experiment"]:
                    phases.append(message["experiment"]["phase"])
            await bench.want(identity, Wanted.REMOVED)
            assert await socket.closed() == GONE


async def test_a_session_that_ended_in_another_process_closes_its_connections_only(me: Person, identity: str) -> None:
    other = await person()
    async with (
        websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as mine,
        websocket(f"/ws/experiments/{identity}/", who=other, headers=OWN) as theirs,
    ):
        await mine.message()
        await theirs.message()
        await close_ended_sessions()
        assert mine.outgoing.empty()
        await database_sync_to_async(Session.objects.filter(session_key=me.cookies[cookie_name()]).delete)()
        await close_ended_sessions()
        assert await mine.closed() == SIGNED_OUT
        assert theirs.outgoing.empty()
    async with websocket(f"/ws/experiments/{identity}/", who=me, headers=OWN) as again:
        assert again.refusal is not None
        assert again.refusal.status == 403
