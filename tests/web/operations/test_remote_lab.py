"""Calls of a lab in another process, over a real NATS server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError
from nats.aio.client import Client

from dashboard import __version__
from dashboard.bench.operations.postgres_nats import Nats, temporary_folder
from dashboard.core.operations.deployment import UNAVAILABLE_S, HeartbeatMessage, LabFacts
from dashboard.core.terminal.limits import OutputChunk, TerminalError, TerminalOwner
from dashboard.core.training.capacity import Capacity
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.remote import call_server, experiment_calls, replies
from dashboard.lab.remote.call_server import run_call
from dashboard.lab.remote.nats_connection import WEB_HEARTBEATS, Message, NatsConnection
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.remote.rpc_server import RpcServer
from dashboard.lab.remote.wakeups import WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from dashboard.web.operations.remote_lab import RemoteLab, RemoteLabs
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.polling import eventually, others_run
from tests.web.operations.lab_calls import check_answers, check_output, handle_by, remote_call


def _has_sent_everything(client: Client) -> bool:
    return not client.pending_data_size


OWNER = TerminalOwner("participant", "class", "class-1", "launch", record=True)


@pytest.fixture(scope="module")
def nats() -> Iterator[Nats]:
    with temporary_folder() as folder, Nats(folder) as server:
        yield server


@pytest.fixture
async def lab_harness(tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    async with open_lab_harness(FakeEngine(), tmp_path) as harness:
        yield harness


@pytest.fixture
async def supervisor(lab_harness: LabHarness) -> Supervisor:
    opened = Supervisor(lab_harness.publisher)
    opened._lab, opened._loop = lab_harness.lab, asyncio.get_running_loop()
    return opened


@pytest.fixture
async def server(supervisor: Supervisor, nats: Nats) -> AsyncIterator[RpcServer]:
    connection = NatsConnection(nats.lab_url)
    started = RpcServer(supervisor, connection, WakeupChannel(connection), lambda: None)
    await started.start()
    await connection.open()
    yield started
    await started.close()
    await connection.close()


@pytest.fixture
async def labs(nats: Nats) -> AsyncIterator[RemoteLabs]:
    connection = NatsConnection(nats.web_url)
    started = RemoteLabs(connection)
    await started.start()
    await connection.open()
    yield started
    await started.close()
    await connection.close()


@pytest.fixture
async def remote(labs: RemoteLabs) -> RemoteLab:
    return labs.server


async def test_without_a_lab_every_call_is_refused_at_once(remote: RemoteLab) -> None:
    with pytest.raises(LabUnavailableError, match="No lab has started yet"):
        await remote.call(remote_call(experiment_calls.doctor), "")
    assert remote.facts.engine is None
    assert remote.heartbeat() is None


async def test_facts_results_and_errors_come_from_the_remote_lab(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness
) -> None:
    await eventually(lambda: remote.facts.engine)
    await check_answers(remote, lab_harness)


async def test_a_revoked_machine_receives_no_calls_until_it_joins_again(server: RpcServer, labs: RemoteLabs) -> None:
    remote = labs.server
    await eventually(lambda: remote.facts.engine)
    labs.refuse(frozenset({"server", "lab2"}))
    for lab in (remote, labs.of("lab2")):
        with pytest.raises(LabUnavailableError, match="was revoked"):
            await lab.call(remote_call(experiment_calls.launch_options), "")
    labs.refuse(frozenset())
    assert (await remote.call(remote_call(experiment_calls.launch_options), "")).modes


async def test_output_arrives_in_pieces_and_the_command_ends_with_its_reader(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: remote.facts.engine)
    await check_output(remote, monkeypatch)


async def test_a_silent_lab_becomes_unavailable_and_its_calls_end(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.core.operations.deployment.UNAVAILABLE_S", 0.3)
    await eventually(lambda: remote.facts.engine)
    monkeypatch.setattr(call_server, "run_call", lambda *_arguments: asyncio.Event().wait())
    for task in server._loops:
        task.cancel()  # as if it had been killed
    with pytest.raises(LabUnavailableError, match="does not respond"):
        await remote.call(remote_call(experiment_calls.doctor), "")
    assert remote.facts.engine is None


async def test_a_lab_that_stops_becomes_unavailable_at_once(server: RpcServer, remote: RemoteLab) -> None:
    await eventually(lambda: remote.facts.engine)
    await server.close()
    await eventually(lambda: remote.facts.engine is None)


async def test_a_call_in_progress_ends_when_its_lab_is_replaced_or_the_connection_is_lost(
    server: RpcServer, remote: RemoteLab, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: remote.facts.engine)
    monkeypatch.setattr(call_server, "run_call", lambda *_arguments: asyncio.Event().wait())
    doctor = remote_call(experiment_calls.doctor)
    waiting = asyncio.ensure_future(remote.call(doctor, ""))
    await eventually(lambda: server._calls._calls)
    server._losses += 1  # its name changes, as that of a successor does
    server._beat_now.set()
    with pytest.raises(LabUnavailableError, match="was interrupted"):
        await waiting
    await eventually(lambda: not server._calls._calls)  # the lab has ended the call of a caller that no longer waits
    waiting = asyncio.ensure_future(remote.call(doctor, ""))
    await eventually(lambda: server._calls._calls)
    nats.stop()
    try:
        with pytest.raises(LabUnavailableError, match="was interrupted"):
            await waiting
        assert "NATS does not answer" in (remote._nats.problem or "NATS does not answer")
    finally:
        nats.start()
    await eventually(lambda: not remote._nats.problem and remote.facts.engine)


async def test_a_call_without_a_reply_ends_after_its_timeout_and_is_cancelled(
    server: RpcServer, remote: RemoteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: remote.facts.engine)
    monkeypatch.setattr(call_server, "run_call", lambda *_arguments: asyncio.Event().wait())
    with pytest.raises(LabUnavailableError, match="did not respond in time"):
        await remote.call(RemoteCall(experiment_calls.doctor, 0.05), "")
    assert remote._replies == {}
    await eventually(lambda: not server._calls._calls)


async def test_a_call_ends_when_only_the_lab_loses_its_connection(
    server: RpcServer, remote: RemoteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: remote.facts.engine)
    with monkeypatch.context() as patched:
        patched.setattr(call_server, "run_call", lambda *_arguments: asyncio.Event().wait())
        waiting = asyncio.ensure_future(remote.call(remote_call(experiment_calls.doctor), ""))
        await eventually(lambda: server._calls._calls)
        lost = server._nats._client
        assert lost is not None
        await lost.close()
        with pytest.raises(LabUnavailableError, match="was interrupted"):
            await asyncio.wait_for(waiting, 20)
        await eventually(lambda: not server._calls._calls)
    assert await remote.call(remote_call(experiment_calls.launch_options), "")


async def test_calls_reach_only_the_lab_that_has_taken_over_and_the_end_of_the_other_ends_none(
    server: RpcServer, supervisor: Supervisor, remote: RemoteLab, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: remote.facts.engine)
    server._loops[0].cancel()  # it no longer sends heartbeats, and still has its connection
    other = Supervisor(supervisor._publisher)
    other._lab, other._loop = supervisor._lab, supervisor._loop
    connection = NatsConnection(nats.lab_url)
    successor = RpcServer(other, connection, WakeupChannel(connection), lambda: None)
    await successor.start()
    await connection.open()
    await eventually(lambda: remote._last and remote._last.message.lab == successor._lab)
    called: list[Supervisor] = []
    release = asyncio.Event()

    async def note_and_run(supervisor: Supervisor, *arguments: Any) -> str:
        called.append(supervisor)
        if len(called) > 5:
            await release.wait()
        return await run_call(supervisor, *arguments)

    monkeypatch.setattr(call_server, "run_call", note_and_run)
    options = remote_call(experiment_calls.launch_options)
    for _ in range(5):
        await remote.call(options, "")
    assert called == [other] * 5
    waiting = asyncio.ensure_future(remote.call(options, ""))
    await eventually(lambda: len(called) == 6)
    await server.close()
    for client in (server._nats._client, remote._nats._client):
        assert client is not None
        await eventually(partial(_has_sent_everything, client))
        await client.flush()  # its last heartbeat has arrived
    await others_run()
    release.set()
    assert await waiting
    assert remote.facts.engine is not None
    await successor.close()
    await connection.close()


class Lock:
    """The lock of a database that answers or does not."""

    answers = False
    since = 0.0

    def holds(self) -> bool:
        if not self.answers:
            raise DatabaseError
        return True


async def test_a_lab_that_cannot_reach_its_database_for_a_while_sends_no_heartbeats_and_refuses_calls(
    server: RpcServer, supervisor: Supervisor, remote: RemoteLab
) -> None:
    options = remote_call(experiment_calls.launch_options)
    await eventually(lambda: remote.facts.engine)
    lock = Lock()
    supervisor._lock, supervisor._confirmed_at = lock, time.monotonic()  # type: ignore[assignment]
    await server._send_heartbeat()
    assert await remote.call(options, ""), "another lab cannot have taken over yet"
    supervisor._confirmed_at -= UNAVAILABLE_S
    with pytest.raises(LabUnavailableError, match="cannot reach its database"):
        await server._send_heartbeat()
    with pytest.raises(LabUnavailableError, match="cannot reach its database"):
        await remote.call(options, "")
    lock.answers = True
    await server._send_heartbeat()
    assert await remote.call(options, "")


async def test_a_result_longer_than_a_message_arrives(
    server: RpcServer, remote: RemoteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "MAX_CHARACTERS", 50)
    await eventually(lambda: remote.facts.engine)
    options = await remote.call(remote_call(experiment_calls.launch_options), "")
    assert {mode.mode for mode in options.modes} >= {"host", "bridge"}
    with pytest.raises(NotRunningError, match="launch it again"):
        await remote.call(remote_call(actions.try_paths), "", "nothing")


class Shells:
    """Fake terminals that record their calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.released = asyncio.Event()

    async def attach(self, owner: TerminalOwner, window: str, cols: int, rows: int) -> OutputChunk:
        self.calls.append((owner, window, cols, rows))
        if window == "too many":
            raise TerminalError("Close one.")
        return OutputChunk("run", 3, b"\x00\xff\x1b[1m", 8, cols, rows, 1)

    async def read_from(
        self, _participant: str, _window: str, run: str, offset: int, change: int, _wait_s: float
    ) -> OutputChunk:
        await self.released.wait()
        return OutputChunk(run, offset, b"", offset, 80, 24, change + 1, "It ended.", again=False)

    async def write(self, participant: str, window: str, data: bytes) -> None:
        self.calls.append((participant, window, data))


