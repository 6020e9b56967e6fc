"""The machine as attempts to leave a private host see it: targets on it, and what has happened to them."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from dashboard.engine.hosts.private_host import PrivateHost

#: Where an attempt is made: in a program of a terminal, or of a container.
ORIGINS = ("terminal", "docker")
SPOKEN = b"spoken on another link"
CGROUPS = Path("/sys/fs/cgroup")
LIBC = ctypes.CDLL(None, use_errno=True)
TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET = 1, 2


def checked(result: int) -> int:
    """The result of a call; OSError if it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def in_namespace(path: str | Path, work: Callable[[], Any]) -> Any:
    """The result of ``work`` in a thread that has entered a network or UTS namespace."""
    results: list[Any] = []

    def run() -> None:
        fd = os.open(path, os.O_RDONLY)
        os.setns(fd)
        os.close(fd)
        results.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return results[0]


def sleeper(seconds: int) -> int:
    """The pid on the machine of the process that sleeps for this many seconds; 0 if it does not run."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", str(seconds).encode()]:
                return int(path.parent.name)
    return 0


def disk_of(host: PrivateHost) -> tuple[int, int] | None:
    """The number of the loop device with the disk of a host; None if the host has no disk."""
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if file.read_text().rstrip("\n") == str(host.disk):
                major, _, minor = (file.parent.parent / "dev").read_text().partition(":")
                return int(major), int(minor)
    return None


def sniffer() -> socket.socket:
    """A socket that receives every frame of a test (EtherType 0x88b5, for experiments) in this namespace."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    made.setblocking(False)
    return made


class Page(BaseHTTPRequestHandler):
    """Records the path of each request."""

    server: Pages

    def do_GET(self) -> None:
        self.server.requested.append(self.path.strip("/"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page of the machine")

    do_OPTIONS = do_GET  # noqa: N815  the name of the standard library

    def log_message(self, *_arguments: object) -> None:
        """Prints nothing."""


class Pages(HTTPServer):
    """A server of one page, with the paths that were requested."""

    requested: list[str]


@dataclass(slots=True)
class Machine:
    """The targets. ``secret`` is in no place that a host may read; ``frame`` marks frames on links."""

    folder: Path
    neighbour: PrivateHost
    secret: str = field(default_factory=lambda: f"secret-{secrets.token_hex(8)}")
    frame: str = field(default_factory=lambda: f"frame-{secrets.token_hex(8)}-")
    name: str = field(default_factory=lambda: f"netmodes-escape-{secrets.token_hex(4)}")
    #: Seconds of sleep, by which processes of containers are found from outside.
    mark: int = field(default_factory=lambda: 10_000 + 10 * secrets.randbelow(9_000))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    neighbours: dict[str, int] = field(default_factory=dict)
    device: Path = Path()
    disk: tuple[int, int] = (0, 0)
    hierarchy: Path = Path()
    terminal: int = -1
    terminal_path: str = ""
    key: int = 0
    shm: tuple[int, int] = (0, 0)
    handle: tuple[int, bytes] = (0, b"")
    address: int = 0
    pages: Pages | None = None
    sniffers: list[socket.socket] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)
    log: socket.socket | None = None
    engine: socket.socket | None = None

    @property
    def program(self) -> Path:
        """A file among the machine's programs, which hosts see."""
        return Path("/usr/lib") / self.name

    @property
    def node(self) -> Path:
        """A device node of the machine: another ``null``."""
        return Path("/dev") / self.name

    @property
    def page(self) -> str:
        """The address of a page on the machine's loopback."""
        assert self.pages is not None
        return f"127.0.0.1:{self.pages.server_port}"

    @property
    def image(self) -> Path:
        """The file behind ``device``."""
        return self.folder / "disk.img"

    def aims(self, host: PrivateHost) -> dict[str, Any]:
        """The targets that the probe on ``host`` gets as an argument."""
        assert self.pages is not None
        port = self.pages.server_port
        return {
            "folder": str(self.folder),
            "disk": self.disk,
            "own_disk": disk_of(host) or self.disk,
            "pids": {name: process.pid for name, process in self.processes.items()} | self.neighbours,
            "address": self.address,
            "handle_type": self.handle[0],
            "handle": self.handle[1].hex(),
            "key": self.key,
            "key_name": self.name,
            "shm_key": self.shm[0],
            "shm_id": self.shm[1],
            "page": self.page,
            "pages": [f"{address}:{port}" for address in ("192.0.2.1", "198.51.100.2", "172.17.0.1")],
            "abstract": self.name,
            "frame": self.frame,
        }

    def marked(self, number: int) -> int:
        """The process of a container that sleeps for ``mark`` seconds and this number; 0 if it does not run."""
        return sleeper(self.mark + number)

    def is_alive(self, name: str) -> bool:
        """Whether a process of the machine still runs."""
        return self.processes[name].poll() is None

    def frames(self) -> str:
        """The text of the frames that have reached the machine or the neighbour."""
        found = b""
        for one in self.sniffers:
            with suppress(BlockingIOError):
                while True:
                    found += one.recv(2000)
        return found.decode("latin-1")

    def speak(self) -> None:
        """Sends a frame with ``SPOKEN`` on every link of the machine and of the neighbour."""
        links = (socket.if_nameindex(), in_namespace(f"/proc/{self.neighbour.pid}/ns/net", socket.if_nameindex))
        for one, names in zip(self.sniffers, links, strict=True):
            for _, name in names:
                with suppress(OSError):  # the link is down
                    one.sendto(b"\xff" * 6 + b"\x02\0\0\0\0\x02" + b"\x88\xb5" + SPOKEN, (name, 0x88B5))

    def clock_was_set(self, origin: str) -> bool:
        """Whether the clock was set since ``start_clock`` (timerfd_create(2): TFD_TIMER_CANCEL_ON_SET)."""
        with suppress(BlockingIOError):
            try:
                os.read(self.clocks[ORIGINS.index(origin)], 8)
            except OSError as error:
                if error.errno == errno.ECANCELED:
                    return True
                raise
        return False

    def start_clock(self) -> None:
        """Notices from now on when the clock is set."""
        self.clocks.append(checked(LIBC.timerfd_create(0, os.O_NONBLOCK | os.O_CLOEXEC)))
        at = ctypes.create_string_buffer(struct.pack("qqqq", 0, 0, 4_000_000_000, 0))
        checked(LIBC.timerfd_settime(self.clocks[-1], TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, at, None))

    def terminal_text(self) -> str:
        """What was printed on the terminal of the machine."""
        with suppress(BlockingIOError):
            return os.read(self.terminal, 4096).decode()
        return ""

    def log_text(self) -> str:
        """What was sent to the machine's log socket."""
        assert self.log is not None
        with suppress(BlockingIOError):
            return self.log.recv(4096).decode()
        return ""

    def engine_was_asked(self) -> bool:
        """Whether something has connected to the socket that stands for the machine's engine."""
        assert self.engine is not None
        try:
            self.engine.accept()[0].close()
        except BlockingIOError:
            return False
        return True
