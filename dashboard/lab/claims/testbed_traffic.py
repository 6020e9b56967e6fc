"""Sends datagrams and TCP transfers between network namespaces, and contains a small DNS server."""

import asyncio
import ipaddress
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from dashboard.core.claims.testbed import Datagram, Transfer
from dashboard.netns.namespace import Namespace, in_own_thread

_CONNECT_S = 2.0
_ARRIVAL_S = 1.0
#: A transfer has stalled if nothing arrives for this many seconds.
_STALL_S = 2.0
_PAYLOAD = b"netmodes"
_ANY_ADDRESS = bytes(4)
_A_RECORD, _IN_CLASS, _TTL_S = 1, 1, 1


async def send_datagram(sender: Namespace, receiver: Namespace, address: str, port: int) -> Datagram:
    """Opens a UDP socket in the namespace ``receiver``, and sends it one datagram from the namespace ``sender``.
    Returns whether it arrived and from which address."""
    waiting = await receiver.arun(lambda: _open_receiver(address, port), discard=socket.socket.close)
    with waiting:
        error = await sender.arun(lambda: _send(address, port))
        if error:
            return Datagram(arrived=False)
        return await in_own_thread(lambda: _receive(waiting))


def _open_receiver(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.settimeout(_ARRIVAL_S)
        opened.bind(("", port))
        if ipaddress.ip_address(address).is_multicast:
            for index, name in socket.if_nameindex():
                # Fields of ip_mreqn: the group, any address, the interface. An interface without multicast is skipped.
                membership = socket.inet_aton(address) + _ANY_ADDRESS + struct.pack("@i", index)
                if name != "lo":
                    with suppress(OSError):
                        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except BaseException:
        opened.close()
        raise
    return opened


def _send(address: str, port: int) -> str:
    """Sends one datagram. A multicast datagram leaves through the interface ``eth0`` or ``lan`` if one of them exists.
    Returns the error, empty if the datagram was sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if ipaddress.ip_address(address).is_multicast:
            index = next((index for index, name in socket.if_nameindex() if name in {"eth0", "lan"}), 0)
            interface = _ANY_ADDRESS + _ANY_ADDRESS + struct.pack("@i", index)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        try:
            opened.sendto(_PAYLOAD, (address, port))
        except OSError as error:
            return str(error)
    return ""


def _receive(waiting: socket.socket) -> Datagram:
    end = time.monotonic() + _ARRIVAL_S
    while time.monotonic() < end:
        try:
            data, (source, _port) = waiting.recvfrom(64)
        except TimeoutError:
            break
        if data == _PAYLOAD:
            return Datagram(arrived=True, source=source)
    return Datagram(arrived=False)


async def transfer(sender: Namespace, receiver: Namespace, address: str, port: int, size: int) -> Transfer:
    """Sends ``size`` bytes over TCP from the namespace ``sender`` to the namespace ``receiver``. Ends when all bytes
    have arrived, or when none has arrived for ``_STALL_S`` seconds."""
    listening = await receiver.arun(lambda: _listen(address, port), discard=socket.socket.close)
    with listening, ExitStack() as stack:
        try:
            sending = await sender.arun(
                lambda: socket.create_connection((address, port), timeout=_CONNECT_S), discard=socket.socket.close
            )
            stack.callback(sending.close)
            accepted, _peer = await in_own_thread(listening.accept, discard=lambda pair: pair[0].close())
        except OSError as error:
            return Transfer(size, 0, error=f"no connection: {error.strerror or error}")
        stack.callback(accepted.close)
        accepted.settimeout(_STALL_S)
        writing = asyncio.ensure_future(in_own_thread(lambda: _write(sending, size)))
        received = await in_own_thread(lambda: _read(accepted, size))
        # Wakes the writing thread, which is blocked if its packets do not arrive and its buffer is full.
        with suppress(OSError):
            sending.shutdown(socket.SHUT_RDWR)
        await writing
    return Transfer(size, received)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.settimeout(_CONNECT_S)
        opened.bind(("", port))
        opened.listen(1)
    except BaseException:
        opened.close()
        raise
    return opened


def _write(sending: socket.socket, size: int) -> None:
    with suppress(OSError):
        sending.settimeout(_STALL_S * 2)
        sending.sendall(b"x" * size)


def _read(accepted: socket.socket, size: int) -> int:
    received = 0
    with suppress(OSError):
        while received < size and (data := accepted.recv(65_536)):
            received += len(data)
    return received


class NameServer(asyncio.DatagramProtocol):
    """A DNS server that answers A queries for a few names (RFC 1035) and reports all other names as nonexistent."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {name.casefold(): socket.inet_aton(address) for name, address in names.items()}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport, through which responses are sent."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers one query."""
        if self._transport is not None and (response := self.answer(data)):
            self._transport.sendto(response, addr)

    def answer(self, query: bytes) -> bytes:
        """Returns the response to a query; empty if the query is malformed."""
        labels, position = [], 12
        try:
            while length := query[position]:
                labels.append(query[position + 1 : position + 1 + length].decode("ascii", "replace"))
                position += 1 + length
            kind = int.from_bytes(query[position + 1 : position + 3], "big")
        except IndexError:
            return b""
        name, question = ".".join(labels).casefold(), query[12 : position + 5]
        address = self._names.get(name)
        found = address is not None and kind == _A_RECORD
        flags = 0x8180 if name in self._names else 0x8183
        header = query[:2] + struct.pack("!HHHHH", flags, 1, int(found), 0, 0)
        if address is None or not found:
            return header + question
        return header + question + struct.pack("!HHHIH", 0xC00C, _A_RECORD, _IN_CLASS, _TTL_S, 4) + address
