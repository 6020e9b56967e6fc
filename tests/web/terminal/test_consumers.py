"""The websocket of a terminal: permissions, input and output, and when it is closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.terminal.limits import TYPED_BYTES, WINDOW_BYTES
from dashboard.core.training.session import HostsFor
from dashboard.lab.terminal import terminals as lab_terminals
from dashboard.lab.terminal.shell import Terminal
from dashboard.lab.terminal.terminals import Terminals
from dashboard.models import Participant, TrainingSession
from dashboard.store.training import terminal_recordings
from dashboard.web.feed_hub import TRY_LATER
from dashboard.web.service import service
from dashboard.web.terminal import consumers as terminal_consumers
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import RecordingPublisher, close_context, make_context
from tests.support.screens import READY, READY_THEN_SLEEP, local_shell
from tests.web.asgi_client import NOBODY, ORIGIN, Person, Socket, is_strict, person, websocket
from tests.web.http.test_guards import FOREIGN_ORIGINS
from tests.web.markup import forbidden_in
from tests.web.training.session_clients import get, join, new, post, sign_in_as, stranger

pytestmark = pytest.mark.django_db(transaction=True)
OWN = (("origin", ORIGIN),)


class Hosts:
    """Replaces the private hosts: shells run on this machine."""

    def __init__(self) -> None:
        self.touched: list[str] = []

    def touch(self, group: str) -> None:
        self.touched.append(group)


class LocalTerminals(Terminals):
    """Terminals with shells on this machine. ``refusal`` is the reason why none starts; empty if they start."""

    refusal = ""

    async def _start(self, terminal: Terminal) -> None:
        if self.refusal:
            await terminal.finish(self.refusal)
            return
        terminal.begin(await asyncio.to_thread(local_shell, *terminal.size))


@dataclass
class TerminalSession:
    """A session with terminals, its clients, and its terminals in the lab."""

    row: TrainingSession
    owner: Person
    ada: Person
    bob: Person
    ada_id: str
    terminals: LocalTerminals
    hosts: Hosts

    @property
    def path(self) -> str:
        return f"/ws/sessions/{self.row.id}/terminal/"


def participant_id(name: str) -> str:
    return str(Participant.objects.get(name=name).pk)


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TerminalSession]:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(lab_terminals, "SWEEP_S", 0.05)
    monkeypatch.setattr(terminal_consumers, "WAIT_S", 0.2)
    monkeypatch.setattr(terminal_consumers, "CHECK_S", 0.1)
    engine, hosts = FakeEngine(), Hosts()
    context = make_context(engine, await engine.info(), tmp_path, RecordingPublisher(), "")
    made = LocalTerminals(context, hosts)  # type: ignore[arg-type]
    monkeypatch.setattr(service, "_terminals", made)
    row = await new(hosts=HostsFor.PERSON, terminal=True, record_terminal=True)
    ada, bob = (await join(row.code, "Ada"))[1], (await join(row.code, "Bob"))[1]
    identity = await database_sync_to_async(participant_id)("Ada")
    yield TerminalSession(row, await person(), ada, bob, identity, made, hosts)
    await made.close()
    await close_context(context)


class Window:
    """The output and messages that one window received."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.text = b""
        self.at = 0
        self.said: list[dict[str, Any]] = []

    async def step(self) -> None:
        found = await self.socket.next()
        assert found["type"] == "websocket.send", found
        if found.get("bytes") is not None:
            offset, data = found["bytes"][:8], found["bytes"][8:]
            self.at = int.from_bytes(offset) + len(data)
            self.text += data
        else:
            self.said.append(json.loads(found["text"]))

    async def sees(self, text: str) -> None:
        while text.encode() not in self.text:
            await self.step()

    async def hears(self, kind: str) -> dict[str, Any]:
        while not (found := [one for one in self.said if one["type"] == kind]):
            await self.step()
        self.said.remove(found[0])
        return found[0]

    def type(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.socket.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    def say(self, **message: object) -> None:
        self.socket.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})


