"""dashboard.latency.process and children: start and end of the measuring processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.latency.children import Child, ChildEnded
from dashboard.latency.process import CORE_SLEEP, Overdue, overdue_after
from tests.support.polling import until

ROOT = Path(__file__).resolve().parents[2]
#: A parent that starts a responder, tells its pid, and waits.
PARENT = """
import asyncio, sys
from dashboard.latency.children import Child

async def main():
    child = await Child.start("responder", [], None)
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def opened_by(pid: int) -> set[str]:
    return {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}


async def test_a_helper_is_pinned_to_its_core_with_garbage_collection_off() -> None:
    core = max(os.sched_getaffinity(0))
    child = await Child.start("client", [], core)
    try:
        await child.rest()
        process = psutil.Process(child.pid)
        assert process.cpu_affinity() == [core]
        assert process.num_threads() == 1
        assert process.nice() == -20
        assert os.sched_getscheduler(child.pid) == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        assert "-I" in process.cmdline()
        if os.access(CORE_SLEEP, os.W_OK):
            assert str(CORE_SLEEP) in await asyncio.to_thread(opened_by, child.pid)
    finally:
        await child.end()


async def test_in_ordinary_conditions_a_helper_has_the_priority_of_its_parent_and_lets_cores_sleep() -> None:
    core = max(os.sched_getaffinity(0))
    child = await Child.start("client", [], core, Conditions.ORDINARY)
    try:
        await child.rest()
        process = psutil.Process(child.pid)
        assert os.sched_getscheduler(child.pid) == os.sched_getscheduler(0)
        assert process.nice() == psutil.Process().nice()
        assert str(CORE_SLEEP) not in await asyncio.to_thread(opened_by, child.pid)
        assert process.cpu_affinity() == [core]
    finally:
        await child.end()


async def test_ending_twice_is_harmless_and_an_ended_helper_is_reported() -> None:
    child = await Child.start("responder", [], None)
    await child.rest()
    os.kill(child.pid, signal.SIGTERM)
    with pytest.raises(ChildEnded, match="The responder process was killed by signal 15"):
        await child.rest()
    await child.end()
    await child.end()


@pytest.mark.parametrize("name", ["client", "responder"])
async def test_a_command_that_arrives_before_the_work_begins_ends_it(name: str) -> None:
    """On a busy machine a helper may begin to send or to serve only after the block is over."""
    network = os.open("/proc/self/ns/net", os.O_RDONLY)
    child = await Child.start(name, [network], None)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            if name == "client":
                command = {"do": "load", "place": 0, "address": "127.0.0.1", "port": port, "timeout_s": 1.0}
            else:
                opened = await child.ask(do="open", place=0, kind="tcp", port=0)
                command = {"do": "serve", "listener": opened["listener"], "probe": "tcp-rr", "payload": 64}
            os.kill(child.pid, signal.SIGSTOP)
            child.send(**command)
            child.send(do="rest")
            os.kill(child.pid, signal.SIGCONT)
            assert [await child.receive(20.0) for _ in range(2)] == [{}, {}]
            assert await child.ask(do="rest") == {}
    finally:
        await child.end()
        os.close(network)


async def test_a_helper_that_hangs_is_reported() -> None:
    child = await Child.start("responder", [], None)
    try:
        await child.rest()
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(ChildEnded, match=r"did not answer for 0\.1 s"):
            await child.ask(within_s=0.1, do="rest")
    finally:
        await child.end()


def test_helpers_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    until(lambda: not psutil.pid_exists(pid))


def test_a_helper_with_an_ended_parent_does_not_begin() -> None:
    config = {"parent": 1, "control": 0, "places": [], "core": None}
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.latency.client", json.dumps(config)],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=10,
    )
    assert done.returncode == 1


def test_overdue_is_raised_wherever_the_block_waits_and_not_after_it() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(Overdue), overdue_after(0.05):
            os.read(reader, 1)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        os.close(reader)
        os.close(writer)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
