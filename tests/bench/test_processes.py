"""dashboard.bench.processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from dashboard.bench.processes import cpu_seconds, environment_with, run, running
from tests.polling import until


def test_the_processor_time_of_another_process_is_that_of_all_its_threads() -> None:
    code = (
        "import threading as t\nn = lambda: sum(range(3_000_000))\na = t.Thread(target=n)\na.start()\na.join()\ninput()"
    )
    with running([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        until(lambda: cpu_seconds(process.pid) > 0.03)
        assert cpu_seconds(process.pid) < 30


def test_the_own_processor_time_is_the_same_by_both_clocks() -> None:
    assert cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)


def test_a_process_that_has_ended_has_no_clock() -> None:
    with running([sys.executable, "-c", "pass"]) as process:
        process.wait(10)
    with pytest.raises(ProcessLookupError):
        cpu_seconds(process.pid)


def test_a_child_ends_with_its_block() -> None:
    with running(["sleep", "60"]) as process:
        assert process.poll() is None
    assert process.returncode is not None


async def test_a_command_that_fails_says_why() -> None:
    assert await run("sh", "-c", "echo fine") == "fine\n"
    with pytest.raises(RuntimeError, match="no such thing"):
        await run("sh", "-c", "echo no such thing >&2; exit 3")


def test_the_persons_own_database_and_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "NETMODES_SECRET_KEY", "NETMODES_DATA_DIR"):
        monkeypatch.setenv(name, "the person's")
    found = environment_with(NETMODES_DATA_DIR="ours")
    assert "the person's" not in found.values()
    assert found["NETMODES_DATA_DIR"] == "ours"
    assert found["PATH"] == os.environ["PATH"]
