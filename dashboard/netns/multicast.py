"""Sends one datagram to a multicast group, and observes in which namespaces it arrives."""

import asyncio
import secrets
import socket
import struct
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.netns.namespace import Namespace, NamespaceGone

#: Time to wait for a datagram that may not arrive. On one machine it arrives within a millisecond.
WAIT_S = 0.5
#: linux/in.h; not in the module socket. 0: the socket receives only what was sent to a group that it has joined itself.
_IP_MULTICAST_ALL = 49


@dataclass(frozen=True, slots=True)
class Receiver:
    """A namespace in which a socket joins the group, and the index of the link on which it joins."""

    namespace: Namespace
    link: int


@dataclass(slots=True)
class Arrivals:
    """The results, by the keys of the receivers. ``senders`` contains the datagram's source (``address:port``) if the
    datagram arrived. ``errors`` contains the reason if the receiver could not take part or nothing could be sent. A
    receiver that is in neither received nothing."""

    senders: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


async def send_to_group(
    sender: Namespace, link: int, group: str, port: int, receivers: Mapping[str, Receiver]
) -> Arrivals:
    """Sends one datagram to an IPv4 group, and returns where it arrived within ``WAIT_S``. The datagram leaves
    the namespace ``sender`` over the link with the index ``link``. Its TTL is 1: no router forwards it. Never raises a
    network error."""
    arrivals = Arrivals()
    token = secrets.token_hex(8).encode()
    with ExitStack() as opened:
        joined: dict[str, socket.socket] = {}
        for key, receiver in receivers.items():
            try:
                joined[key] = await receiver.namespace.arun(
                    lambda index=receiver.link: _join(group, port, index),  # type: ignore[misc]
                    discard=socket.socket.close,
                )
                opened.enter_context(joined[key])
            except NamespaceGone:
                arrivals.errors[key] = "The namespace is gone."
            except OSError as error:
                arrivals.errors[key] = f"The group {group} cannot be joined: {error.strerror}."
        try:
            source = await sender.arun(lambda: _open_sender(link), discard=socket.socket.close)
            opened.enter_context(source)
            source.sendto(token, (group, port))
        except (NamespaceGone, OSError) as error:
            reason = f"The datagram cannot be sent: {getattr(error, 'strerror', None) or error}."
            arrivals.errors |= dict.fromkeys(joined, reason)
            return arrivals
        seen = await asyncio.gather(*(_receive(one, token, WAIT_S) for one in joined.values()))
    arrivals.senders |= {key: text for key, text in zip(joined, seen, strict=True) if text}
    return arrivals


def _join(group: str, port: int, link: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        opened.bind((group, port))
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _mreqn(link, group))
    except BaseException:
        opened.close()
        raise
    return opened


def _open_sender(link: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _mreqn(link))
    except BaseException:
        opened.close()
        raise
    return opened


def _mreqn(link: int, group: str = "") -> bytes:
    """Returns ``struct ip_mreqn`` (ip(7)) with the index of a link and, if given, a group. The local address is not
    set."""
    return struct.pack("=4s4si", socket.inet_aton(group) if group else bytes(4), bytes(4), link)


async def _receive(opened: socket.socket, token: bytes, wait_s: float) -> str:
    """Waits for the datagram whose content is ``token`` and returns its source (``address:port``); empty if it does not
    arrive within ``wait_s``."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(opened.fileno(), readable.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while True:
                    await readable.wait()
                    readable.clear()
                    if found := _find_source(opened, token):
                        return found
        # If the loop was late, the datagram and the end of the time are noticed in the same turn.
        return _find_source(opened, token)
    except OSError:
        return ""
    finally:
        loop.remove_reader(opened.fileno())


def _find_source(opened: socket.socket, token: bytes) -> str:
    """Reads the datagrams that have arrived. Returns the source (``address:port``) of the one whose content is
    ``token``, empty if it is not among them."""
    with suppress(BlockingIOError):
        while True:
            data, source = opened.recvfrom(64)
            if data == token:
                return format_endpoint(source[0], source[1])
    return ""
