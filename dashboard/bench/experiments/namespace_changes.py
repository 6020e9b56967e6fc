"""Makes changes inside a network namespace, and records the time of each system call.

As a program (``python -m dashboard.bench.experiments.namespace_changes PID LINK``) it enters the network namespace of
the process PID, and changes addresses of the interface LINK. ``Program.ask`` sends it commands. The only one is
``execute``, whose fields are the arguments of ``Changer.execute``. When the program ends, its listeners are closed, but
addresses stay.
"""

import asyncio
import os
import socket
import struct
import sys
import time
from typing import Self

from dashboard.bench.processes import answer_commands
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import pack_attribute, request
from dashboard.netns.netlink.interfaces import open_route_socket
from dashboard.netns.netlink.rtnetlink import RTM_DELADDR, RTM_NEWADDR

_NLM_F_CREATE_EXCL = 0x400 | 0x200
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
PREFIX = 24


class Changer:
    """Makes changes in the network namespace of the calling thread: addresses of the interface ``link``, and listeners.
    A context manager that closes its sockets."""

    def __init__(self, link: str) -> None:
        self._route = open_route_socket()
        self._route.setblocking(True)
        self._index = socket.if_nametoindex(link)
        self._listening: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for opened in (self._route, *self._listening.values()):
            opened.close()

    def execute(self, command: str, argument: str) -> int:
        """Makes one change, and returns the time right before its system call, in nanoseconds of CLOCK_MONOTONIC. The
        commands ``add`` and ``remove`` take an address as ``argument``. The commands ``listen`` and ``close`` take a
        port. Raises OSError if the kernel refuses."""
        match command:
            case "add":
                return self._change_address(RTM_NEWADDR, _NLM_F_CREATE_EXCL, argument)
            case "remove":
                return self._change_address(RTM_DELADDR, 0, argument)
            case "listen":
                return self._listen(int(argument))
            case "close":
                listener = self._listening.pop(int(argument))
                started = time.monotonic_ns()
                listener.close()
                return started
            case _:
                raise ValueError(command)

    def _change_address(self, kind: int, flags: int, address: str) -> int:
        raw = socket.inet_aton(address)
        body = struct.pack("=BBBBI", socket.AF_INET, PREFIX, 0, 0, self._index)
        body += pack_attribute(_IFA_LOCAL, raw) + pack_attribute(_IFA_ADDRESS, raw)
        started = time.monotonic_ns()
        request(self._route, kind, flags, body)
        return started

    def _listen(self, port: int) -> int:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))  # noqa: S104 - inside the container's namespace
        self._listening[port] = listener
        started = time.monotonic_ns()
        listener.listen()
        return started


def main() -> None:
    """Enters the namespace and makes the changes from stdin until it ends."""
    with Namespace.of_pid(int(sys.argv[1])) as namespace:
        os.setns(namespace.fd, os.CLONE_NEWNET)
    with Changer(sys.argv[2]) as changer:

        async def execute(command: str, argument: str) -> int:
            return changer.execute(command, argument)

        asyncio.run(answer_commands({"execute": execute}))


if __name__ == "__main__":
    main()
