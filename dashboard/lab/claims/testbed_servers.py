"""Small HTTP servers in the machine's network namespace, and requests over abstract unix sockets."""

from __future__ import annotations

import asyncio
import socket

from dashboard.core.claims.model import Answer
from dashboard.netns.namespace import Namespace

_BODY = "a service of the machine itself\n"
_LIMIT_S = 3.0


class MachineServers:
    """Servers that end with the claim that started them. Their sockets belong to the namespace, not the process."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._answering: set[asyncio.StreamWriter] = set()

    async def serve(self, namespace: Namespace, address: str, port: int) -> str:
        """Begins to listen; empty, or the kernel's refusal."""

        def bind() -> socket.socket:
            family = (
                socket.AF_UNIX if address.startswith("@") else socket.AF_INET6 if ":" in address else socket.AF_INET
            )
            opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                opened.setblocking(False)
                if family == socket.AF_UNIX:
                    opened.bind(f"\0{address[1:]}")
                else:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    opened.bind((address, port))
                opened.listen(16)
            except OSError:
                opened.close()
                raise
            return opened

        try:
            opened = await namespace.arun(bind, discard=socket.socket.close)
        except OSError as error:
            return f"{address}:{port}: {error.strerror}" if port else f"{address}: {error.strerror}"
        if opened.family == socket.AF_UNIX:
            self._servers.append(await asyncio.start_unix_server(self._answer, sock=opened))
        else:
            self._servers.append(await asyncio.start_server(self._answer, sock=opened))
        return ""

    async def close(self) -> None:
        """Ends all of them, and connections that are open."""
        for server in self._servers:
            server.close()
        for writer in list(self._answering):
            writer.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        self._answering.add(writer)
        try:
            async with asyncio.timeout(_LIMIT_S):
                await reader.readline()
                peer = writer.get_extra_info("peername")
                seen = peer[0] if isinstance(peer, tuple) else "a unix socket"
                head = f"HTTP/1.1 200 OK\r\nX-Client-Address: {seen}\r\nContent-Length: {len(_BODY)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n{_BODY}".encode())
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return
        finally:
            self._answering.discard(writer)
            writer.close()


async def ask_abstract(namespace: Namespace, name: str) -> Answer:
    """GET / over an abstract unix socket, from inside a network namespace: that is what it belongs to (unix(7))."""

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as opened:
            opened.settimeout(_LIMIT_S)
            opened.connect(f"\0{name.removeprefix('@')}")
            opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return opened.recv(4096)

    try:
        data = await namespace.arun(ask)
    except OSError as error:
        return Answer(None, error=f"{name}: {error.strerror or error}")
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    return Answer(200 if " 200 " in head else None, body, connected=True)