async def refused(path: str, who: Person) -> tuple[str, int]:
    """The reason of a refusal, and the close code."""
    async with websocket(path, who=who, headers=OWN) as socket:
        assert socket.is_open
        message = await socket.message()
        assert (message["type"], message["again"]) == ("ended", False)
        return message["reason"], await socket.closed()


async def test_only_the_participant_opens_the_terminal(place: TerminalSession) -> None:
    outsider = (await join((await new("rival", hosts=HostsFor.PERSON, terminal=True)).code, "Outsider"))[1]
    for who in (NOBODY, await stranger(), outsider):
        async with websocket(place.path, who=who, headers=OWN) as socket:
            assert not socket.is_open
    for who in (place.owner, await sign_in_as("rival")):  # an instructor has no participant; not even in the own class
        assert await refused(place.path, who) == (terminal_consumers.NO_PARTICIPANT, 4404)
    for origin in FOREIGN_ORIGINS:
        headers = (("origin", origin),) if origin else ()
        async with websocket(place.path, who=place.ada, headers=headers) as socket:
            assert not socket.is_open, origin
    assert place.terminals.running == 0
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        hello = await Window(socket).hears("hello")
        assert (hello["start"], hello["recorded"]) == (0, True)
        assert place.terminals.running == 1


async def test_terminals_are_refused_with_a_reason(place: TerminalSession) -> None:
    change = database_sync_to_async(TrainingSession.objects.filter(pk=place.row.id).update)
    for fields, words in (
        ({"terminal": False}, "no terminals"),
        ({"terminal": True, "hosts": "none"}, "no terminals"),
        ({"hosts": "person", "expires_at": 1.0}, "is over"),
        ({"expires_at": 4e9, "closed_at": 1.0}, "is over"),
    ):
        await change(**fields)
        reason, code = await refused(place.path, place.ada)
        assert (words in reason, code) == (True, 4404), fields
    await change(closed_at=0.0, admission_required=True)
    _, late = await join(place.row.code, "Late")
    assert "not admitted you" in (await refused(place.path, late))[0]
    assert place.terminals.running == 0


