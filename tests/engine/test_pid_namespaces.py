"""Translation of pids of an engine in another pid namespace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine import pid_namespaces
from dashboard.engine.pid_namespaces import machine_pid
from tests.support.polling import until


@pytest.fixture
def nested() -> Iterator[tuple[int, int]]:
    """The pids on this machine of a process in a pid namespace of its own, and of one in another namespace below it.
    There their pids are 1 and a larger number."""
    inner = "unshare --pid --fork --kill-child sleep 61"
    command = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", f"{inner} & wait"]
    process = subprocess.Popen(command)

    def child_of(pid: int) -> int:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(found[0]) if found else 0

    try:
        first = until(lambda: child_of(process.pid))
        launcher = until(lambda: child_of(first))
        yield first, until(lambda: child_of(launcher))
    finally:
        process.kill()
        process.wait()


def inner_pid(pid: int) -> int:
    """The pid of the process in the namespace below this machine's."""
    return pid_namespaces._numbers(Path(f"/proc/{pid}"))[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root creates pid namespaces")
@pytest.mark.parametrize("old_kernel", [False, True])
def test_a_pid_of_another_namespace_is_translated(
    nested: tuple[int, int], old_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_kernel:
        monkeypatch.setattr(pid_namespaces, "NS_GET_PID_FROM_PIDNS", 0x8004B7FF)
    first, below = nested
    assert machine_pid(1, first) == first
    assert machine_pid(inner_pid(below), first) == below
    assert machine_pid(99999, first) == 0


def test_a_pid_of_this_namespace_or_of_an_invisible_engine_stays() -> None:
    assert machine_pid(os.getpid(), os.getppid()) == os.getpid()
    assert machine_pid(812, None) == 812
    assert machine_pid(0, os.getpid()) == 0
    assert machine_pid(812, 2**22 + 1) == 812, "the daemon has ended"
