"""What a lab accepts from its web process. Results and output: tests/web/operations/test_linked_lab.py."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial

import pytest
from msgspec.json import decode, encode

from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.remote import call_server, rpc
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.link_server import LinkServer
from dashboard.lab.remote.nats_connection import (
    LAB_CALLS,
    LAB_CANCELS,
    LAB_WAKEUPS,
    WEB_HEARTBEATS,
    WEB_JOURNALS,
    WEB_REPLIES,
    Message,
)
from dashboard.lab.remote.replies import Kind, decode_reply
from dashboard.lab.remote.rpc import CallMessage, RemoteCall
from dashboard.lab.remote.wakeups import Wakeup, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from tests.support.polling import eventually


class Harness:
    """A lab without an engine, and the other end of its link."""

    def __init__(self) -> None:
        link = Link(is_guarded=True)
        self.wakeups = WakeupChannel(link)
        self.publisher = Publisher(partial(self.wakeups.send, WEB_JOURNALS))
        self.supervisor = Supervisor(self.publisher)
        self.server = LinkServer(self.supervisor, link, self.wakeups)
        self.ready = 0
        self.web = Link(is_guarded=False)
        self.results: asyncio.Queue[Message] = asyncio.Queue()
        self.facts: list[LabFacts] = []
        self.woken: list[list[Wakeup]] = []
        self.serving: asyncio.Task[None]
        self.reading: asyncio.Task[None]

    async def open(self) -> None:
        one, two = socket.socketpair()
        await self.web.listen(WEB_REPLIES, self.results.put_nowait)
        await self.web.listen(WEB_HEARTBEATS, lambda message: self.facts.append(decode(message.data, type=LabFacts)))
        await self.web.listen(
            WEB_JOURNALS, lambda message: self.woken.append(decode(message.data, type=list[tuple[str, ...]]))
        )
        await self.web.open(two)
        self.reading = asyncio.create_task(self.web.serve())
        await self.wakeups.open()
        self.serving = asyncio.create_task(self.server.serve(one, self._on_ready))
        await eventually(lambda: self.facts)

    def _on_ready(self) -> None:
        self.ready += 1

    async def close(self) -> None:
        """Ends the web process."""
        self.reading.cancel()
        await asyncio.wait_for(self.serving, 10)
        await self.wakeups.close()

    async def call(self, number: int, name: str, arguments: str) -> None:
        await self.web.publish(LAB_CALLS, encode(CallMessage(name, "", arguments)), f"{WEB_REPLIES}.{number}")

    async def refusal(self, number: int, name: str, arguments: str) -> Exception:
        await self.call(number, name, arguments)
        message = await asyncio.wait_for(self.results.get(), 10)
        assert message.subject == f"{WEB_REPLIES}.{number}"
        kind, text = decode_reply(message.data)
        assert kind is Kind.REFUSED
        return rpc.decode_error(text)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    await harness.open()
    yield harness
    await harness.close()


@pytest.mark.parametrize(
    "name", ["", "os.system", "supervisor.close_lab", "terminals.open", "terminals._start", "experiment_calls.doctor2"]
)
async def test_functions_that_are_no_calls_are_refused(harness: Harness, name: str) -> None:
    assert "has no such call" in str(await harness.refusal(1, name, "[]"))


async def test_calls_about_a_swarm_of_machines_are_refused(harness: Harness) -> None:
    """An attacker who controls the web process could make the engine join a swarm with a manager that starts containers
    here."""
    names = [name for name in rpc.REMOTE_CALLS if name.startswith("swarm.")]
    assert {"swarm.join_swarm", "swarm.open_swarm", "swarm.leave_swarm", "swarm.view_swarm"} <= set(names)
    harness.supervisor.problem = "The engine is not asked."
    arguments = '["192.0.2.1", "192.0.2.2", {"cluster": "c", "token": "SWMTKN"}]'
    for number, name in enumerate(names):
        error = await harness.refusal(number, name, arguments)
        assert str(error) == call_server.ONE_MACHINE, name


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("experiment_calls.host_state", "[]"),
        ("experiment_calls.host_state", "[1]"),
        ("experiment_calls.host_state", '["a", "b"]'),
        ("experiment_calls.host_state", "{"),
        ("terminals.write", '["participant", "window", 7]'),
    ],
)
async def test_arguments_of_other_types_are_refused(harness: Harness, name: str, arguments: str) -> None:
    harness.supervisor._terminals = object()  # type: ignore[assignment]
    error = await harness.refusal(2, name, arguments)
    assert isinstance(error, ValueError)
    assert "arguments" in str(error)


async def test_without_an_engine_a_call_names_the_problem(harness: Harness) -> None:
    harness.supervisor.problem = "No Docker Engine answers at unix:///nowhere."
    error = await harness.refusal(3, "experiment_calls.launch_options", "[1]")
    assert isinstance(error, LabUnavailableError)
    assert "unix:///nowhere" in str(error)
    assert isinstance(await harness.refusal(4, "terminals.start", '["x"]'), LabUnavailableError)


async def test_calls_end_when_they_are_cancelled_or_the_web_process_ends(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    ended: list[str] = []

    async def wait(_terminals: object, participant: str) -> None:
        started.append(participant)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(participant)

    call = RemoteCall(Terminals.start)
    _ = call.name, call._arguments, call.target, call.streams
    call.__dict__["function"] = wait
    monkeypatch.setitem(rpc.REMOTE_CALLS, "terminals.start", call)
    harness.supervisor._terminals = object()  # type: ignore[assignment]
    for number, name in enumerate(("one", "two")):
        await harness.call(number, "terminals.start", f'["{name}"]')
    await eventually(lambda: len(started) == 2)
    assert "too many requests" in str(await harness.refusal(1, "terminals.start", '["again"]'))
    await harness.web.publish(LAB_CANCELS, f"{WEB_REPLIES}.0".encode())
    await eventually(lambda: ended == ["one"])
    await harness.close()
    assert ended == ["one", "two"]


async def test_more_calls_than_the_lab_handles_are_refused(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_server, "MAX_CALLS", 0)
    assert "too many requests" in str(await harness.refusal(1, "experiment_calls.doctor", "[]"))


async def test_facts_and_wake_ups_are_sent_and_ready_is_reported(harness: Harness) -> None:
    harness.supervisor.problem = "The engine has stopped."
    for number in range(3):
        harness.publisher.wake(f"experiment {number % 2}")
    harness.publisher.measured("run")
    harness.publisher.trouble("experiment 1", "The disk is full.")
    await harness.web.publish(LAB_WAKEUPS, encode([("ready",)]))
    await eventually(lambda: harness.woken and harness.facts[-1].problem)
    assert harness.woken == [
        [
            ("experiment", "experiment 1"),
            ("experiment", "experiment 0"),
            ("run", "run"),
            ("trouble", "experiment 1", "The disk is full."),
        ]
    ]
    assert harness.facts[-1] == LabFacts(None, "The engine has stopped.")
    await eventually(lambda: harness.ready == 1)


async def test_a_web_process_that_starts_later_is_served_as_well(harness: Harness) -> None:
    await harness.close()
    harness.web, harness.facts = Link(is_guarded=False), []
    await harness.open()
    assert "has no such call" in str(await harness.refusal(1, "os.system", "[]"))
    harness.publisher.wake("experiment")
    await eventually(lambda: harness.woken == [[("experiment", "experiment")]])


@pytest.mark.parametrize(
    ("subject", "data"),
    [
        (LAB_CALLS, b"null"),
        (LAB_CALLS, b"not JSON"),
        (LAB_CALLS, b'["doctor",""]'),
        (LAB_CALLS, b'["doctor",1,"[]"]'),
        (LAB_CALLS, b'["\xff","","[]"]'),
        (LAB_CALLS, b"[" * 100_000),
        (LAB_CALLS, b'["","","[]",' + b"[" * 100_000),
        (LAB_CANCELS, b"\xff"),
        (LAB_WAKEUPS, b"null"),
        (LAB_WAKEUPS, b"[[]]"),
        (LAB_WAKEUPS, b"[[1]]"),
        (WEB_REPLIES, b"r{}"),
        ("", b""),
    ],
)
async def test_a_web_process_that_sends_an_invalid_message_is_disconnected(
    harness: Harness, caplog: pytest.LogCaptureFixture, subject: str, data: bytes
) -> None:
    await harness.web.publish(subject, data, WEB_REPLIES)
    await asyncio.wait_for(harness.serving, 10)
    assert "an invalid message" in caplog.text


async def test_other_bytes_disconnect_the_web_process(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    assert harness.web._writer is not None
    harness.web._writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(harness.serving, 10)
    assert "an invalid message" in caplog.text
