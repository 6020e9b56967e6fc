"""A request from inside a namespace, and the client address that the server saw."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from dashboard.netns import request as request_module
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import Reply, _Exchange
from tests.netns.namespaces import Netns
from tests.support.polling import DEADLINE_S, eventually, others_run
from tests.support.private_engine import PrivateEngine

#: With a timeout that no stall of the machine exceeds.
request = partial(request_module.request, timeout_s=DEADLINE_S)

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nServer: fake\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def _listening(
    namespace: Namespace, answer: Answer, address: str = "127.0.0.1", port: int = 80
) -> AsyncIterator[None]:
    """An HTTP server inside a namespace. ``answer`` gets the connection and reads the request itself."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    both = address == "::"
    opened = namespace.run(lambda: socket.create_server((address, port), family=family, dualstack_ipv6=both))
    server = await asyncio.start_server(serve, sock=opened)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def _says(*pieces: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await others_run()

    return answer


def _keeps_open(response: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await reader.read()

    return answer


async def _ask(namespace: Namespace, answer: Answer, **options: object) -> Reply:
    async with _listening(namespace, answer):
        return await request(namespace, "127.0.0.1", 80, server=namespace, **options)  # type: ignore[arg-type]


async def test_a_response_is_returned(namespace: Namespace) -> None:
    began = time.perf_counter()
    reply = await _ask(namespace, _says(OK))
    assert (reply.status, reply.reason, reply.body_start, reply.error) == (200, "OK", "hello", None)
    assert reply.headers == (("server", "fake"), ("content-length", "5"))
    assert reply.time_us is not None
    assert 0 < reply.time_us < (time.perf_counter() - began) * 1e6


async def test_without_a_proxy_the_server_sees_the_client_itself(namespace: Namespace) -> None:
    reply = await _ask(namespace, _says(OK))
    assert reply.client is not None
    assert reply.client.startswith("127.0.0.1:")
    assert reply.client_seen == reply.client


async def test_ipv6_is_shown_in_brackets(namespace: Namespace) -> None:
    async with _listening(namespace, _says(OK), "::1", 8080):
        reply = await request(namespace, "::1", 8080, server=namespace)
    assert reply.status == 200
    assert reply.client is not None
    assert reply.client.startswith("[::1]:")
    assert reply.client_seen == reply.client


async def test_a_server_on_both_families_sees_ipv4_as_ipv4(namespace: Namespace) -> None:
    async with _listening(namespace, _says(OK), "::"):
        reply = await request(namespace, "127.0.0.1", 80, server=namespace)
    assert reply.status == 200
    assert reply.client_seen == reply.client


async def test_behind_a_proxy_the_server_sees_the_proxy(
    netns: Netns, namespace: Namespace, make_netns: Callable[[], Netns], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_module, "_WATCH_S", 60.0)  # the proxy runs in this loop, and may connect late
    inner = make_netns()
    netns.batch(
        f"link add cable type veth peer name eth0 netns {inner.pid}",
        "addr add 10.0.0.1/24 dev cable",
        "link set cable up",
    )
    inner.batch("addr add 10.0.0.2/24 dev eth0", "link set eth0 up", "link set lo up")
    with Namespace.of_pid(inner.pid) as inside:
        loop = asyncio.get_running_loop()

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            out = namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            out.setblocking(False)
            await loop.sock_connect(out, ("10.0.0.2", 8080))
            with out:
                await loop.sock_sendall(out, await reader.readuntil(b"\r\n\r\n"))
                while data := await loop.sock_recv(out, 4096):
                    writer.write(data)

        async with _listening(inside, _says(OK), "10.0.0.2", 8080), _listening(namespace, forward):
            reply = await request(namespace, "127.0.0.1", 80, server=inside)
    assert reply.status == 200
    assert reply.client is not None
    assert reply.client.startswith("127.0.0.1:")
    assert reply.client_seen is not None
    assert reply.client_seen.startswith("10.0.0.1:")


async def test_a_large_answer_is_cut(namespace: Namespace) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 500) for n in range(40)) + b"\r\n"
    reply = await _ask(namespace, _says(head, "é".encode() * 1_000_000))
    assert reply.status == 200
    assert reply.body_start == "é" * 400
    assert len(reply.headers) == 12
    assert max(len(value) for _, value in reply.headers) == 200


async def test_a_chunked_response_is_joined(namespace: Namespace) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = await _ask(namespace, _says(head, b"5\r\nhello\r\n", b"6;x=y\r\n world\r\n", b"0\r\n\r\n"))
    assert reply.body_start == "hello world"


@pytest.mark.parametrize(
    ("pieces", "status", "error"),
    [
        ((), None, "127.0.0.1:80 accepted the connection and closed it without an answer."),
        ((b"SSH-2.0-OpenSSH\r\n",), None, "127.0.0.1:80 answered, but not with HTTP."),
        ((b"HTTP/1.1 99 No\r\n\r\n",), None, "127.0.0.1:80 answered, but not with HTTP."),
        ((b"HTTP/1.1 404\r\n\r\n",), 404, None),
        ((b"HTTP/1.0 500 \xff\xfe\n\nwhy",), 500, None),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",), 200, None),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nshort",), 200, None),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",), 200, None),
        ((b"H",), None, "127.0.0.1:80 answered, but not with HTTP."),
    ],
)
async def test_odd_responses_are_returned_unchanged(
    namespace: Namespace, pieces: tuple[bytes, ...], status: int | None, error: str | None
) -> None:
    reply = await _ask(namespace, _says(*pieces))
    assert (reply.status, reply.error) == (status, error)


async def test_a_port_without_a_listener_refuses(namespace: Namespace) -> None:
    reply = await request(namespace, "127.0.0.1", 80, server=namespace)
    assert reply.error == "127.0.0.1:80 refused the connection: nothing listens there."


