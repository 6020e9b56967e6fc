"""What a lab accepts from its web process. Results and output: tests/web/operations/test_linked_lab.py."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from dashboard.lab.remote import link_server, rpc
from dashboard.lab.remote.link import Call, Cancel, Facts, Link, Ready, Reply, Request, Result, Wakeups, open_web_end
from dashboard.lab.remote.link_server import LinkPublisher, LinkServer
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from tests.support.polling import eventually

type Web = Link[Request, Reply]


class Harness:
    """A lab without an engine, and the other end of its link."""

    def __init__(self) -> None:
        self.publisher = LinkPublisher()
        self.supervisor = Supervisor(self.publisher)
        self.server = LinkServer(self.supervisor, self.publisher)
        self.ready = 0
        self.web: Web
        self.serving: asyncio.Task[None]

    async def open(self) -> None:
        one, two = socket.socketpair()
        self.serving = asyncio.create_task(self.server.serve(one, self._on_ready))
        self.web = await open_web_end(two)

    def _on_ready(self) -> None:
        self.ready += 1

    async def result(self) -> Result:
        while not isinstance(reply := await asyncio.wait_for(self.web.receive(), 10), Result):
            assert reply is not None
        return reply

    async def refusal(self, call: Call) -> Exception:
        self.web.send(call)
        result = await self.result()
        assert result.number == call.number
        assert result.refused
        return rpc.decode_error(result.text)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    await harness.open()
    yield harness
    await harness.web.close()
    await asyncio.wait_for(harness.serving, 10)


@pytest.mark.parametrize(
    "name", ["", "os.system", "supervisor.close_lab", "terminals.open", "terminals._start", "experiment_calls.doctor2"]
)
async def test_functions_that_are_no_calls_are_refused(harness: Harness, name: str) -> None:
    assert "has no such call" in str(await harness.refusal(Call(1, name, "", "[]")))


async def test_calls_about_a_swarm_of_machines_are_refused(harness: Harness) -> None:
    """An attacker who controls the web process could make the engine join a swarm with a manager that starts containers
    here."""
    names = [name for name in rpc.REMOTE_CALLS if name.startswith("swarm.")]
    assert {"swarm.join_swarm", "swarm.open_swarm", "swarm.leave_swarm", "swarm.view_swarm"} <= set(names)
    harness.supervisor.problem = "The engine is not asked."
    arguments = '["192.0.2.1", "192.0.2.2", {"cluster": "c", "token": "SWMTKN"}]'
    for number, name in enumerate(names):
        error = await harness.refusal(Call(number, name, "", arguments))
        assert str(error) == link_server.ONE_MACHINE, name


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
    error = await harness.refusal(Call(2, name, "", arguments))
    assert isinstance(error, ValueError)
    assert "arguments" in str(error)


async def test_without_an_engine_a_call_names_the_problem(harness: Harness) -> None:
    harness.supervisor.problem = "No Docker Engine answers at unix:///nowhere."
    error = await harness.refusal(Call(3, "experiment_calls.launch_options", "", "[]"))
    assert isinstance(error, LabUnavailableError)
    assert "unix:///nowhere" in str(error)
    assert isinstance(await harness.refusal(Call(4, "terminals.start", "", '["x"]')), LabUnavailableError)


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
        harness.web.send(Call(number, "terminals.start", "", f'["{name}"]'))
    await eventually(lambda: len(started) == 2)
    assert "too many requests" in str(await harness.refusal(Call(1, "terminals.start", "", '["again"]')))
    harness.web.send(Cancel(0))
    await eventually(lambda: ended == ["one"])
    await harness.web.close()
    await asyncio.wait_for(harness.serving, 10)
    assert ended == ["one", "two"]


async def test_more_calls_than_the_lab_handles_are_refused(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "MAX_CALLS", 0)
    assert "too many requests" in str(await harness.refusal(Call(1, "experiment_calls.doctor", "", "[]")))


async def test_facts_and_wake_ups_are_sent_and_ready_is_reported(harness: Harness) -> None:
    first = await asyncio.wait_for(harness.web.receive(), 10)
    assert isinstance(first, Facts)
    harness.supervisor.problem = "The engine has stopped."
    for number in range(3):
        harness.publisher.wake(f"experiment {number % 2}")
    harness.publisher.measured("run")
    harness.publisher.trouble("experiment 1", "The disk is full.")
    harness.web.send(Ready())
    received: list[Reply] = []
    while len({type(reply) for reply in received}) < 2:
        reply = await asyncio.wait_for(harness.web.receive(), 10)
        assert reply is not None
        received.append(reply)
    assert [reply for reply in received if isinstance(reply, Wakeups)] == [
        Wakeups(
            (
                ("experiment", "experiment 0"),
                ("experiment", "experiment 1"),
                ("run", "run"),
                ("trouble", "experiment 1", "The disk is full."),
            )
        )
    ]
    assert Facts(facts=first.facts.__class__(None, "The engine has stopped.")) in received
    await eventually(lambda: harness.ready == 1)


async def test_too_many_wake_ups_become_one_that_checks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "MAX_PENDING", 3)
    publisher = LinkPublisher()
    for number in range(4):
        publisher.wake(str(number))
    assert await publisher.next() == (("all",),)


async def test_a_web_process_that_sends_an_invalid_message_is_disconnected(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.web._writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(harness.serving, 10)
    assert "an invalid message" in caplog.text
