"""dashboard.bench.processes."""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil
import pytest

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.machines.browser_tour import PICTURES
from dashboard.bench.processes import cpu_seconds, environment_with, output_of, running


async def test_the_processor_time_of_another_process_includes_all_its_threads() -> None:
    """The program prints the time that it has used and that of its ended thread, which is most of it."""
    code = (
        "import threading, time\ntook = []\n"
        "def work():\n sum(range(3_000_000))\n took.append(time.thread_time())\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
        "print(took[0], time.process_time(), flush=True)\ninput()"
    )
    async with running([sys.executable, "-c", code]) as process:
        of_thread, of_process = map(float, (await process.read()).split())
        assert 0 < of_thread < of_process <= cpu_seconds(process.pid) < of_process + 1


def test_both_clocks_agree_on_this_process() -> None:
    before = time.process_time()
    assert before <= cpu_seconds(os.getpid()) <= time.process_time()


async def test_a_process_that_has_ended_has_no_clock() -> None:
    async with running(["sleep", "60"]) as process:
        assert cpu_seconds(process.pid) >= 0
    with pytest.raises(ProcessLookupError):
        cpu_seconds(process.pid)


async def test_a_program_that_gets_sigterm_cleans_up() -> None:
    code = (
        "import asyncio\nfrom dashboard.bench.processes import end_cleanly, print_line\nend_cleanly()\n"
        "async def work():\n try:\n  print_line('works')\n  await asyncio.Event().wait()\n"
        " finally:\n  print_line('end')\nasyncio.run(work())"
    )
    async with running([sys.executable, "-c", code], stderr=-3) as process:
        assert await process.read() == "works"
        os.kill(process.pid, signal.SIGTERM)
        assert await process.read() == "end"


async def test_a_child_ends_with_its_block() -> None:
    async with running(["sleep", "60"]) as process:
        assert psutil.pid_exists(process.pid)
    assert not psutil.pid_exists(process.pid)


async def test_reading_from_a_program_that_has_ended_is_an_error() -> None:
    async with running(["echo", "a line"]) as process:
        assert await process.read() == "a line"
        with pytest.raises(BenchmarkError, match="echo has ended"):
            await process.read()


async def test_the_error_of_a_command_that_fails_contains_its_stderr() -> None:
    assert await output_of("sh", "-c", "echo fine") == "fine\n"
    with pytest.raises(RuntimeError, match="no such thing"):
        await output_of("sh", "-c", "echo no such thing >&2; exit 3")


def test_the_users_own_database_and_settings_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "NATS_URL", "NETMODES_SECRET_KEY", "NETMODES_DATA_DIR"):
        monkeypatch.setenv(name, "the user's")
    environment = environment_with(NETMODES_DATA_DIR="ours")
    assert "the user's" not in environment.values()
    assert environment["NETMODES_DATA_DIR"] == "ours"
    assert environment["PATH"] == os.environ["PATH"]


def test_the_engine_of_private_hosts_and_the_folder_of_pictures_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_ENGINE_ROOT", "/root-of-forky")
    monkeypatch.setenv("NETMODES_ENGINE_OPTIONS", "{}")
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", "privileged")
    monkeypatch.setenv(PICTURES, "/tmp/pictures")
    environment = environment_with()
    assert environment[PICTURES] == "/tmp/pictures"
    assert environment["NETMODES_HOST_RUNTIME"] == "privileged"
    assert (environment["NETMODES_ENGINE_ROOT"], environment["NETMODES_ENGINE_OPTIONS"]) == ("/root-of-forky", "{}")
