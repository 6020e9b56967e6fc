"""Reads listening sockets with sock_diag(7): TCP sockets in LISTEN and UDP sockets without a peer.

The kernel sends no event for a new listener, so four dumps (TCP and UDP, IPv4 and IPv6) are polled. Dumps that are
equal byte by byte are not decoded again."""

import errno
import socket
import struct
from dataclasses import dataclass, field

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.state import Family, Protocol
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import (
    HEADER,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    MalformedMessage,
    drain,
    open_socket,
    pack_message,
    raise_refusal,
    receive,
    split_attributes,
)

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_INET_DIAG_SKV6ONLY = 11
#: include/net/tcp_states.h
_TCP_ESTABLISHED, _TCP_SYN_SENT, _TCP_SYN_RECV, _TCP_TIME_WAIT, _TCP_CLOSE, _TCP_LISTEN = 1, 2, 3, 6, 7, 10
_SEQUENCE = 1

_REQUEST = struct.Struct("=BBBxI2s2s16s16sIII")  # struct inet_diag_req_v2
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # struct inet_diag_msg
_NUMBERS = {Family.INET: socket.AF_INET, Family.INET6: socket.AF_INET6}
_PROTOCOLS = {Protocol.TCP: socket.IPPROTO_TCP, Protocol.UDP: socket.IPPROTO_UDP}
_STATES = {Protocol.TCP: _TCP_LISTEN, Protocol.UDP: _TCP_CLOSE}
_NO_COOKIE = 0xFFFFFFFF
#: TCP_TIMEWAIT_LEN (tcp.h): how long the kernel keeps a connection that this end closed.
REMEMBERED_MS = 60_000
#: Every state of a connection that was accepted.
_ACCEPTED = (1 << 12) - 2 - sum(1 << one for one in (_TCP_SYN_SENT, _TCP_SYN_RECV, _TCP_CLOSE, _TCP_LISTEN))
_AGREEING_DUMPS = 4
_DONE_BYTES = HEADER.size + 4


def pack_request(protocol: Protocol, family: Family, states: int, source_port: int = 0, peer_port: int = 0) -> bytes:
    """Returns a dump request. ``states`` is a bit mask of TCP states. If a port is not 0, the kernel returns only
    sockets with this port."""
    body = _REQUEST.pack(
        _NUMBERS[family],
        _PROTOCOLS[protocol],
        0,
        states,
        source_port.to_bytes(2, "big"),
        peer_port.to_bytes(2, "big"),
        b"",
        b"",
        0,
        _NO_COOKIE,
        _NO_COOKIE,
    )
    return pack_message(_SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, _SEQUENCE, body)


_SLOTS = tuple(
    (protocol, family, pack_request(protocol, family, 1 << _STATES[protocol]))
    for protocol in Protocol
    for family in Family
)


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """One listening socket. ``interface`` is the index of the device to which it is bound, 0 for none. ``inode`` is 0
    for a socket of the kernel. ``v6only`` is None for IPv4."""

    protocol: Protocol
    family: Family
    address: str
    port: int
    interface: int
    inode: int
    v6only: bool | None


@dataclass(frozen=True, slots=True)
class Connection:
    """One established TCP connection. ``local`` and ``peer`` have the form ``address:port``; IPv4-mapped addresses
    appear as IPv4.

    ``inode`` is the socket's inode, 0 until a program accepts the connection. It is ignored when connections are
    compared."""

    local: str
    local_port: int
    peer: str
    inode: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PastConnection:
    """A TCP connection that is open or has ended. ``ended_ms`` is the time since its end, 0 while it is open."""

    local: str
    local_port: int
    peer: str
    peer_port: int
    ended_ms: int


def open_diag_socket() -> socket.socket:
    """Opens a non-blocking sock_diag socket in the namespace of the calling thread. Call it with ``Namespace.run``."""
    return open_socket(_NETLINK_SOCK_DIAG)


def read_listeners(namespace: Namespace) -> tuple[ListeningSocket, ...]:
    """Returns all listening sockets of the namespace."""
    with namespace.run(open_diag_socket) as opened:
        table = ListenerTable(opened)
        table.poll()
        return table.sockets


