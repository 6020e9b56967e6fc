"""Translation of pids of an engine in another pid namespace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine import pid_namespaces
from dashboard.engine.pid_namespaces import is_inside_host, machine_pid
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


def test_only_a_pid_of_this_namespace_stays() -> None:
    assert machine_pid(os.getpid(), os.getppid()) == os.getpid()
    assert machine_pid(0, os.getpid()) == 0


def test_a_pid_of_an_unknown_namespace_is_no_pid_of_this_machine() -> None:
    assert machine_pid(os.getpid(), None) == 0
    assert machine_pid(os.getpid(), 2**22 + 1) == 0, "the daemon has ended"


def test_only_a_process_in_the_cgroup_and_in_a_pid_namespace_of_its_own_is_inside_a_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for pid in (7, 8, 9):
        (tmp_path / f"{pid}/ns").mkdir(parents=True)
        (tmp_path / f"{pid}/ns/pid").touch()
    (tmp_path / "9/ns/pid").unlink()
    (tmp_path / "9/ns/pid").symlink_to("/proc/self/ns/pid")
    monkeypatch.setattr(pid_namespaces, "PROC", tmp_path)
    cgroups = {("netmodes-abc", "engine"): [7, 9, 10], ("netmodes-abcd", "engine"): [8]}
    monkeypatch.setattr(pid_namespaces, "processes", lambda *cgroup: cgroups[cgroup])
    assert [pid for pid in (7, 8, 9, 10) if is_inside_host(pid, "netmodes-abc")] == [7]