async def test_a_missing_route_is_reported(namespace: Namespace) -> None:
    reply = await request(namespace, "192.0.2.1", 80)
    assert reply.error == "No route to 192.0.2.1 from here: the network is unreachable."


async def test_a_server_that_never_answers_ends_in_time(namespace: Namespace) -> None:
    reply = await _ask(namespace, _keeps_open(b""), timeout_s=0.3)
    assert reply.error == "No answer from 127.0.0.1:80 within 0.3 s."


async def test_the_server_closes_the_connection_first(namespace: Namespace) -> None:
    ended_by_client: list[bytes] = []

    async def close_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                ended_by_client.append(await reader.read())

    reply = await _ask(namespace, close_later)
    assert (reply.status, reply.body_start, ended_by_client) == (200, "hello", [])


async def test_a_server_that_never_closes_is_not_waited_for(namespace: Namespace) -> None:
    reply = await _ask(namespace, _keeps_open(OK))
    assert (reply.status, reply.body_start, reply.error) == (200, "hello", None)


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", ""),
    ],
)
async def test_a_response_without_an_end_is_shown_as_far_as_it_arrived(
    namespace: Namespace, response: bytes, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_body = _Exchange._read_body

    async def read_until_the_limit(exchange: _Exchange) -> None:
        """The response has arrived as far as it will: the time for the request ends."""
        assert exchange._limit is not None
        exchange._limit.reschedule(asyncio.get_running_loop().time() + 0.05)
        await read_body(exchange)

    monkeypatch.setattr(_Exchange, "_read_body", read_until_the_limit)
    reply = await _ask(namespace, _keeps_open(response), timeout_s=60)
    assert (reply.status, reply.body_start, reply.error) == (200, body, None)


async def test_a_reset_is_reported(namespace: Namespace) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    reply = await _ask(namespace, reset)
    assert reply.error == "The connection to 127.0.0.1:80 was reset."


@pytest.mark.parametrize(
    ("host", "path", "line", "header"),
    [
        ("", "/", b"GET / HTTP/1.1", b"Host: 127.0.0.1"),
        ("lab.example", "a b", b"GET /a%20b HTTP/1.1", b"Host: lab.example"),
        ("x\r\nEvil: 1", "/\r\nEvil: 1", b"GET /%0D%0AEvil:%201 HTTP/1.1", b"Host: xEvil:1"),
        ("lab", "/?q=1&r=%20é", b"GET /?q=1&r=%20%C3%A9 HTTP/1.1", b"Host: lab"),
    ],
)
async def test_host_and_path_stay_one_line_each(
    namespace: Namespace, host: str, path: str, line: bytes, header: bytes
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n"))
        writer.write(OK)

    await _ask(namespace, listen, host=host, path=path)
    assert heard[:2] == [line, header]
    assert len(heard) == 7


async def test_a_closed_namespace_is_reported(namespace: Namespace) -> None:
    namespace.close()
    assert (await request(namespace, "127.0.0.1", 80)).error == "The namespace is gone."


@pytest.mark.engine
async def test_docker_s_paths_show_the_client_that_nginx_saw(
    engine_host: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_module, "_WATCH_S", 60.0)  # docker-proxy may connect late
    identity = engine_host.docker("run", "-d", "-p", "8093:80", "nginx")
    try:
        pid = engine_host.container_pid(identity)
        inner = engine_host.inspect(identity, "{{.NetworkSettings.Networks.bridge.IPAddress}}")
        gateway = engine_host.inspect(identity, "{{.NetworkSettings.Networks.bridge.Gateway}}")
        with Namespace.of_pid(engine_host.pid) as machine, Namespace.of_pid(pid) as inside:
            paths = {"direct": (inner, 80), "proxy": ("127.0.0.1", 8093), "dnat": (gateway, 8093)}

            async def serves() -> bool:
                return (await request(machine, inner, 80)).status == 200

            await eventually(serves)
            replies = {
                path: await request(machine, address, port, server=inside) for path, (address, port) in paths.items()
            }
        for reply in replies.values():
            told = dict(reply.headers)["x-client-address"]
            assert reply.client_seen is not None
            assert reply.client_seen.rpartition(":")[0] == told
        assert replies["direct"].client_seen == replies["direct"].client
        assert replies["dnat"].client_seen == replies["dnat"].client
        proxy = replies["proxy"]
        assert proxy.client is not None
        assert proxy.client.startswith("127.0.0.1:")
        assert proxy.client_seen is not None
        assert proxy.client_seen.startswith(f"{gateway}:")
    finally:
        engine_host.docker("rm", "-f", identity)


async def test_an_observation_that_takes_long_is_no_timeout(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    timeout_s = 60.0
    read_clock = loop.time

    async def observe(_client: str) -> None:
        monkeypatch.setattr(loop, "time", lambda: read_clock() + 2 * timeout_s)
        for _ in range(10):  # timers that are due are handled
            await others_run()

    monkeypatch.setattr(request_module, "OBSERVE_S", 10 * timeout_s)
    async with _listening(namespace, _says(OK)):
        reply = await request(namespace, "127.0.0.1", 80, timeout_s=timeout_s, on_connected=observe)
    assert (reply.status, reply.error) == (200, None)


async def test_an_observation_that_hangs_ends(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "OBSERVE_S", 0.05)

    async def observe(_client: str) -> None:
        await asyncio.Event().wait()

    async with _listening(namespace, _says(OK)):
        reply = await request(namespace, "127.0.0.1", 80, timeout_s=60, on_connected=observe)
    assert "its sockets were not read within 0.05 s" in str(reply.error)