async def test_bytes_and_errors_of_terminals_arrive_and_a_waiting_call_delays_no_other(
    server: RpcServer, supervisor: Supervisor, remote: RemoteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    shells = Shells()
    supervisor._terminals = shells  # type: ignore[assignment]
    attach, read_from, write = (
        handle_by(monkeypatch, getattr(Terminals, name), getattr(Shells, name))
        for name in ("attach", "read_from", "write")
    )
    await eventually(lambda: remote.facts.engine)
    chunk = OutputChunk("run", 3, b"\x00\xff\x1b[1m", 8, 100, 30, 1)
    assert await remote.call(attach, "", OWNER, "tab", 100, 30) == chunk
    assert shells.calls == [(OWNER, "tab", 100, 30)]
    with pytest.raises(TerminalError, match="Close one"):
        await remote.call(attach, "", OWNER, "too many", 80, 24)
    waiting = asyncio.ensure_future(remote.call(read_from, "", "participant", "tab", "run", 8, 1, 3.0))
    await remote.call(write, "", "participant", "tab", b"\x03\xffx")
    assert shells.calls[2:] == [("participant", "tab", b"\x03\xffx")]
    assert not waiting.done(), "a waiting call delays no other"
    shells.released.set()
    assert (await waiting).ended == "It ended."


async def test_invalid_calls_are_refused(server: RpcServer, remote: RemoteLab) -> None:
    await eventually(lambda: remote.facts.engine)
    for name, arguments, problem in (
        ("lab.anything", "[]", "has no such call"),
        ("experiment_calls.host_state", "[]", "arguments of experiment_calls.host_state are invalid"),
        ("terminals.write", "[1, 2, 3]", "arguments of terminals.write are invalid"),
    ):
        call = _Fixed(name, arguments)
        with pytest.raises((LabUnavailableError, ValueError), match=problem):
            await remote.call(call, "")


class _Fixed(RemoteCall):
    """A call with any name and any arguments."""

    def __init__(self, name: str, arguments: str) -> None:
        super().__init__(Terminals.write)
        self.__dict__["name"] = name
        self.__dict__["arguments"] = arguments

    def encode_arguments(self, *_args: Any, **_kwargs: Any) -> str:
        return str(self.__dict__["arguments"])


class RoomyHosts:
    """The private hosts of a lab with room for nine, one of which a LAN has taken."""

    def capacity(self) -> Capacity:
        return Capacity(running=3, more=6, others=1)


async def test_the_heartbeat_tells_how_many_hosts_the_machine_can_hold(
    server: RpcServer, supervisor: Supervisor, remote: RemoteLab
) -> None:
    supervisor._hosts = RoomyHosts()  # type: ignore[assignment]
    server._beat_now.set()
    await eventually(lambda: remote.capacity == 8)


@pytest.mark.parametrize(("version", "accepts"), [(__version__, True), ("99.0.0", False)])
def test_a_lab_of_another_version_is_connected_and_gets_no_calls(version: str, accepts: bool) -> None:
    lab = RemoteLab(NatsConnection(""), "attic", "inbox")
    assert (lab.is_connected, lab.accepts_calls) == (False, False)
    heartbeat = HeartbeatMessage("attic.1", LabFacts(), version=version, capacity=7)
    lab.on_heartbeat(Message(f"{WEB_HEARTBEATS}.attic", msgspec.json.encode(heartbeat)))
    assert (lab.is_connected, lab.accepts_calls, lab.capacity) == (True, accepts, 7)
