"""Sends one HTTP request from inside a namespace, and finds the client address that the server saw."""

import asyncio
import errno
import re
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.listeners import open_diag_socket
from dashboard.netns.peer_lookup import ServerEnd

#: How long ``on_connected`` may take: with an engine that hangs it may wait for a thread.
OBSERVE_S = 10.0
_BODY_CHARACTERS = 400
_MAX_BYTES = 64 * 1024
_MAX_HEADERS = 12
_WATCH_S = 0.15  # docker-proxy connects to the container only after accepting the client
_WATCH_STEP_S = 0.002
#: How long to wait for the server to close the connection, as requested.
_CLOSE_S = 0.2
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")


@dataclass(frozen=True, slots=True)
class Reply:
    """The response. If it is not an HTTP response, ``status`` is None and ``error`` is a sentence.

    ``time_us`` is the time from the connect to the end of the response head. It excludes the time in ``on_connected``
    and in the search for ``client_seen``. ``client`` is the client's end of the connection (``address:port``).
    ``client_seen`` is this end as the server sees it. It differs from ``client`` if NAT or a proxy is in between, and
    is None if it was not found.
    """

    status: int | None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body_start: str = ""
    time_us: int | None = None
    error: str | None = None
    client: str | None = None
    client_seen: str | None = None


async def request(
    client: Namespace,
    address: str,
    port: int,
    *,
    server: Namespace | None = None,
    server_port: int | None = None,
    host: str = "",
    path: str = "/",
    timeout_s: float = 3.0,
    on_connected: Callable[[str], Awaitable[None]] | None = None,
) -> Reply:
    """Sends ``GET path`` from the namespace ``client`` and returns the response. Never raises a network error.

    ``server`` is the namespace in which the server listens. Without it, ``client_seen`` is not searched for
    (sock_diag). ``server_port`` is the server's port in that namespace, None if unknown. ``host`` is the Host header
    (default: the address). ``on_connected`` is called with the client's end (``address:port``) while the connection is
    open and before the request is sent. Reads at most 64 KiB.
    """
    watcher: socket.socket | None = None
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = await client.arun(lambda: _open(family), discard=socket.socket.close)
        with opened:
            end: ServerEnd | None = None
            if server is not None:
                watcher = await server.arun(open_diag_socket, discard=socket.socket.close)
                end = ServerEnd(watcher, server_port)
            exchange = _Exchange(opened, end, _pack(host or address, port, path), on_connected)
            return await exchange.run(address, port, timeout_s)
    except NamespaceGone:
        return Reply(None, error="The namespace is gone.")
    except OSError as error:
        return Reply(None, error=_describe_error(error, address, port, timeout_s))
    finally:
        if watcher is not None:
            watcher.close()


