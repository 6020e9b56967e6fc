"""Entering namespaces."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.netns.namespace import Namespace, NamespaceGone, in_own_thread, in_thread, pinned_pid
from dashboard.netns.namespace_ids import namespaces
from tests.netns.namespaces import Netns
from tests.support.polling import DEADLINE_S, eventually, others_run, until


def _inode_here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def test_a_function_runs_inside_while_the_caller_stays_outside(netns: Netns, namespace: Namespace) -> None:
    before = _inode_here()
    assert namespace.run(_inode_here) == namespace.inode != before
    assert _inode_here() == before


async def test_an_asynchronous_function_runs_inside(netns: Netns, namespace: Namespace) -> None:
    assert await namespace.arun(_inode_here) == namespace.inode


def test_an_exception_inside_is_raised_to_the_caller(namespace: Namespace) -> None:
    with pytest.raises(ZeroDivisionError):
        namespace.run(lambda: 1 // 0)


async def test_an_exception_of_an_asynchronous_function_is_raised_to_the_caller(namespace: Namespace) -> None:
    with pytest.raises(ZeroDivisionError):
        await namespace.arun(lambda: 1 // 0)


async def test_a_result_of_a_cancelled_call_is_discarded() -> None:
    begun, go_on = threading.Event(), threading.Event()
    given_back: list[int] = []

    def slow() -> int:
        begun.set()
        go_on.wait(DEADLINE_S)
        return 7

    task = asyncio.ensure_future(in_own_thread(slow, discard=given_back.append))
    await eventually(begun.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await eventually(lambda: given_back == [7])


async def test_a_result_that_is_there_when_the_caller_is_cancelled_is_discarded() -> None:
    loop, go_on = asyncio.get_running_loop(), threading.Event()
    given_back: list[int] = []

    def quick() -> int:
        go_on.wait(DEADLINE_S)
        loop.call_soon_threadsafe(lambda: loop.call_soon(task.cancel))  # after the result, before the caller takes it
        return 7

    before = threading.enumerate()
    task = asyncio.ensure_future(in_own_thread(quick, discard=given_back.append))
    await others_run()
    (thread,) = (one for one in threading.enumerate() if one.name == "netns visit" and one not in before)
    go_on.set()
    thread.join(20)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert given_back == [7]


def test_a_result_after_the_loop_is_closed_is_discarded() -> None:
    begun, go_on = threading.Event(), threading.Event()
    given_back: list[int] = []

    def slow() -> int:
        begun.set()
        go_on.wait(DEADLINE_S)
        return 7

    async def start() -> None:
        task = asyncio.ensure_future(in_own_thread(slow, discard=given_back.append))
        await eventually(begun.is_set)
        task.cancel()

    asyncio.run(start())
    go_on.set()
    until(lambda: given_back == [7])


def test_sockets_made_inside_stay_inside(netns: Netns, namespace: Namespace) -> None:
    with namespace.run(lambda: socket.create_server(("127.0.0.1", 4711))):
        assert b":4711" in netns.run("ss", "-Hltn")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 4711), 1)


def test_a_handle_keeps_the_namespace_alive(netns: Netns, namespace: Namespace) -> None:
    netns.kill()
    assert namespace.run(_inode_here) == namespace.inode


def test_a_duplicate_is_independent(namespace: Namespace) -> None:
    with namespace.duplicate() as other:
        namespace.close()
        assert other.inode == namespace.inode
        assert other.run(_inode_here) == other.inode


def test_a_closed_handle_shows_that_it_is_closed(namespace: Namespace) -> None:
    namespace.close()
    namespace.close()
    assert namespace.fd == -1
    assert "closed" in repr(namespace)
    with pytest.raises(NamespaceGone):
        namespace.run(_inode_here)
    with pytest.raises(NamespaceGone):
        namespace.duplicate()


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**31 - 1, 2**70])
def test_an_unused_pid_raises_namespace_gone(pid: int) -> None:
    with pytest.raises(NamespaceGone):
        Namespace.of_pid(pid)


def test_a_zombie_is_gone() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(NamespaceGone):
        Namespace.of_pid(process.pid)
    process.wait()


def test_a_process_that_ends_meanwhile_raises_namespace_gone(netns: Netns) -> None:
    def look() -> None:
        with pinned_pid(netns.pid):
            netns.kill()

    with pytest.raises(NamespaceGone):
        look()


def test_a_namespace_is_opened_by_the_file_that_it_is_bound_to(netns: Netns, tmp_path: Path) -> None:
    bound = tmp_path / "netns"
    bound.touch()
    subprocess.run(["mount", "--bind", f"/proc/{netns.pid}/ns/net", bound], check=True)
    try:
        with Namespace.of_path_inside(os.getpid(), str(bound)) as opened:
            assert opened.inode == namespaces(netns.pid)["net"]
    finally:
        subprocess.run(["umount", bound], check=True)
    with pytest.raises(NamespaceGone):  # an empty file remains, as with Docker's sandboxes
        Namespace.of_path_inside(os.getpid(), str(bound))


@pytest.mark.parametrize("path", ["/nowhere", "/", "/etc/passwd/x", "/proc/self/ns/uts", "/dev/null"])
def test_a_path_without_a_network_namespace_raises(path: str) -> None:
    with pytest.raises(NamespaceGone):
        Namespace.of_path_inside(os.getpid(), path)


def test_a_namespace_of_another_type_raises() -> None:
    with pytest.raises(NamespaceGone, match="another type"):
        Namespace(os.open("/proc/self/ns/uts", os.O_RDONLY))


def test_each_namespace_is_separate(make_netns: Callable[[], Netns]) -> None:
    inodes = set()
    for _ in range(3):
        with Namespace.of_pid(make_netns().pid) as opened:
            inodes.add(opened.inode)
    assert len(inodes) == 3


def test_an_unclosed_handle_is_closed_and_reported(netns: Netns) -> None:
    opened = Namespace.of_pid(netns.pid)
    with pytest.warns(ResourceWarning, match="unclosed"):
        opened.__del__()
    assert opened.fd == -1


def test_an_error_raised_in_a_thread_is_not_kept_alive() -> None:
    class Witness(Exception):  # noqa: N818
        pass

    def fail() -> None:
        raise Witness

    gc.disable()
    try:
        with pytest.raises(Witness) as caught:
            in_thread(fail)
        witness = weakref.ref(caught.value)
        del caught
        assert witness() is None
    finally:
        gc.enable()


LOST_MAIN_THREAD = """
import os, sys, threading
open("/proc/self/comm", "w").write(sys.argv[1])
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
os.unshare(os.CLONE_NEWNET)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("program", "is_here"), [("podman", True), ("exe", True), ("other", False)])
def test_the_namespace_of_podman_is_that_of_most_of_its_threads(program: str, *, is_here: bool) -> None:
    """Podman 5.8 leaves its main thread in the namespace of a container that is gone."""
    command = [sys.executable, "-c", LOST_MAIN_THREAD, program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        with Namespace.of_pid(process.pid) as found:
            assert (found.inode == _inode_here()) is is_here
            assert namespaces(process.pid)["net"] == found.inode
        process.stdin.close()
