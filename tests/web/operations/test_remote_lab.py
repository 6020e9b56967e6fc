"""Calls of a lab through the database, on SQLite and without Redis, by polling only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls, rpc
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.remote.rpc_server import RpcServer
from dashboard.lab.remote.wakeups import WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.store.operations import rpc_queue
from dashboard.web.http.database import in_database
from dashboard.web.operations.remote_lab import RemoteLab
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, close_lab_harness, open_lab_harness
from tests.support.polling import eventually


@pytest.fixture
async def lab_harness(tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    harness = await open_lab_harness(FakeEngine(), tmp_path)
    yield harness
    await close_lab_harness(harness)


@pytest.fixture
async def server(lab_harness: LabHarness) -> AsyncIterator[RpcServer]:
    supervisor = Supervisor(lab_harness.publisher)
    supervisor._lab, supervisor._loop = lab_harness.lab, asyncio.get_running_loop()
    started = RpcServer(supervisor, WakeupChannel(), lambda: None)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
async def remote(transactional_db: None) -> AsyncIterator[RemoteLab]:
    started = RemoteLab(WakeupChannel())
    await started.start()
    yield started
    await started.close()


def remote_call(function: Any) -> RemoteCall:
    found = rpc.find_call(function)
    assert found is not None
    return found


async def test_without_a_lab_every_call_is_refused_at_once(remote: RemoteLab) -> None:
    with pytest.raises(LabUnavailableError, match="No lab has started yet"):
        await remote.call(remote_call(experiment_calls.doctor), "")
    assert remote.facts.engine is None
    assert remote.heartbeat() is None


async def test_facts_results_and_errors_come_from_the_remote_lab(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness
) -> None:
    await eventually(lambda: remote.facts.engine)
    assert remote.facts.engine == lab_harness.context.ref
    heartbeat = remote.heartbeat()
    assert heartbeat is not None
    assert heartbeat.status.engine == "26.1.5"
    options = await remote.call(remote_call(experiment_calls.launch_options), "")
    assert {mode.mode for mode in options.modes} >= {"host", "bridge"}
    with pytest.raises(NotRunningError, match="launch it again"):
        await remote.call(remote_call(actions.try_paths), "", "nothing")
    with pytest.raises(LabUnavailableError):
        await remote.call(remote_call(experiment_calls.capacity), "")
    with pytest.raises(NotRunningError):
        await remote.call(remote_call(actions.inspect), "", "nothing", "machine", "hosts")


async def test_output_arrives_in_pieces_and_the_command_ends_with_its_reader(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def endless(_lab: Lab, experiment: str, column: str, command: str, name: str = "") -> Any:
        async def pieces() -> AsyncIterator[str]:
            try:
                number = 0
                while True:
                    number += 1
                    yield f"{experiment} {number}\n"
                    await asyncio.sleep(0.01)
            finally:
                ended.set()

        return pieces()

    await eventually(lambda: remote.facts.engine)
    inspect = remote_call(actions.inspect)
    monkeypatch.setitem(rpc.REMOTE_CALLS, inspect.name, _replaced(inspect, endless))
    output = await remote.call(inspect, "", "abc", "machine", "hosts")
    read = ""
    async with aclosing(output):
        async for text in output:
            read += text
            if "abc 20\n" in read:
                break
    assert read.startswith("abc 1\nabc 2\n")
    await asyncio.wait_for(ended.wait(), 5)


def _replaced(call: RemoteCall, function: Any) -> RemoteCall:
    """The same call, handled by another function."""
    replaced = RemoteCall(call.function)
    _ = replaced.streams, replaced._arguments, replaced._hints
    replaced.__dict__["function"] = function  # after its signature was read
    return replaced


async def test_a_silent_lab_becomes_unavailable_and_its_calls_end(
    server: RpcServer, remote: RemoteLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.core.operations.deployment.UNAVAILABLE_S", 0.3)
    await eventually(lambda: remote.facts.engine)
    for task in server._loops:
        task.cancel()  # as if it had been killed
    with pytest.raises(LabUnavailableError, match="does not respond"):
        await remote.call(remote_call(experiment_calls.doctor), "")
    assert remote.facts.engine is None


async def test_a_lab_that_stops_becomes_unavailable_at_once(server: RpcServer, remote: RemoteLab) -> None:
    await eventually(lambda: remote.facts.engine)
    await server.close()
    await eventually(lambda: remote.facts.engine is None)
    last = await in_database(rpc_queue.newest_heartbeat)
    assert last is not None
    assert last.number == 0
