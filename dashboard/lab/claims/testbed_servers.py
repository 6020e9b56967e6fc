"""Starts small HTTP and DNS servers in the network namespaces of the machine and the LAN, and sends requests to
abstract unix sockets."""

import asyncio
import socket
from collections.abc import Mapping

from dashboard.core.claims.testbed import Response
from dashboard.lab.claims.testbed_traffic import NameServer
from dashboard.netns.namespace import Namespace

_BODY = "a service outside containers\n"
_TIMEOUT_S = 3.0


def _bound(family: socket.AddressFamily, kind: socket.SocketKind, name: str | tuple[str, int]) -> socket.socket:
    """Opens a socket in the calling thread's namespace and binds it. ``name`` is a unix socket's name, or an address
    and a port. A stream socket also listens. Raises OSError."""
    sock = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM and family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(name)
        if kind == socket.SOCK_STREAM:
            sock.listen(16)
    except OSError:
        sock.close()
        raise
    return sock


class MachineServers:
    """The servers that a claim has started. They run until ``close`` is called. Their sockets belong to the namespaces
    in which they were opened."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._name_servers: list[asyncio.BaseTransport] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, namespace: Namespace, address: str, port: int) -> str:
        """Starts an HTTP server at this address and port. An address that starts with ``@`` is an abstract unix socket.
        Returns the kernel's error, empty if the server has started."""
        family = socket.AF_UNIX if address.startswith("@") else socket.AF_INET6 if ":" in address else socket.AF_INET
        name: str | tuple[str, int] = f"\0{address[1:]}" if family == socket.AF_UNIX else (address, port)
        try:
            sock = await namespace.arun(lambda: _bound(family, socket.SOCK_STREAM, name), discard=socket.socket.close)
        except OSError as error:
            return f"{address}:{port}: {error.strerror}" if port else f"{address}: {error.strerror}"
        if sock.family == socket.AF_UNIX:
            self._servers.append(await asyncio.start_unix_server(self._answer, sock=sock))
        else:
            self._servers.append(await asyncio.start_server(self._answer, sock=sock))
        return ""

    async def answer_names(self, namespace: Namespace, address: str, names: Mapping[str, str]) -> str:
        """Starts a DNS server at this address, on port 53. ``names`` maps the host names that it resolves to their
        addresses. Returns the kernel's error, empty if the server has started."""
        try:
            sock = await namespace.arun(
                lambda: _bound(socket.AF_INET, socket.SOCK_DGRAM, (address, 53)), discard=socket.socket.close
            )
        except OSError as error:
            return f"{address}:53: {error.strerror}"
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(lambda: NameServer(names), sock=sock)
        self._name_servers.append(transport)
        return ""

    async def close(self) -> None:
        """Stops all servers and closes open connections."""
        for transport in self._name_servers:
            transport.close()
        self._name_servers.clear()
        for server in self._servers:
            server.close()
        for writer in list(self._writers):
            writer.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one HTTP request, with the client's address in the header ``X-Client-Address``."""
        self._writers.add(writer)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await reader.readline()
                peer = writer.get_extra_info("peername")
                client = peer[0] if isinstance(peer, tuple) else "a unix socket"
                head = f"HTTP/1.1 200 OK\r\nX-Client-Address: {client}\r\nContent-Length: {len(_BODY)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n{_BODY}".encode())
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


async def request_abstract(namespace: Namespace, name: str) -> Response:
    """Sends ``GET /`` to the abstract unix socket ``name`` (unix(7)) from inside ``namespace``, and returns the
    response."""

    def send() -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_TIMEOUT_S)
            sock.connect(f"\0{name.removeprefix('@')}")
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return sock.recv(4096)

    try:
        data = await namespace.arun(send)
    except OSError as error:
        return Response(None, error=f"{name}: {error.strerror or error}")
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    return Response(200 if " 200 " in head else None, body, connected=True)
