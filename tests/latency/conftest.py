"""Two namespaces joined by a veth pair, servers that misbehave on demand, and a check for leftovers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import psutil
import pytest

from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import Path, PathKind
from dashboard.latency.runner import Outcome, run_measurement
from tests.netns.namespaces import Netns
from tests.support.polling import until

MACHINE, SERVER = "10.77.0.1", "10.77.0.2"

#: A program with one server of each kind: it prints its port, then answers HTTP, echoes or misbehaves.
ROGUE = r"""
import socket, struct, sys, time
what, family = sys.argv[1], socket.AF_INET
listener = socket.socket(family, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 0))
listener.listen(64)
print(listener.getsockname()[1], flush=True)
rested = 0.0
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if what == "reset":
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    while what not in ("close", "reset"):
        data = connection.recv(65536)
        if not data:
            break
        if what == "short":
            connection.sendall(data[:10])
            break
        if what == "slow" or (what == "stall" and time.monotonic() - rested > 0.4):
            time.sleep(0.1)
            rested = time.monotonic()
        if what in ("http", "stall", "slow", "once"):
            ends = b"Connection: close\r\n" if what == "once" else b""
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + ends + b"Content-Length: 5\r\n\r\nhello")
            if ends:
                break
        if what == "other":
            connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.close()
"""


def helpers() -> list[psutil.Process]:
    """The measuring child processes of this process."""
    found = []
    for one in psutil.Process().children(recursive=True):
        try:
            if "dashboard.latency." in " ".join(one.cmdline()):
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Fails the test if it leaves a measuring process or a descriptor."""
    before = _descriptors()
    yield
    until(lambda: not helpers())
    until(lambda: _descriptors() <= before)


def _descriptors() -> int:
    return sum(1 for _ in FilePath("/proc/self/fd").iterdir())


@dataclass
class Lab:
    """``near`` stands for the machine, ``far`` for a container; a veth pair joins them."""

    near: Netns
    far: Netns
    namespaces: dict[str, int]
    told: list[Block] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    rogues: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def way(self, address: str = SERVER, **more: Any) -> Path:
        """The path from near to far. The responder takes a free port unless ``port`` is given."""
        fields: dict[str, Any] = {"udp_port": 80, "server_port": 80}
        server = "near" if address.startswith("127.") else "far"
        return Path(PathKind.BRIDGE_ADDRESS, "t", "near", server, address=address, **(fields | more))

    def series(self, probe: Probe, key: str = "a", wait_ns: int = 0, **more: Any) -> Series:
        """A series from near to far."""
        return Series(key, self.way(**more), probe, wait_ns)

    def rogue(self, what: str) -> int:
        """Starts a misbehaving server in far; returns its port."""
        enter = ["nsenter", "-t", str(self.far.pid), "--net", "--", sys.executable, "-S", "-c", ROGUE, what]
        process = subprocess.Popen(enter, stdout=subprocess.PIPE)
        self.rogues.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline())

    async def run(self, *series: Series, on_block: Callable[[Block], None] | None = None, **options: Any) -> Outcome:
        """Runs the measurement; the blocks are in ``told``, the reasons for abandoned series in ``refused``."""
        self.refused = {}

        async def keep(block: Block) -> None:
            self.told.append(block)
            if on_block is not None:
                on_block(block)

        wanted = Options(**({"seconds": 0.5, "timeout_s": 5.0} | options))
        return await run_measurement(series, self.namespaces, wanted, seed=1, on_block=keep, refused=self.refused)

    def of(self, key: str) -> list[Block]:
        """The blocks of a series."""
        return [one for one in self.told if one.series == key]

    def close(self) -> None:
        """Ends the servers and closes the namespaces."""
        for one in self.rogues:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()
        for fd in self.namespaces.values():
            os.close(fd)
        self.far.close()
        self.near.close()


@pytest.fixture
def lab(_nothing_is_left: None) -> Iterator[Lab]:
    """Two namespaces for one test."""
    near, far = Netns(), Netns()
    near.ip("link", "set", "lo", "up")
    far.ip("link", "set", "lo", "up")
    near.ip("link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", str(far.pid))
    near.batch(f"address add {MACHINE}/24 dev veth0", "link set veth0 up")
    far.batch(f"address add {SERVER}/24 dev eth0", "link set eth0 up")
    fds = {name: os.open(f"/proc/{netns.pid}/ns/net", os.O_RDONLY) for name, netns in (("near", near), ("far", far))}
    made = Lab(near, far, fds)
    yield made
    made.close()
