"""Encodes and decodes netlink messages and attributes, and sends dump requests and acknowledged requests
(netlink(7))."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_INT = struct.Struct("=i")

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_SOL_NETLINK = 270
_NETLINK_GET_STRICT_CHK = 12
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 65536  # the kernel fills at most 32 KiB of a dump into one datagram
_DUMP_ATTEMPTS = 20


class MalformedMessage(Exception):  # noqa: N818 - names the state, not a fault
    """The received bytes are not a complete, well-formed message. Earlier messages of the same datagram may have been
    handled already."""


class Message(NamedTuple):
    """One netlink message. ``body`` is what follows the header."""

    type: int
    flags: int
    sequence: int
    body: bytes


def split_messages(data: bytes) -> Iterator[Message]:
    """Yields the messages of one datagram. Raises MalformedMessage if a length exceeds the datagram."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < HEADER.size:
            raise MalformedMessage(f"{end - offset} bytes are too short for a header")
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size or offset + length > end:
            raise MalformedMessage(f"length {length} of {end - offset} bytes")
        yield Message(kind, flags, sequence, data[offset + HEADER.size : offset + length])
        offset += (length + 3) & ~3


def split_attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Returns the attributes in ``data`` by their type; the first one begins at the index ``offset``. Raises
    MalformedMessage if the length of an attribute is invalid, or if ``data`` ends before ``offset``."""
    found: dict[int, bytes] = {}
    unpack = _ATTRIBUTE.unpack_from
    end = len(data)
    if offset > end:
        raise MalformedMessage("shorter than its fixed part")
    while end - offset >= 4:
        length, kind = unpack(data, offset)
        if length < 4 or offset + length > end:
            raise MalformedMessage(f"attribute of length {length} in {end - offset} bytes")
        found[kind & _TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def pack_attribute(kind: int, value: bytes) -> bytes:
    """Returns the bytes of one attribute of type ``kind``, padded to a multiple of four."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def pack_message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Returns the bytes of one message with its header. ``kind`` is the message type."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def open_socket(protocol: int, groups: int = 0, receive_bytes: int = 0) -> socket.socket:
    """Opens a non-blocking netlink socket in the namespace of the calling thread.

    ``groups`` is the bit mask of multicast groups. ``receive_bytes`` is the requested buffer size: with CAP_NET_ADMIN
    it may exceed ``net.core.rmem_max``.
    """
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        opened.setblocking(False)
        if protocol == socket.NETLINK_ROUTE:
            opened.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        if receive_bytes:
            try:
                opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_bytes)
            except PermissionError:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        opened.bind((0, groups))
    except BaseException:
        opened.close()
        raise
    return opened


def receive(opened: socket.socket) -> bytes:
    """Returns the next datagram from the kernel. Raises BlockingIOError if none is queued.

    A process with CAP_NET_ADMIN in the namespace can send to this socket, too; such datagrams are dropped.
    """
    while True:
        data, sender = opened.recvfrom(_RECEIVE_BYTES)
        if sender[0] == 0:
            return data


def drain(opened: socket.socket) -> None:
    """Discards what is queued on the socket. After an interrupted request, this is the rest of the answer, which the
    next request would otherwise receive."""
    while True:
        try:
            opened.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def raise_refusal(body: bytes) -> None:
    """Raises the OSError whose number is in the body of an NLMSG_ERROR or NLMSG_DONE message. Returns if the number is
    0."""
    if len(body) < 4:
        raise MalformedMessage("an error without a number")
    code: int = _INT.unpack_from(body)[0]
    if code:
        raise OSError(-code, os.strerror(abs(code)))


def dump(opened: socket.socket, kind: int, body: bytes) -> list[Message]:
    """Sends a dump request of type ``kind`` and returns all messages of the answer. Raises OSError if the kernel
    refuses.

    If the table changes during a dump, the kernel sets NLM_F_DUMP_INTR and the dump is repeated.
    """
    messages: list[Message] = []
    for attempt in range(1, _DUMP_ATTEMPTS + 1):
        opened.send(pack_message(kind, NLM_F_REQUEST | NLM_F_DUMP, attempt, body))
        try:
            messages, interrupted = _collect(opened, attempt)
        except BaseException:
            drain(opened)
            raise
        if not interrupted:
            break
    return messages


def _collect(opened: socket.socket, sequence: int) -> tuple[list[Message], bool]:
    messages: list[Message] = []
    interrupted = False
    while True:
        for message in split_messages(receive(opened)):
            if message.sequence != sequence:
                continue
            interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
            if message.type in {NLMSG_DONE, NLMSG_ERROR}:
                raise_refusal(message.body)
                return messages, interrupted
            messages.append(message)


def query(opened: socket.socket, kind: int, body: bytes) -> list[Message]:
    """Requests one object with a message of type ``kind`` and returns the messages of the answer. Raises OSError if the
    kernel refuses or the object does not exist."""
    opened.send(pack_message(kind, NLM_F_REQUEST | NLM_F_ACK, 1, body))
    try:
        return _collect(opened, 1)[0]
    except BaseException:
        drain(opened)
        raise


def request(opened: socket.socket, kind: int, flags: int, body: bytes) -> None:
    """Sends one request of type ``kind`` and waits for its acknowledgement. Raises OSError with the kernel's error
    number."""
    opened.send(pack_message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, body))
    while True:
        for message in split_messages(receive(opened)):
            if message.type == NLMSG_ERROR:
                raise_refusal(message.body)
                return