def read_connections(opened: socket.socket, source_port: int = 0, peer_port: int = 0) -> tuple[Connection, ...]:
    """Returns the established TCP connections in the namespace of the diag socket ``opened``. A ``source_port`` other
    than 0 selects those with this local port, a ``peer_port`` other than 0 those with this port of the peer."""
    found: list[Connection] = []
    for family in Family:
        wanted = pack_request(Protocol.TCP, family, 1 << _TCP_ESTABLISHED, source_port, peer_port)
        for chunk in _exchange(opened, wanted):
            for start, _ in _answers(chunk):
                _, _, _, _, sport, dport, src, dst, *_, inode = _ANSWER.unpack_from(chunk, start)
                near, far = int.from_bytes(sport, "big"), int.from_bytes(dport, "big")
                local, peer = format_endpoint(_text(family, src), near), format_endpoint(_text(family, dst), far)
                found.append(Connection(local, near, peer, inode))
    return tuple(found)


def read_past_connections(opened: socket.socket, port: int) -> tuple[PastConnection, ...]:
    """Returns the connections with ``port`` at either end that are open, or that this namespace's end closed in the
    last minute (TIME-WAIT). A connection that the peer closed first is in TIME-WAIT only in the peer's namespace."""
    found: list[PastConnection] = []
    for family in Family:
        for ends in ((port, 0), (0, port)):
            for chunk in _exchange(opened, pack_request(Protocol.TCP, family, _ACCEPTED, *ends)):
                found += [_past(family, chunk, start) for start, _ in _answers(chunk)]
    return tuple(dict.fromkeys(found))


def _past(family: Family, chunk: bytes, start: int) -> PastConnection:
    _, state, _, _, sport, dport, src, dst, _, _, expires, *_ = _ANSWER.unpack_from(chunk, start)
    near, far = (_text(family, one).removeprefix("::ffff:") for one in (src, dst))
    ended = max(REMEMBERED_MS - expires, 0) if state == _TCP_TIME_WAIT else 0
    return PastConnection(near, int.from_bytes(sport, "big"), far, int.from_bytes(dport, "big"), ended)


def _text(family: Family, raw: bytes) -> str:
    if family is Family.INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    return socket.inet_ntop(socket.AF_INET6, raw)


def _exchange(opened: socket.socket, wanted: bytes) -> list[bytes]:
    """Sends the request ``wanted`` and returns the datagrams of the answer. The last one is omitted if it only marks
    the end. Raises OSError if the kernel refuses; ENOENT means that it lacks the module for the protocol."""
    chunks: list[bytes] = []
    try:
        opened.send(wanted)
        while True:
            chunk = receive(opened)
            last = _is_last(chunk)
            if not last or len(chunk) > _DONE_BYTES:
                chunks.append(chunk)
            if last:
                return chunks
    except BaseException:
        if opened.fileno() >= 0:
            drain(opened)
        raise


def _is_last(chunk: bytes) -> bool:
    """Returns whether a datagram ends the dump. Raises the OSError that it carries, if any."""
    size = len(chunk)
    if size < _DONE_BYTES:
        raise MalformedMessage(f"{size} bytes")
    if HEADER.unpack_from(chunk)[1] == NLMSG_ERROR:
        raise_refusal(chunk[HEADER.size :])
        return False
    length, kind, _, sequence, _ = HEADER.unpack_from(chunk, size - _DONE_BYTES)
    if length != _DONE_BYTES or kind != NLMSG_DONE or sequence != _SEQUENCE:
        return False
    raise_refusal(chunk[size - 4 :])
    return True


def _answers(chunk: bytes) -> list[tuple[int, int]]:
    """Returns the start and end of each socket's data in a datagram."""
    found: list[tuple[int, int]] = []
    offset, end = 0, len(chunk)
    while offset < end:
        if end - offset < HEADER.size:
            raise MalformedMessage(f"{end - offset} bytes are too short for a header")
        length, kind, _, _, _ = HEADER.unpack_from(chunk, offset)
        if length < HEADER.size or offset + length > end:
            raise MalformedMessage(f"length {length} of {end - offset} bytes")
        if kind == _SOCK_DIAG_BY_FAMILY:
            if length < HEADER.size + _ANSWER.size:
                raise MalformedMessage("a socket without its fixed part")
            found.append((offset + HEADER.size, offset + length))
        offset += (length + 3) & ~3
    return found