async def test_input_sizes_interrupts_and_reconnecting_work(place: TerminalSession) -> None:
    async with websocket(f"{place.path}?cols=90&rows=33&step=launch", who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        hello = await window.hears("hello")
        assert (hello["cols"], hello["rows"]) == (90, 33)
        for byte in "echo grün-$((1+1)) 漢\r".encode():
            window.type(bytes([byte]))
        await window.sees("grün-2 漢\r\n")
        window.say(type="resize", cols=70, rows=20)
        assert (await window.hears("size"))["cols"] == 70
        window.type("stty size\r")
        await window.sees("20 70\r\n")
        window.type(f"{READY_THEN_SLEEP}\r")
        await window.sees(READY)
        for _ in range(6):  # more than a terminal's device buffers, and no program reads it
            window.type(b"x\r" * (TYPED_BYTES // 2))
        window.type("\x03")
        await window.sees("^C")
        window.type("echo after-$((2+2))\r")
        await window.sees("after-4\r\n")
        assert place.hosts.touched[-1] == f"{place.row.id}-1"
        async with websocket(place.path, who=place.ada, headers=OWN) as second:
            other = Window(second)
            assert (await other.hears("hello"))["live"] > 0
            await other.sees("after-4\r\n")
        known, run = window.at, hello["run"]
    async with websocket(f"{place.path}?run={run}&from={known}", who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        assert (await window.hears("hello"))["start"] == known
        window.type("exit 4\r")
        assert (await window.hears("ended"))["reason"] == "The shell has ended with status 4."
        assert b"after-4" not in window.text
        window.say(type="start")
        assert (await window.hears("hello"))["run"] != run
    # Input of another participant goes to that participant's own shell.
    async with websocket(place.path, who=place.bob, headers=OWN) as socket:
        window = Window(socket)
        window.type("echo $$\r")
        await window.sees("echo $$\r\n")
        assert b"after" not in window.text


async def test_each_refused_start_is_answered_with_the_reason(
    place: TerminalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_consumers, "WAIT_S", 60.0)  # the answers do not wait for the next read
    place.terminals.refusal = "The private host is starting. Wait a moment."
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        assert not (await window.hears("hello"))["run"]
        assert (await window.hears("ended"))["reason"] == place.terminals.refusal
        for _ in range(2):
            window.say(type="start")
            ended = await window.hears("ended")
            assert (ended["reason"], ended["again"]) == (place.terminals.refusal, True)
        place.terminals.refusal = ""
        window.say(type="start")
        assert (await window.hears("hello"))["run"]


async def test_a_window_that_does_not_draw_gets_no_more_output(place: TerminalSession) -> None:
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        await window.hears("hello")
        window.type("yes netmodes\r")
        while window.at <= WINDOW_BYTES:
            await window.step()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while True:
                    await window.step()
        assert window.at <= WINDOW_BYTES + 2 * 16384
        before = window.at
        window.say(type="seen", at=before)
        while window.at == before:
            await window.step()
        window.type("\x03")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"bytes": b"x" * (TYPED_BYTES + 1)}, 4400),
        ({"text": "ls\r"}, 4400),
        ({"text": '{"type":"run","line":"ls"}'}, 4400),
        ({"bytes": b""}, 4400),
    ],
)
async def test_invalid_frames_close_the_connection(place: TerminalSession, sent: dict[str, Any], code: int) -> None:
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        await Window(socket).hears("hello")
        socket.incoming.put_nowait({"type": "websocket.receive", **sent})
        assert await socket.closed() == code


