"""DNS lookups from inside a namespace, with a test server in it."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from dashboard.core.namespaces.resolver import NO_RESOLVER
from dashboard.core.namespaces.state import HostsEntry, Lookup, Origin, Resolver
from dashboard.netns import lookup as lookup_module
from dashboard.netns.namespace import Namespace
from tests.netns.namespaces import Netns
from tests.support.polling import DEADLINE_S

#: With a timeout that no stall of the machine exceeds.
lookup = partial(lookup_module.lookup, timeout_s=DEADLINE_S)

HOSTS = (HostsEntry("192.0.2.7", ("box",)), HostsEntry("2001:db8::7", ("box",)))
RECORDS = {
    ("web.", "A"): ("10.0.0.1", "10.0.0.2"),
    ("web.", "AAAA"): ("fd00::1",),
    ("four.", "A"): ("10.0.0.4",),
    ("four.", "AAAA"): (),
    ("empty.", "A"): (),
    ("empty.", "AAAA"): (),
    ("web.lab.example.", "A"): ("10.0.0.9",),
    ("web.lab.example.", "AAAA"): (),
    ("large.", "A"): tuple(f"10.1.0.{number}" for number in range(60)),
    ("large.", "AAAA"): (),
}


def _answer(wire: bytes) -> dns.message.Message:
    query = dns.message.from_wire(wire)
    (question,) = query.question
    name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
    answer = dns.message.make_response(query)
    if name in {"refused.", "servfail."}:
        answer.set_rcode(dns.rcode.from_text(name[:-1].upper()))
    elif name == "alias.":
        answer.answer.append(dns.rrset.from_text("alias.", 9, "IN", "CNAME", "web."))
        answer.answer.append(dns.rrset.from_text("web.", 9, "IN", kind, *RECORDS["web.", kind]))
    elif (name, kind) not in RECORDS:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif RECORDS[name, kind]:
        answer.answer.append(dns.rrset.from_text(name, 9, "IN", kind, *RECORDS[name, kind]))
    return answer


class Server:
    """A nameserver on one address of a namespace. ``mangle`` may change its responses."""

    def __init__(self, namespace: Namespace, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def open_sockets() -> tuple[socket.socket, socket.socket]:
            udp = socket.socket(family, socket.SOCK_DGRAM)
            tcp = socket.socket(family, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for one in (udp, tcp):
                one.bind((address, 53))
                one.setblocking(False)
            tcp.listen()
            return udp, tcp

        self.udp, self.tcp = namespace.run(open_sockets)
        self.asked: list[str] = []
        self.mangle: Callable[[bytes], list[bytes]] = lambda wire: [wire]

    async def serve_udp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wire, sender = await loop.sock_recvfrom(self.udp, 4096)
            answer = _answer(wire)
            self.asked.append(str(answer.question[0].name))
            reply = answer.to_wire()
            if len(reply) > 512:
                answer.answer.clear()
                answer.flags |= dns.flags.TC
                reply = answer.to_wire()
            for one in self.mangle(reply):
                await loop.sock_sendto(self.udp, one, sender)

    async def serve_tcp(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.tcp)
            with connection:
                wire = await loop.sock_recv(connection, 4096)
                reply = _answer(wire[2:]).to_wire()
                await loop.sock_sendall(connection, struct.pack("!H", len(reply)) + reply)


@asynccontextmanager
async def _serving(namespace: Namespace, address: str) -> AsyncIterator[Server]:
    server = Server(namespace, address)
    tasks = [asyncio.ensure_future(server.serve_udp()), asyncio.ensure_future(server.serve_tcp())]
    yield server
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.udp.close()
    server.tcp.close()


@pytest.fixture
async def serve(namespace: Namespace) -> AsyncIterator[Callable[[str], object]]:
    """Starts a server on an address of the namespace."""
    async with AsyncExitStack() as stack:
        yield lambda address: stack.enter_async_context(_serving(namespace, address))


@pytest.fixture
async def server(namespace: Namespace) -> AsyncIterator[Server]:
    async with _serving(namespace, "127.0.0.11") as one:
        yield one


OURS = Resolver(("127.0.0.11",))


async def test_an_address_resolves_to_itself(namespace: Namespace) -> None:
    assert await lookup(namespace, "192.0.2.1", OURS, HOSTS) == Lookup("192.0.2.1", "answer", ("192.0.2.1",))


async def test_the_hosts_file_comes_first(namespace: Namespace, server: Server) -> None:
    found = await lookup(namespace, "box", OURS, HOSTS)
    assert found == Lookup("box", "answer", ("192.0.2.7", "2001:db8::7"), "hosts file")
    assert server.asked == []


@pytest.mark.parametrize(
    ("name", "outcome", "answers"),
    [
        ("web", "answer", ("10.0.0.1", "10.0.0.2", "fd00::1")),
        ("alias", "answer", ("10.0.0.1", "10.0.0.2", "fd00::1")),
        ("four", "answer", ("10.0.0.4",)),
        ("empty", "no address", ()),
        ("nobody", "no such name", ()),
        ("refused", "refused", ()),
        ("servfail", "servfail", ()),
    ],
)
async def test_a_server_s_answer_is_returned(
    namespace: Namespace, server: Server, name: str, outcome: str, answers: tuple[str, ...]
) -> None:
    before = time.monotonic()
    found = await lookup(namespace, name, OURS, HOSTS)
    assert (found.name, found.outcome, found.answers, found.server) == (name, outcome, answers, "127.0.0.11")
    assert found.time_us is not None
    assert 0 < found.time_us <= 1e6 * (time.monotonic() - before)


async def test_a_truncated_answer_is_fetched_over_tcp(namespace: Namespace, server: Server) -> None:
    found = await lookup(namespace, "large", OURS, HOSTS)
    assert found.outcome == "answer"
    assert found.answers[0] == "10.1.0.0"
    assert len(found.answers) == 32


async def test_the_search_list_is_followed(namespace: Namespace, server: Server) -> None:
    found = await lookup(namespace, "web", Resolver(("127.0.0.11",), ("lab.example",)), ())
    assert found.answers == ("10.0.0.9",)
    found = await lookup(namespace, "four", Resolver(("127.0.0.11",), ("lab.example",)), ())
    assert found.answers == ("10.0.0.4",)
    assert "four.lab.example." in server.asked


async def test_the_next_server_is_asked_when_one_fails(
    namespace: Namespace, server: Server, serve: Callable[..., object]
) -> None:
    resolver = Resolver(("127.0.0.99", "127.0.0.11"))  # nobody answers at the first: refused at once
    found = await lookup(namespace, "web", resolver, ())
    assert (found.outcome, found.server) == ("answer", "127.0.0.11")


async def test_a_silent_server_uses_only_its_share_of_the_timeout(
    namespace: Namespace, server: Server, skip_time: Callable[[float], None]
) -> None:
    resolver = Resolver(("127.0.0.98", "127.0.0.11"))
    with namespace.run(lambda: _silent("127.0.0.98")) as silent:
        looking = asyncio.ensure_future(lookup(namespace, "web", resolver, (), timeout_s=2 * DEADLINE_S))
        await asyncio.get_running_loop().sock_recv(silent, 512)
        skip_time(DEADLINE_S)
        found = await looking
    assert (found.outcome, found.server) == ("answer", "127.0.0.11")
    assert found.time_us is not None
    assert found.time_us > 1e6 * DEADLINE_S


async def test_a_silent_server_alone_is_no_answer_and_ends_in_time(
    namespace: Namespace, skip_time: Callable[[float], None]
) -> None:
    loop = asyncio.get_running_loop()
    with namespace.run(lambda: _silent("127.0.0.98")) as silent:
        looking = asyncio.ensure_future(lookup(namespace, "web", Resolver(("127.0.0.98",), ("a", "b", "c")), ()))
        await loop.sock_recv(silent, 512)
        skip_time(DEADLINE_S)
        before = loop.time()
        found = await looking
    assert found.outcome == "no answer"
    assert found.server == "127.0.0.98"
    assert loop.time() - before < DEADLINE_S, "not once more for each name"


def _silent(address: str) -> socket.socket:
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((address, 53))
    silent.setblocking(False)
    return silent


@pytest.fixture
def unrouted(netns: Netns) -> None:
    netns.ip("link", "set", "lo", "down")


@pytest.mark.usefixtures("unrouted")
@pytest.mark.parametrize("server", ["192.0.2.53", "2001:db8::53", "fe80::1%nowhere", "fe80::1%7", "127.0.0.53"])
async def test_without_a_network_nothing_is_sent_and_nothing_raised(namespace: Namespace, server: str) -> None:
    found = await lookup(namespace, "web", Resolver((server,)), (), timeout_s=0.3)
    assert (found.outcome, found.answers) == ("no answer", ())


async def test_a_server_with_a_zone_is_queried(netns: Netns, namespace: Namespace) -> None:
    netns.batch("addr add fe80::53/64 dev lo nodad")
    index = netns.json("link", "show", "lo")[0]["ifindex"]
    found = await lookup(namespace, "web", Resolver(("fe80::53%lo", f"fe80::53%{index}")), ())
    assert found.outcome == "no answer"
    assert found.time_us is not None  # it was sent, and refused by the namespace itself


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, "x." * 200, "\udcff", "a\0b", "-" * 300, "b\u00fccher"])
async def test_strange_names_get_an_outcome(namespace: Namespace, server: Server, name: str) -> None:
    found = await lookup(namespace, name, OURS, ())
    assert found.outcome == "no such name"


async def test_answers_to_other_queries_are_ignored(namespace: Namespace, server: Server) -> None:
    server.mangle = lambda wire: [b"", b"junk", bytes([wire[0] ^ 1, *wire[1:]]), wire[:20], wire]
    found = await lookup(namespace, "four", OURS, ())
    assert found.answers == ("10.0.0.4",)


async def test_a_flood_of_wrong_answers_ends_without_an_answer(namespace: Namespace, server: Server) -> None:
    server.mangle = lambda _wire: [b"junk"] * 40
    found = await lookup(namespace, "four", OURS, ())
    assert found.outcome == "no answer"


async def test_a_closed_namespace_gives_no_answer(namespace: Namespace) -> None:
    namespace.close()
    assert (await lookup(namespace, "web", OURS, ())).outcome == "no answer"


async def test_without_a_readable_resolver_only_the_hosts_file_answers(namespace: Namespace, server: Server) -> None:
    unreadable = Resolver(origin=Origin.UNREADABLE)
    assert await lookup(namespace, "web", unreadable, HOSTS) == Lookup("web", NO_RESOLVER)
    assert (await lookup(namespace, "box", unreadable, HOSTS)).outcome == "answer"
    assert server.asked == []
