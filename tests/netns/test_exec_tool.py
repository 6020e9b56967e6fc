"""Tools of the machine, run inside a namespace."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
import uvloop

from dashboard.netns.exec_tool import run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone
from tests.netns.namespaces import Netns
from tests.support.polling import eventually


async def _output(namespace: Namespace, *argv: str, **options: object) -> tuple[str, int | None]:
    statuses: list[int | None] = []
    async with aclosing(run_inside(namespace, argv, on_exit=statuses.append, **options)) as pieces:  # type: ignore[arg-type]
        text = "".join([piece async for piece in pieces])
    (status,) = statuses
    return text, status


def _running(*argv: str) -> list[int]:
    """Processes with exactly this command line."""
    wanted = "\0".join(argv).encode() + b"\0"
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "cmdline").read_bytes() == wanted:
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files are created in a folder that no other process uses."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def _folders_left() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("netmodes-*"))


def _machine_hosts() -> str:
    return Path("/etc/hosts").read_text()


async def test_a_tool_sees_the_network_of_the_namespace(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "add", "only-here", "type", "veth")
    text, status = await _output(namespace, "ip", "-br", "link")
    assert "only-here" in text
    assert status == 0


async def test_a_tool_sees_the_files_of_the_container_and_cannot_change_them(
    namespace: Namespace, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 box\n")
    files = {"resolv_conf": b"nameserver 192.0.2.1\n", "hosts": hosts}
    assert await _output(namespace, "cat", "/etc/resolv.conf", "/etc/hosts", **files) == (
        "nameserver 192.0.2.1\n192.0.2.7 box\n",
        0,
    )
    text, status = await _output(namespace, "cp", "/dev/null", "/etc/hosts", **files)
    assert "Read-only file system" in text
    assert status == 1
    assert hosts.read_text() == "192.0.2.7 box\n"
    assert "box" not in _machine_hosts()
    assert _folders_left() == []


async def test_a_missing_file_is_reported(namespace: Namespace) -> None:
    text, status = await _output(namespace, "true", hosts=Path("/nowhere"))
    assert "/nowhere" in text
    assert status == 125


@pytest.mark.parametrize("word", ["; touch /tmp/x", "$(touch /tmp/x)", "--", "`id`", "a b", "*", "\n"])
async def test_arguments_are_never_read_by_a_shell(namespace: Namespace, word: str) -> None:
    assert await _output(namespace, "printf", "%s", word, hosts=b"") == (word, 0)
    assert await _output(namespace, "printf", "%s", word) == (word, 0)


async def test_the_exit_status_is_reported(namespace: Namespace) -> None:
    assert await _output(namespace, "sh", "-c", "echo out; echo err >&2; exit 7") == ("out\nerr\n", 7)
    text, status = await _output(namespace, "no-such-tool")
    assert "no-such-tool" in text
    assert status == 127


async def test_bytes_that_are_not_text_are_replaced(namespace: Namespace) -> None:
    text, _ = await _output(namespace, "printf", r"caf\303\251 \377\303")
    assert text == "café \ufffd\ufffd"


async def test_excess_output_is_cut_and_the_tool_killed(namespace: Namespace) -> None:
    text, status = await _output(namespace, "yes", "netns-terminal", limit_bytes=10_000)
    assert text.endswith("\n[cut after 10000 bytes]\n")
    assert len(text) < 10_100
    assert status is None
    assert _running("yes", "netns-terminal") == []


async def test_at_the_time_limit_everything_is_killed(namespace: Namespace, skip_time: Callable[[float], None]) -> None:
    command, statuses = ("sh", "-c", "echo begun; sleep 4711 & sleep 4711"), list[int | None]()
    async with aclosing(run_inside(namespace, command, timeout_s=61.5, on_exit=statuses.append)) as pieces:
        assert await anext(pieces) == "begun\n"
        skip_time(61.5)
        assert [piece async for piece in pieces] == ["\n[stopped after 61.5 s]\n"]
    assert statuses == [None]
    await eventually(lambda: not _running("sleep", "4711"))


async def test_processes_left_behind_by_a_tool_are_killed(namespace: Namespace) -> None:
    assert await _output(namespace, "sh", "-c", "sleep 4712 & echo done") == ("done\n", 0)
    await eventually(lambda: not _running("sleep", "4712"))


async def test_a_tool_ends_when_its_caller_stops(namespace: Namespace) -> None:
    begun = asyncio.Event()

    async def listen() -> None:
        async with aclosing(run_inside(namespace, ("sh", "-c", "echo begun; sleep 4713"), hosts=b"")) as pieces:
            async for _ in pieces:
                begun.set()

    task = asyncio.ensure_future(listen())
    await begun.wait()
    await eventually(lambda: _running("sleep", "4713"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not _running("sleep", "4713"))
    assert _folders_left() == []


async def test_the_environment_of_the_tool_is_clean(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_SECRET_KEY", "canary")
    text, _ = await _output(namespace, "env")
    assert "canary" not in text
    assert {line.split("=")[0] for line in text.splitlines()} == {"PATH", "LC_ALL", "TERM"}


async def test_a_closed_namespace_is_reported(namespace: Namespace) -> None:
    namespace.close()
    with pytest.raises(NamespaceGone):
        await _output(namespace, "true")


async def test_the_namespace_may_be_closed_while_the_tool_runs(namespace: Namespace) -> None:
    async with aclosing(run_inside(namespace, ("sh", "-c", "echo begun; readlink /proc/self/ns/net"))) as pieces:
        inode = namespace.inode
        first = await anext(pieces)
        namespace.close()
        text = first + "".join([piece async for piece in pieces])
    assert f"net:[{inode}]" in text
    assert inode != os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116


@pytest.fixture(scope="module")
def _libuv() -> None:
    """Makes libuv create the descriptors that it keeps until the process ends: a pipe for signals."""
    uvloop.new_event_loop().close()


@pytest.mark.usefixtures("_libuv")
def test_no_descriptor_of_another_thread_is_closed_with_the_pipe() -> None:
    """This holds on uvloop, the server's event loop. The number of a closed pipe is free at once, and another thread
    may get it."""
    closed: list[int] = []
    over = threading.Event()

    def open_and_close() -> None:
        while not over.is_set():
            for fd in [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]:
                try:
                    os.close(fd)
                except OSError:
                    closed.append(fd)

    async def run(namespace: Namespace) -> None:
        async with aclosing(run_inside(namespace, ["true"])) as pieces:
            assert [piece async for piece in pieces] == []

    async def run_many() -> None:
        with Namespace.of_pid(os.getpid()) as here:
            for _ in range(10):
                await asyncio.gather(*(run(here) for _ in range(8)))

    others = [threading.Thread(target=open_and_close) for _ in range(3)]
    for one in others:
        one.start()
    try:
        uvloop.run(run_many())
    finally:
        over.set()
        for one in others:
            one.join()
    assert closed == []
