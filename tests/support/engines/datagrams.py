"""Datagrams to published ports: an echo in the namespaces of containers, and the addresses that answer."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from dashboard.latency.responder import open_listener
from dashboard.netns.namespace import Namespace

Endpoint = tuple[str, int]
#: How often endpoints are asked at least: during the time that is given, this process may hardly run.
MIN_ATTEMPTS = 20


@contextmanager
def echoes(servers: Iterable[Namespace], port: int) -> Iterator[None]:
    """Sends datagrams to ``port`` back in each of these namespaces during the block."""
    sockets = [server.run(partial(open_listener, "udp", port)) for server in servers]
    stopped, stop = socket.socketpair()

    def serve() -> None:
        while stopped not in (ready := select.select([stopped, *sockets], [], [])[0]):
            for opened in ready:
                data, peer = opened.recvfrom(64)
                opened.sendto(data, peer)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield
    finally:
        stop.close()
        serving.join()
        for opened in (*sockets, stopped):
            opened.close()


def answering(client: Namespace, asked: Iterable[Endpoint], within_s: float = 3.0) -> set[Endpoint]:
    """The endpoints that send a datagram back; a connected socket takes answers from its own endpoint only."""
    sockets: dict[socket.socket, Endpoint] = {}
    for address, port in set(asked):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = client.run(partial(socket.socket, family, socket.SOCK_DGRAM))
        sockets[opened] = (address, port)
        with suppress(OSError):
            opened.connect((address, port))
    found: set[Endpoint] = set()
    deadline, attempts = time.monotonic() + within_s, 0
    while (time.monotonic() < deadline or attempts < MIN_ATTEMPTS) and len(found) < len(sockets):
        attempts += 1
        for opened, endpoint in sockets.items():
            if endpoint not in found:
                with suppress(OSError):
                    opened.send(b"asked")
        for opened in select.select(list(sockets), [], [], 0.1)[0]:
            with suppress(OSError):
                found |= {sockets[opened]} if opened.recv(64) == b"asked" else set()
    for opened in sockets:
        opened.close()
    return found
