"""Calls of the lab that has started this process, over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.terminal.limits import OutputChunk, TerminalOwner
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.link_server import LinkServer
from dashboard.lab.remote.nats_connection import WEB_JOURNALS
from dashboard.lab.remote.wakeups import Wakeup, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from dashboard.web.operations.linked_lab import LinkedLab
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.polling import eventually
from tests.web.operations.lab_calls import check_answers, check_output, handle_by, remote_call


class Linked:
    """Both ends of a link."""

    def __init__(self, harness: LabHarness) -> None:
        self.harness = harness
        self.woken: list[Wakeup] = []
        self.lost: list[bool] = []
        link, web = Link(is_guarded=True), Link(is_guarded=False)
        self.wakeups, self.received = WakeupChannel(link), WakeupChannel(web)
        self.publisher = Publisher(partial(self.wakeups.send, WEB_JOURNALS))
        self.supervisor = Supervisor(self.publisher)
        self.supervisor._lab, self.supervisor._loop = harness.lab, asyncio.get_running_loop()
        self.server = LinkServer(self.supervisor, link, self.wakeups)
        self.lab = LinkedLab(web, lambda: self.lost.append(True))
        self.serving: asyncio.Task[None]

    async def open(self) -> None:
        one, two = socket.socketpair()
        await self.wakeups.open()
        self.serving = asyncio.create_task(self.server.serve(one, lambda: None))
        await self.received.listen(WEB_JOURNALS, self.woken.append)
        await self.lab.start(two)


@pytest.fixture
async def linked(tmp_path: Path, transactional_db: None) -> AsyncIterator[Linked]:
    async with open_lab_harness(FakeEngine(), tmp_path) as harness:
        linked = Linked(harness)
        await linked.open()
        yield linked
        await linked.lab.close()
        await asyncio.wait({linked.serving}, timeout=10)
        assert linked.serving.done()
        await linked.wakeups.close()


async def test_facts_results_errors_and_wake_ups_come_from_the_lab(linked: Linked) -> None:
    await check_answers(linked.lab, linked.harness)
    linked.publisher.wake("abc")
    await eventually(lambda: linked.woken == [("experiment", "abc")])


async def test_another_thread_calls_the_lab(linked: Linked) -> None:
    def ask() -> Any:
        return asyncio.run(linked.lab.call(remote_call(experiment_calls.launch_options), ""))

    assert (await asyncio.to_thread(ask)).images is not None


async def test_output_arrives_in_pieces_and_the_command_ends_with_its_reader(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check_output(linked.lab, monkeypatch)
    assert linked.lab._replies == {}


@pytest.mark.parametrize("read", [0, 1])
async def test_output_that_is_closed_early_ends_the_command(
    linked: Linked, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    ended = asyncio.Event()

    async def endless(_lab: Lab, _experiment: str, _column: str, _command: str, _name: str = "") -> Any:
        async def pieces() -> AsyncIterator[str]:
            try:
                yield "a piece"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return pieces()

    inspect = handle_by(monkeypatch, actions.inspect, endless)
    output = await linked.lab.call(inspect, "", "abc", "machine", "hosts")
    for _ in range(read):
        assert await anext(output) == "a piece"
    await output.aclose()
    await output.aclose()
    assert linked.lab._replies == {}
    assert [text async for text in output] == []
    await asyncio.wait_for(ended.wait(), 20)


async def test_a_caller_that_no_longer_waits_ends_its_call(linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(_lab: Lab, *_arguments: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call = handle_by(monkeypatch, actions.try_paths, wait)
    calling = asyncio.create_task(linked.lab.call(call, "", "abc"))
    await asyncio.wait_for(started.wait(), 20)
    calling.cancel()
    await asyncio.wait_for(ended.wait(), 20)
    assert linked.lab._replies == {}


async def test_bytes_of_terminals_arrive(linked: Linked) -> None:
    class Shells:
        """Fake terminals; the link calls the methods of the class ``Terminals`` on them."""

        _terminals: dict[str, Any] = {}

    written: list[bytes] = []

    class Shell:
        """One fake terminal."""

        windows: dict[str, Any] = {}

        async def read_from(self, _window: str, run: str, offset: int, change: int, _wait_s: float) -> OutputChunk:
            return OutputChunk(run, offset, b"\x00\xff\x1b[1m", 8, 80, 24, change)

        def interrupt(self) -> None:
            written.append(b"\x03")

    shells = Shells()
    shells._terminals = {"participant": Shell()}
    shells._note_input = lambda *_: None  # type: ignore[attr-defined]
    linked.supervisor._terminals = shells  # type: ignore[assignment]
    read_from = remote_call(Terminals.read_from)
    chunk = await linked.lab.call(read_from, "", "participant", "tab", "run", 3, 1, 0.0)
    assert chunk == OutputChunk("run", 3, b"\x00\xff\x1b[1m", 8, 80, 24, 1)
    await linked.lab.call(remote_call(Terminals.interrupt), "", "participant", "tab")
    assert written == [b"\x03"]


async def test_terminals_without_a_lab_are_unavailable(linked: Linked) -> None:
    owner = TerminalOwner("participant", "class", "class-1", "launch", record=True)
    with pytest.raises(LabUnavailableError):
        await linked.lab.call(remote_call(Terminals.attach), "", owner, "tab", 80, 24)


async def test_the_end_of_the_lab_is_noticed_at_once(linked: Linked) -> None:
    linked.serving.cancel()
    await eventually(lambda: linked.lost == [True])


async def test_a_closed_link_refuses_calls(linked: Linked) -> None:
    await linked.lab.close()
    with pytest.raises(LabUnavailableError, match="stopping"):
        await linked.lab.call(remote_call(experiment_calls.doctor), "")