def decode_socket(protocol: Protocol, family: Family, body: bytes) -> ListeningSocket:
    """Decodes one socket from the body of an answer (struct inet_diag_msg and its attributes)."""
    if len(body) < _ANSWER.size:
        raise MalformedMessage("a socket without its fixed part")
    _, _, _, _, sport, _, src, _, interface, _, _, _, _, _, inode = _ANSWER.unpack_from(body)
    v6only: bool | None = None
    if family is Family.INET6:
        v6only = split_attributes(body, _ANSWER.size).get(_INET_DIAG_SKV6ONLY, b"\0") != b"\0"
    return ListeningSocket(protocol, family, _text(family, src), int.from_bytes(sport, "big"), interface, inode, v6only)


class ListenerTable:
    """The listening sockets of one namespace as of the last ``poll``.

    ``unreadable`` holds the protocols that this kernel cannot list, such as ``udp`` without its diag module."""

    def __init__(self, opened: socket.socket) -> None:
        """``opened`` is the result of ``open_diag_socket``; the caller closes it."""
        self._opened = opened
        self._chunks: list[list[bytes]] = [[] for _ in _SLOTS]
        self._decoded: list[dict[bytes, ListeningSocket]] = [{} for _ in _SLOTS]
        self.unreadable: frozenset[Protocol] = frozenset()
        self.sockets: tuple[ListeningSocket, ...] = ()

    def poll(self) -> bool:
        """Reads the sockets from the kernel (about 0.1 ms). Returns whether ``sockets`` changed."""
        changed = False
        for slot, (protocol, family, wanted) in enumerate(_SLOTS):
            if protocol in self.unreadable:
                continue
            try:
                chunks = _exchange(self._opened, wanted)
                if chunks != self._chunks[slot]:
                    changed = self._take(slot, protocol, family, chunks) or changed
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                self.unreadable |= {protocol}
        if changed:
            everything = (one for decoded in self._decoded for one in decoded.values())
            self.sockets = tuple(dict.fromkeys(everything))
        return changed

    def _take(self, slot: int, protocol: Protocol, family: Family, chunks: list[bytes]) -> bool:
        """Decodes and stores the sockets of a changed dump. ``slot`` is the position of the dump in _SLOTS. Returns
        whether any socket was added or removed.

        A dump of several datagrams is not atomic: if sockets are opened or closed between two datagrams, the kernel may
        skip or repeat other sockets. So the dump is repeated until two dumps agree."""
        before = self._decoded[slot]
        decoded = self._decode(protocol, family, chunks, before)
        for _ in range(_AGREEING_DUMPS if len(chunks) > 1 or len(self._chunks[slot]) > 1 else 0):
            if decoded.keys() == before.keys():
                break
            chunks = _exchange(self._opened, _SLOTS[slot][2])
            again = self._decode(protocol, family, chunks, decoded)
            agreed, decoded = again.keys() == decoded.keys(), again
            if agreed:
                break
        self._chunks[slot] = chunks
        self._decoded[slot] = decoded
        return decoded.keys() != before.keys()

    @staticmethod
    def _decode(
        protocol: Protocol, family: Family, chunks: list[bytes], known: dict[bytes, ListeningSocket]
    ) -> dict[bytes, ListeningSocket]:
        """Returns the decoded sockets by the bytes that identify them: port, address, device, inode and attributes. The
        other bytes (queues, timers) change constantly. Reuses the values in ``known``."""
        decoded: dict[bytes, ListeningSocket] = {}
        for chunk in chunks:
            for start, end in _answers(chunk):
                key = b"".join(
                    (
                        chunk[start + 4 : start + 6],
                        chunk[start + 8 : start + 24],
                        chunk[start + 40 : start + 44],
                        chunk[start + 68 : end],
                    )
                )
                decoded[key] = known.get(key) or decode_socket(protocol, family, chunk[start:end])
        return decoded
