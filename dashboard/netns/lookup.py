"""Looks names up as a program in a namespace would: first in the hosts file, then with the name servers."""

import asyncio
import socket
import struct
import time
from collections.abc import Iterable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from dashboard.core.namespaces.resolver import NO_RESOLVER, lookup_plan
from dashboard.core.namespaces.state import HostsEntry, Lookup, Origin, Resolver
from dashboard.netns.namespace import Namespace, NamespaceGone

HOSTS_FILE = "hosts file"

_PORT = 53
_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_DATAGRAM_BYTES = 4096
_MAX_DATAGRAMS = 16  # limit for discarding answers to other queries
_MAX_ANSWERS = 32
#: The outcomes in getaddrinfo(3)'s order of preference: the first is reported if several names of the search list were
#: tried.
_RANK = ("answer", "no address", "refused", "servfail", "no such name", "no answer")


async def lookup(
    namespace: Namespace,
    name: str,
    resolver: Resolver,
    hosts: Sequence[HostsEntry],
    timeout_s: float = 1.0,
) -> Lookup:
    """Looks ``name`` up with this resolver configuration and hosts file, from sockets created inside ``namespace``.
    Never raises a network error: the result then has the outcome ``no answer``.

    ``timeout_s`` applies to the whole lookup. ``time_us`` of the result is the time from the first query until the
    result was known. A and AAAA are queried concurrently over UDP; if an answer was truncated, its query is repeated
    over TCP. If the resolver configuration cannot be read, nothing is queried.
    """
    plan = lookup_plan(name, hosts, resolver)
    if plan.answers:
        return Lookup(name, "answer", plan.answers, HOSTS_FILE if plan.from_hosts else None)
    if resolver.origin is Origin.UNREADABLE:
        return Lookup(name, NO_RESOLVER)
    best = Lookup(name, "no such name")
    if not plan.candidates:
        return best
    best = Lookup(name, "no answer")
    deadline = time.monotonic() + timeout_s
    servers = list(plan.servers)
    started: float | None = None
    for candidate in plan.candidates:
        alive = tuple(servers)
        for position, server in enumerate(alive):
            left = (deadline - time.monotonic()) / (len(alive) - position)
            if left <= 0:
                continue
            asked = time.monotonic()
            outcome, answers, sent = await _ask(namespace, candidate, server, left)
            started = asked if started is None and sent else started
            spent = None if started is None else int((time.monotonic() - started) * 1e6)
            found = Lookup(name, outcome, answers, server if sent or outcome != "no answer" else None, spent)
            best = min(best, found, key=_rank) if best.time_us is not None else found
            if outcome in {"answer", "no such name", "no address"}:
                break  # this server answered; others are queried only after a failure
            if outcome == "no answer":
                servers.remove(server)
        if best.outcome == "answer" or not servers:
            break
    return best


def _rank(found: Lookup) -> int:
    return _RANK.index(found.outcome) if found.outcome in _RANK else _RANK.index("servfail")


async def _ask(namespace: Namespace, name: str, server: str, timeout_s: float) -> tuple[str, tuple[str, ...], bool]:
    """Queries one server for the A and AAAA records of ``name``. Returns the outcome as a text, the addresses, and
    whether any query was sent."""
    try:
        questions = [dns.message.make_query(name, kind) for kind in _TYPES]
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return "no such name", (), False  # not a valid DNS name
    sent = False
    answers: dict[int, dns.message.Message] = {}
    try:
        async with asyncio.timeout(timeout_s):
            opened, address = await namespace.arun(lambda: _open(server, socket.SOCK_DGRAM), discard=_close)
            with opened:
                loop = asyncio.get_running_loop()
                await loop.sock_connect(opened, address)
                for question in questions:
                    await loop.sock_sendall(opened, question.to_wire())
                    sent = True
                await _collect(opened, questions, answers)
            for question in questions:
                if answers[question.id].flags & dns.flags.TC:
                    answers[question.id] = await _ask_by_tcp(namespace, question, server)
    except (TimeoutError, OSError, NamespaceGone):
        pass
    return (*_decide(answers.values()), sent)


async def _collect(
    opened: socket.socket, questions: Sequence[dns.message.Message], answers: dict[int, dns.message.Message]
) -> None:
    """Receives answers until each question has one, and stores them in ``answers`` by the question's id. Raises
    TimeoutError after too many datagrams that are not answers to these questions."""
    loop = asyncio.get_running_loop()
    for _ in range(_MAX_DATAGRAMS):
        wire = await loop.sock_recv(opened, _DATAGRAM_BYTES)
        if (answer := _parse(wire)) is None:
            continue
        for question in questions:
            if question.is_response(answer):
                answers[question.id] = answer
        if len(answers) == len(questions):
            return
    raise TimeoutError


def _parse(wire: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError):
        return None


async def _ask_by_tcp(namespace: Namespace, question: dns.message.Message, server: str) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    opened, address = await namespace.arun(lambda: _open(server, socket.SOCK_STREAM), discard=_close)
    with opened:
        await loop.sock_connect(opened, address)
        await loop.sock_sendall(opened, question.to_wire(prepend_length=True))
        (length,) = struct.unpack("!H", await _receive_exactly(opened, 2))
        answer = _parse(await _receive_exactly(opened, length))
    if answer is None or not question.is_response(answer):
        raise ConnectionResetError
    return answer


async def _receive_exactly(opened: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        part = await loop.sock_recv(opened, count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def _open(server: str, kind: int) -> tuple[socket.socket, tuple[str, int] | tuple[str, int, int, int]]:
    """Opens a socket in the namespace of the calling thread. Returns it with the server's address. In an IPv6 address
    with ``%zone``, the zone is an interface of this namespace."""
    host, _, zone = server.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        opened.setblocking(False)
        if family == socket.AF_INET:
            return opened, (host, _PORT)
        index = (int(zone) if zone.isdigit() else socket.if_nametoindex(zone)) if zone else 0
    except BaseException:
        opened.close()
        raise
    return opened, (host, _PORT, 0, index)


def _close(pair: tuple[socket.socket, object]) -> None:
    pair[0].close()


def _decide(answers: Iterable[dns.message.Message]) -> tuple[str, tuple[str, ...]]:
    """Returns the outcome and the addresses in the answers for A and AAAA. If there are addresses, the outcome is
    ``answer``. Otherwise it is the outcome of the first answer (A before AAAA), such as ``no such name``. Without
    answers, it is ``no answer``."""
    addresses: dict[str, None] = {}
    outcomes: list[str] = []
    for answer in sorted(answers, key=_kind):
        code = answer.rcode()
        if code == dns.rcode.NOERROR:
            for rrset in answer.answer:
                if rrset.rdtype in _TYPES:
                    addresses.update(dict.fromkeys(record.to_text() for record in rrset))
            outcomes.append("no address")
        elif code == dns.rcode.NXDOMAIN:
            outcomes.append("no such name")
        else:
            outcomes.append(dns.rcode.to_text(code).lower())
    if addresses:
        return "answer", tuple(sorted(addresses, key=_in_order))[:_MAX_ANSWERS]
    return (outcomes[0], ()) if outcomes else ("no answer", ())


def _in_order(address: str) -> tuple[bool, bytes]:
    """Returns the sort key of an address: IPv4 first, then by number. Servers shuffle their answers, and the order must
    not appear as a difference."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family == socket.AF_INET6, socket.inet_pton(family, address))


def _kind(answer: dns.message.Message) -> int:
    return int(answer.question[0].rdtype) if answer.question else 0