def _open(family: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    opened.setblocking(False)
    return opened


def _pack(host: str, port: int, path: str) -> bytes:
    """Returns the request as bytes. ``host`` and ``path`` cannot add lines to it."""
    target = quote(path if path.startswith("/") else f"/{path}", safe="/?&=%:@!$'()*+,;~-._")[:2000]
    name = re.sub(r"[^A-Za-z0-9.:\[\]_%-]", "", host)[:255]
    if ":" in name and not name.startswith("[") and name.count(":") > 1:
        name = f"[{name}]"
    if port != 80 and not re.search(r"[^:]:\d+$|\]:\d+$", name):
        name = f"{name}:{port}"
    lines = (f"GET {target} HTTP/1.1", f"Host: {name}", "User-Agent: netmodes", "Accept: */*", "Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")


class _Exchange:
    """One connection and its request: connects, finds the client address that the server sees, sends the request and
    reads the response. ``wanted`` are the bytes of the request."""

    def __init__(
        self,
        opened: socket.socket,
        server_end: ServerEnd | None,
        wanted: bytes,
        on_connected: Callable[[str], Awaitable[None]] | None,
    ) -> None:
        self._opened = opened
        self._server_end = server_end
        self._wanted = wanted
        self._on_connected = on_connected
        self._loop = asyncio.get_running_loop()
        self._client: str | None = None
        self._seen: str | None = None
        self._response = b""
        self._spent_s = 0.0
        self._limit: asyncio.Timeout | None = None

    async def run(self, address: str, port: int, timeout_s: float) -> Reply:
        error: str | None = None
        try:
            async with asyncio.timeout(timeout_s) as limit:
                self._limit = limit
                started = time.perf_counter()
                await self._loop.sock_connect(self._opened, (address, port))
                self._spent_s = time.perf_counter() - started
                name = self._opened.getsockname()
                self._client = format_endpoint(name[0], name[1])
                self._response = await self._ask(name[1])
                await self._read_body()
            await self._await_close()
        except TimeoutError:
            error = f"No answer from {format_endpoint(address, port)} within {timeout_s:g} s."
        except OSError as failure:
            error = _describe_error(failure, address, port, timeout_s)
        return self._reply(self._response, error, format_endpoint(address, port))

    async def _ask(self, own_port: int) -> bytes:
        """Sends the request and returns the response up to the end of its head. Before that, waits at most _WATCH_S
        until the server's end of the connection is found, and calls ``on_connected``. ``own_port`` is the client's
        port."""
        search = asyncio.ensure_future(self._await_peer(own_port))
        try:
            await asyncio.wait({search}, timeout=_WATCH_S)
            await self._observe()
            started = time.perf_counter()
            await self._loop.sock_sendall(self._opened, self._wanted)
            data = await self._read_head(started)
            self._find_peer(own_port)
        finally:
            search.cancel()
        return data

    async def _observe(self) -> None:
        """Calls ``on_connected``. The duration of the call does not count towards the timeout. Raises OSError if the
        call takes longer than OBSERVE_S."""
        limit = self._limit
        if self._on_connected is None or self._client is None or limit is None:
            return
        began, deadline = self._loop.time(), limit.when()
        limit.reschedule(None)
        try:
            async with asyncio.timeout(OBSERVE_S):
                await self._on_connected(self._client)
        except TimeoutError:
            raise OSError(f"its sockets were not read within {OBSERVE_S:g} s") from None
        limit.reschedule(None if deadline is None else deadline + self._loop.time() - began)

    def _reply(self, data: bytes, error: str | None, where: str) -> Reply:
        match = _STATUS.match(data)
        if match is None:
            if error is None:
                error = (
                    f"{where} answered, but not with HTTP."
                    if data
                    else f"{where} accepted the connection and closed it without an answer."
                )
            text = data[:_BODY_CHARACTERS].decode("utf-8", "replace")
            return Reply(None, "", (), text, None, error, self._client, self._seen)
        head, _, body = _split_head(data)
        headers = tuple(_headers(head))
        if any(name == "transfer-encoding" and "chunked" in value.lower() for name, value in headers):
            body = _unchunk(body)
        return Reply(
            status=int(match.group(1)),
            reason=(match.group(2) or b"").decode("latin-1")[:100],
            headers=headers[:_MAX_HEADERS],
            body_start=body[: 4 * _BODY_CHARACTERS].decode("utf-8", "replace")[:_BODY_CHARACTERS],
            time_us=int(self._spent_s * 1e6),
            client=self._client,
            client_seen=self._seen,
        )

    async def _read_head(self, started: float) -> bytes:
        data = b""
        while len(data) < _MAX_BYTES:
            part = await self._loop.sock_recv(self._opened, 16384)
            data += part
            if not part or _split_head(data)[1]:
                break
        self._spent_s += time.perf_counter() - started
        return data

    async def _read_body(self) -> None:
        """Reads the response until it contains the part of the body that is shown. What arrived before an error is
        kept."""
        head, separator, body = _split_head(self._response)
        length = next((int(v) for n, v in _headers(head) if n == "content-length" and v.isdecimal()), None)
        missing = (8 * _BODY_CHARACTERS if length is None else min(length, 8 * _BODY_CHARACTERS)) - len(body)
        while separator and missing > 0 and (part := await self._loop.sock_recv(self._opened, 16384)):
            self._response += part
            missing -= len(part)

    async def _await_close(self) -> None:
        """Waits at most _CLOSE_S until the server has closed the connection. The end that closes first stays in
        TIME-WAIT, and a workshop looks for it at the server's end. Discards data that still arrives, up to a limit."""
        read = 0
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                while read < _MAX_BYTES and (part := await self._loop.sock_recv(self._opened, 16384)):
                    read += len(part)

    async def _await_peer(self, own_port: int) -> None:
        step_s = _WATCH_STEP_S
        while not self._find_peer(own_port):
            await asyncio.sleep(step_s)
            step_s = min(1.5 * step_s, _WATCH_S)

    def _find_peer(self, own_port: int) -> bool:
        """Searches once for the server's end of the connection. Returns True if this or an earlier search has found it,
        or if no search is needed."""
        if self._server_end is not None and self._seen is None and self._client is not None:
            self._seen = self._server_end.find(self._client, own_port)
        return self._server_end is None or self._seen is not None


def _split_head(data: bytes) -> tuple[bytes, bytes, bytes]:
    for separator in (b"\r\n\r\n", b"\n\n"):
        head, found, body = data.partition(separator)
        if found:
            return head, found, body
    return data, b"", b""


def _headers(head: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in head.split(b"\n")[1:200]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found.append((name.strip().lower()[:100], value.strip()[:200]))
    return found


def _unchunk(data: bytes) -> bytes:
    """Returns the decoded content of a chunked body; ``data`` is the part of the body that was read."""
    body = b""
    while data and len(body) < 8 * _BODY_CHARACTERS:
        size, found, data = data.partition(b"\r\n")
        digits = size.split(b";", 1)[0].strip()
        if not found or not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits) or not (count := int(digits, 16)):
            break
        body += data[:count]
        data = data[count + 2 :]
    return body


def _describe_error(error: OSError, address: str, port: int, timeout_s: float) -> str:
    where = format_endpoint(address, port)
    known = {
        errno.ECONNREFUSED: f"{where} refused the connection: nothing listens there.",
        errno.ECONNRESET: f"The connection to {where} was reset.",
        errno.EPIPE: f"The connection to {where} was reset.",
        errno.ETIMEDOUT: f"No answer from {where} within {timeout_s:g} s.",
        errno.ENETUNREACH: f"No route to {address} from here: the network is unreachable.",
        errno.EHOSTUNREACH: f"{address} cannot be reached: no route to the host.",
        errno.EADDRNOTAVAIL: f"{address} cannot be reached from here: there is no address to send from.",
        errno.EAFNOSUPPORT: f"{address} cannot be reached from here: the kernel lacks its address family.",
    }
    return known.get(error.errno or 0, f"The connection to {where} failed: {error.strerror or error}.")