async def test_a_client_that_sends_too_much_is_disconnected(place: TerminalSession) -> None:
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        await window.hears("hello")
        window.type("sleep 1006\r")
        await window.sees("sleep 1006\r\n")
        for _ in range(40):
            window.type(b"x\r" * (TYPED_BYTES // 2))
        assert await socket.closed() == 4429
    async with websocket(place.path, who=place.bob, headers=OWN) as socket:
        await Window(socket).hears("hello")
        for number in range(1500):
            socket.incoming.put_nowait(
                {"type": "websocket.receive", "text": json.dumps({"type": "seen", "at": number})}
            )
        assert await socket.closed() == 4429


async def test_the_terminal_is_closed_when_the_participant_moves_or_the_session_closes(place: TerminalSession) -> None:
    home = f"/sessions/{place.row.id}/"
    # The participant moves to another device, where the same shell continues.
    made = await post(f"{home}device/", place.ada)
    link = made.text.partition("/seat/")[2][:22]
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        window = Window(socket)
        run = (await window.hears("hello"))["run"]
        window.type("echo mine-$((3+3))\r")
        await window.sees("mine-6\r\n")
        laptop = await stranger()
        moved = await post(f"/seat/{link}/", laptop)
        assert await socket.closed() == 4404
    held = next(value for key, value in moved.headers if key == "set-cookie" and value.startswith("sessionid="))
    there = Person({**laptop.cookies, "sessionid": held.partition("=")[2].partition(";")[0]})
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        assert not socket.is_open
    async with websocket(place.path, who=there, headers=OWN) as socket:
        window = Window(socket)
        assert (await window.hears("hello"))["run"] == run
        await window.sees("mine-6\r\n")
        # The next periodic check notices that the participant's token was changed by another process.
        await database_sync_to_async(Participant.objects.filter(pk=place.ada_id).update)(token_digest="0" * 64)
        assert (await window.hears("ended"))["reason"] == terminal_consumers.NO_PARTICIPANT
        assert await socket.closed() == 4404
    async with websocket(place.path, who=place.bob, headers=OWN) as socket:
        window = Window(socket)
        await window.hears("hello")
        await post(f"{home}console/steer/close/", place.owner)
        assert "is over" in (await window.hears("ended"))["reason"]
        assert await socket.closed() == 4404


async def test_the_terminal_is_closed_when_the_participant_leaves_or_is_removed(place: TerminalSession) -> None:
    home = f"/sessions/{place.row.id}/"
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        await Window(socket).hears("hello")
        await post(f"{home}leave/", place.ada)
        assert await socket.closed() == 4404
    async with websocket(place.path, who=place.bob, headers=OWN) as socket:
        await Window(socket).hears("hello")
        bob = await database_sync_to_async(participant_id)("Bob")
        await post(f"{home}console/seats/{bob}/remove/", place.owner)
        assert await socket.closed() == 4404


@pytest.mark.parametrize("is_ended", [False, True])
async def test_a_window_reconnects_when_the_host_is_on_another_machine(
    place: TerminalSession, monkeypatch: pytest.MonkeyPatch, *, is_ended: bool
) -> None:
    machine: str | None = None

    async def machine_of(_group: str) -> str | None:
        return machine

    monkeypatch.setattr(service, "machine_of", machine_of)
    async with websocket(place.path, who=place.ada, headers=OWN) as socket:
        await Window(socket).hears("hello")
        machine = "attic"
        if is_ended:  # the former machine's lab no longer sees the participant, and notices it before the next check
            monkeypatch.setattr(terminal_consumers, "CHECK_S", 60.0)
            await place.terminals.end(place.ada_id, "This session was deleted.")
        while (found := await socket.next())["type"] != "websocket.close":
            assert '"ended"' not in str(found.get("text")), found
        assert found["code"] == TRY_LATER


async def test_recording_is_announced_and_only_the_instructor_reads_it(place: TerminalSession) -> None:
    home = f"/sessions/{place.row.id}/"
    lobby = (await get(home, place.ada)).text
    assert "Its output is recorded" in lobby
    step = await get(f"{home}steps/prepare/", place.ada)
    assert f'data-terminal="{place.path}"' in step.text
    assert "This terminal is recorded:" in step.text
    assert "A shell on your host, where you are root" in step.text
    assert f'data-terminal="{place.path}"' in (await get(f"{home}lab/", place.ada)).text
    assert is_strict(step)
    assert forbidden_in(step.text) == []
    store = database_sync_to_async(terminal_recordings.store)
    await store(place.ada_id, "launch", 10.0, b"$ docker ps <b>\r\n\x1b[31mred\x1b[0m \x1b]0;x\x07\r\n")
    await store(place.ada_id, "", 5.0, b"early\r\n")
    page = f"{home}console/seats/{place.ada_id}/terminal/"
    read = await get(f"{page}?step=launch", place.owner)
    assert "$ docker ps &lt;b&gt;\nred\n" in read.text
    assert is_strict(read)
    assert forbidden_in(read.text) == []
    assert "early" in (await get(page, place.owner)).text
    assert f'href="{page}"' in (await get(f"{home}console/seats/{place.ada_id}/", place.owner)).text
    assert (await get(f"{page}?step=gone", place.owner)).status == 404
    assert (await get(f"{home}console/seats/nobody/terminal/", place.owner)).status == 404
    for who in (place.ada, place.bob, await sign_in_as("rival"), NOBODY):
        assert (await get(page, who)).status in {401, 403, 404}
    await database_sync_to_async(TrainingSession.objects.filter(pk=place.row.id).update)(record_terminal=False)
    assert "It is not recorded" in (await get(home, place.ada)).text
    assert "This terminal is recorded:" not in (await get(f"{home}steps/prepare/", place.ada)).text
    await database_sync_to_async(TrainingSession.objects.filter(pk=place.row.id).update)(terminal=False)
    assert "data-terminal" not in (await get(f"{home}steps/prepare/", place.ada)).text
