"""Calls of a lab in another process, and what they answer over NATS and over a link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls, rpc
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.web.operations.linked_lab import LinkedLab
from dashboard.web.operations.remote_lab import RemoteLab
from tests.support.lab_harness import LabHarness


def remote_call(function: Any) -> RemoteCall:
    """The remote call of a function."""
    found = rpc.find_call(function)
    assert found is not None
    return found


def handle_by(monkeypatch: pytest.MonkeyPatch, function: Any, handler: Any) -> RemoteCall:
    """The remote call of a function, which the lab then handles with another function."""
    call = remote_call(function)
    replaced = RemoteCall(call.function)
    _ = replaced.name, replaced.streams, replaced._arguments, replaced._hints, replaced.target
    replaced.__dict__["function"] = handler  # after its signature was read
    monkeypatch.setitem(rpc.REMOTE_CALLS, call.name, replaced)
    return call


async def check_answers(lab: LinkedLab | RemoteLab, harness: LabHarness) -> None:
    """Checks that facts, results and errors are those of the harness's lab."""
    assert lab.facts.engine == harness.context.ref
    heartbeat = lab.heartbeat()
    assert heartbeat is not None
    assert heartbeat.status.engine == "26.1.5"
    options = await lab.call(remote_call(experiment_calls.launch_options), "")
    assert {mode.mode for mode in options.modes} >= {"host", "bridge"}
    with pytest.raises(NotRunningError, match="launch it again"):
        await lab.call(remote_call(actions.try_paths), "", "nothing")
    with pytest.raises(LabUnavailableError):
        await lab.call(remote_call(experiment_calls.capacity), "")
    with pytest.raises(NotRunningError):
        await lab.call(remote_call(actions.inspect), "", "nothing", "machine", "hosts")


async def check_output(lab: LinkedLab | RemoteLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that the output of a command arrives in pieces, and that the command ends with its reader."""
    ended = asyncio.Event()

    async def endless(_lab: Lab, experiment: str, column: str, command: str, name: str = "") -> Any:
        async def pieces() -> AsyncIterator[str]:
            try:
                number = 0
                while True:
                    number += 1
                    yield f"{experiment} {number}\n"
                    await asyncio.to_thread(int)
            finally:
                ended.set()

        return pieces()

    inspect = handle_by(monkeypatch, actions.inspect, endless)
    read = ""
    async with aclosing(await lab.call(inspect, "", "abc", "machine", "hosts")) as output:
        async for text in output:
            read += text
            if "abc 20\n" in read:
                break
    assert read.startswith("abc 1\nabc 2\n")
    await asyncio.wait_for(ended.wait(), 20)
