"""netstat and ss in a terminal show process names; no other program can be run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import enter
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.lab.terminal import process_names
from dashboard.lab.terminal.process_names import MAX_CLIENTS, SocketToolServer


@pytest.fixture
def own_netns() -> int:
    """This machine's network namespace."""
    return Path("/proc/self/ns/net").stat().st_ino


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
async def socket(tmp_path: Path, own_netns: int) -> AsyncIterator[Path]:
    """The socket of a terminal on a host with this machine's network."""
    netns = own_netns
    host = PrivateHost("host", os.getpid(), netns, str(tmp_path / "docker.sock"), 1.0, tmp_path, 1)
    names = SocketToolServer(host)
    yield await names.open()
    await names.close()
    assert not left(tmp_path)


async def ask(socket: Path, *line: str, raw: bytes = b"") -> tuple[int, str]:
    """Sends a request; returns the exit status and the output."""
    reader, writer = await asyncio.open_unix_connection(socket)
    body = "\0".join(line).encode()
    writer.write(raw or b"POST / HTTP/1.1\r\nHost: names\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    head, _, text = (await asyncio.wait_for(reader.read(), 15)).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return (int(head.split()[1]) if head else 0), text


async def test_the_process_behind_a_port_is_named(socket: Path) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for line in (("ss", "-Hltnp", f"sport = :{port}"), ("netstat", "-tlnp")):
        status, text = await ask(socket, *line)
        assert status == 200, text
        assert str(os.getpid()) in next(one for one in text.splitlines() if f":{port} " in one)
    server.close()
    await server.wait_closed()


async def test_the_limits_of_the_host_apply(socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "pids", tmp_path / "memory"]
    monkeypatch.setattr(enter, "shell_files", lambda _name: tuple(map(str, files)))
    status, text = await ask(socket, "ss", "-Hltn")
    assert (status, "No such file" in text) == (200, False)
    pids = [int(file.read_text()) for file in files]
    assert len(set(pids)) == 1, "the command writes its pid before it starts"
    for file in files:
        file.unlink()


@pytest.mark.parametrize("line", [("sh", "-c", "id"), ("ss", "-K"), ("ss", "-D", "/tmp/x"), ("netstat", "-c")])
async def test_only_permitted_lines_are_run(socket: Path, line: tuple[str, ...]) -> None:
    assert await ask(socket, *line) == (403, "")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\xff\xff",
        b"x" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_invalid_requests_are_not_answered(socket: Path, raw: bytes) -> None:
    assert await ask(socket, raw=raw) == (0, "")


async def test_connections_over_the_limit_are_closed_at_once(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_names, "REQUEST_TIMEOUT_S", 60.0)
    silent = [await asyncio.open_unix_connection(socket) for _ in range(MAX_CLIENTS)]
    reader, writer = await asyncio.open_unix_connection(socket)
    assert await asyncio.wait_for(reader.read(), 15) == b""
    writer.close()
    for reader, writer in silent:
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 15) == b""
        writer.close()
    assert await ask(socket, "sh") == (403, "")
