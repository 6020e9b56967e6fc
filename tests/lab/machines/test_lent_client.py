"""The measuring client of this machine for runs on others."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteBlock
from dashboard.lab.machines import lent_client
from dashboard.lab.machines.lent_client import BUSY, LentClient
from dashboard.netns.namespace import Namespace
from tests.support.polling import eventually, until


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64):
        writer.write(data)
    writer.close()


@pytest.fixture
async def block() -> AsyncIterator[RemoteBlock]:
    """A block of round trips with an echo server on loopback."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield RemoteBlock(Probe.TCP_RR, "127.0.0.1", port, 64, 0.05, 0.01, 1000, None, 10.0, "/", "", Conditions.ORDINARY)
    server.close()


@pytest.fixture
async def lent() -> AsyncIterator[LentClient]:
    made = LentClient(asyncio.Lock())
    yield made
    await made.close()


@pytest.fixture
def other_stack() -> Iterator[int]:
    """A process in a network stack of its own."""
    own = Path("/proc/self/ns/net").readlink()
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as process:
        until(lambda: Path(f"/proc/{process.pid}/ns/net").readlink() != own)
        yield process.pid
        process.communicate()


def clients() -> list[int]:
    """The client processes that this process has started."""
    found = []
    for child in psutil.Process().children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and "dashboard.latency" in " ".join(child.cmdline()):
                found.append(child.pid)
        except psutil.NoSuchProcess:
            continue  # it has ended meanwhile
    return found


async def measure(
    lent: LentClient, run: str, block: RemoteBlock, refused: str = "", carrier: str = "web", pid: int = 0
) -> RemoteAnswer:
    async def open_namespace(address: str) -> Namespace:
        if address == refused:
            raise ValueError(f"{address} is an address of this machine itself.")
        return Namespace.of_pid(pid or os.getpid())

    return await lent.measure(run, carrier, block, open_namespace)


async def test_a_block_is_measured_by_one_process_until_the_run_ends(lent: LentClient, block: RemoteBlock) -> None:
    first = await measure(lent, "run", block)
    assert first.lost == ""
    assert first.fields["n"] > 0
    (pid,) = clients()
    assert (await measure(lent, "run", block)).fields["n"] > 0
    assert clients() == [pid]
    await lent.end("another")
    assert clients() == [pid]
    await lent.end("run")
    assert clients() == []


async def test_a_block_from_an_arm_is_measured_by_a_process_of_its_own(lent: LentClient, block: RemoteBlock) -> None:
    """The arm is in another network stack. Each process checks the addresses of its own blocks."""
    assert (await measure(lent, "run", block)).fields["n"] > 0
    with pytest.raises(ValueError, match="itself"):
        await measure(lent, "run", replace(block, from_arm=True), refused="127.0.0.1")
    assert (await measure(lent, "run", replace(block, from_arm=True))).fields["n"] > 0
    both = clients()
    assert len(both) == 2
    assert (await measure(lent, "run", block)).fields["n"] > 0
    assert clients() == both
    await lent.end("run")
    assert clients() == []


async def test_an_arm_is_checked_before_each_block(lent: LentClient, block: RemoteBlock, other_stack: int) -> None:
    """Its container may have been restarted, with a new network stack, or may have ended."""
    of_arm = replace(block, from_arm=True)
    assert (await measure(lent, "run", block)).fields["n"] > 0
    (of_machine,) = clients()
    assert (await measure(lent, "run", of_arm)).fields["n"] > 0
    before = clients()
    assert "127.0.0.1" in (await measure(lent, "run", of_arm, pid=other_stack)).fields["error"]
    after = clients()
    assert len(after) == 2
    assert {*before} & {*after} == {of_machine}, "the client in the arm only"
    with pytest.raises(ValueError, match="itself"):
        await measure(lent, "run", of_arm, refused="127.0.0.1")


async def test_only_the_web_process_that_brought_the_last_block_ends_the_process(
    lent: LentClient, block: RemoteBlock
) -> None:
    await measure(lent, "run", block, carrier="first")
    await measure(lent, "run", block, carrier="second")
    (pid,) = clients()
    await lent.end("run", "first")
    assert clients() == [pid], "the second one carries the run since"
    await lent.end("run", "second")
    assert clients() == []


async def test_while_a_client_is_lent_nothing_else_is_measured(
    monkeypatch: pytest.MonkeyPatch, block: RemoteBlock
) -> None:
    monkeypatch.setattr(lent_client, "TURN_S", 0.05)
    turn = asyncio.Lock()
    lent = LentClient(turn)
    async with turn:
        assert (await measure(lent, "run", block)).lost == BUSY
    assert (await measure(lent, "run", block)).fields["n"] > 0
    assert turn.locked()
    assert (await measure(lent, "second", block)).lost == BUSY
    await lent.close()
    assert not turn.locked()
    assert clients() == []


async def test_a_client_that_gets_no_more_blocks_ends(
    monkeypatch: pytest.MonkeyPatch, lent: LentClient, block: RemoteBlock
) -> None:
    monkeypatch.setattr(lent_client, "IDLE_S", 0.1)
    await measure(lent, "run", block)
    await eventually(lambda: not clients())
    assert (await measure(lent, "second", block)).fields["n"] > 0


async def test_a_process_that_ends_fails_the_block_and_is_started_again(lent: LentClient, block: RemoteBlock) -> None:
    await measure(lent, "run", block)
    psutil.Process(clients()[0]).kill()
    assert "killed by signal 9" in (await measure(lent, "run", block)).fields["error"]
    assert (await measure(lent, "run", block)).fields["n"] > 0


async def test_an_invalid_block_is_not_measured(lent: LentClient, block: RemoteBlock) -> None:
    assert "invalid port" in (await measure(lent, "run", replace(block, port=0))).lost
    assert clients() == []


async def test_each_address_of_a_run_is_checked(lent: LentClient, block: RemoteBlock) -> None:
    assert (await measure(lent, "run", block)).fields["n"] > 0
    with pytest.raises(ValueError, match="itself"):
        await measure(lent, "run", replace(block, address="127.0.0.9"), refused="127.0.0.9")
    assert (await measure(lent, "run", block)).fields["n"] > 0
    await lent.end("run")
    with pytest.raises(ValueError, match="itself"):
        await measure(lent, "second", block, refused="127.0.0.1")
