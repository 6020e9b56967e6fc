"""What client and responder have in common: they run on one core, end with their parent, and read commands line by
line."""

import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dashboard.core.measurements.conditions import Conditions

_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29  # prctl(2)
#: Processes on the same core wait for this one, which sleeps most of the time.
_NICENESS = -20
_MOST_LINE_BYTES = 1_048_576
CORE_SLEEP = Path("/dev/cpu_dma_latency")


class Interrupted(Exception):  # noqa: N818 - names the event, not a fault
    """A new command arrived while this process was busy."""


class Overdue(Exception):  # noqa: N818 - names the event, not a fault
    """The time limit of a block passed while this process was working on it."""


class Control:
    """The connection to the parent, an inherited socket: reads commands and writes answers, one JSON object for each
    line."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._rest = b""
        self._busy = False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        self._poll = poll
        signal.signal(signal.SIGIO, self._on_io)
        # SIGIO announces a new command, so that blocking calls need no timeout.
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)

    def _on_io(self, _number: int, _frame: object) -> None:
        if self._busy and self.waiting():
            self._busy = False
            raise Interrupted

    def waiting(self) -> bool:
        """Returns whether a command or a part of it has arrived, or the parent has closed the connection."""
        return b"\n" in self._rest or bool(self._poll.poll(0))

    def run_until_command(self, work: Callable[[], object]) -> None:
        """Calls ``work`` and interrupts it as soon as a command arrives, even in a blocking call. If a command has
        already arrived, does not call ``work``."""
        try:
            self._busy = True
            self._on_io(signal.SIGIO, None)
            work()
        except Interrupted:
            pass
        finally:
            self._busy = False

    def commands(self) -> Iterator[dict[str, Any]]:
        """Yields the commands until the parent closes the connection."""
        while True:
            while b"\n" not in self._rest:
                part = self._socket.recv(65536)
                if not part or len(self._rest) > _MOST_LINE_BYTES:
                    return
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\n")
            if line.strip():  # an empty line only wakes the process
                yield json.loads(line)

    def answer(self, **fields: Any) -> None:
        """Writes one answer."""
        self._socket.sendall(json.dumps(fields).encode() + b"\n")


class Places:
    """The network namespaces that this process may enter. It has inherited their file descriptors ``fds``. The process
    has only one thread, which moves between the namespaces."""

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds
        self._now: int | None = None

    def enter(self, number: int) -> None:
        """Enters the namespace at the position ``number`` in ``fds``. Sockets that are opened afterwards belong to
        it."""
        if number != self._now:
            os.setns(self._fds[number], os.CLONE_NEWNET)
            self._now = number


def end_with_parent(parent: int) -> None:
    """Requests SIGKILL for the moment when the thread that started this process ends (prctl(2)). Exits if the process
    ``parent`` has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def keep_cores_awake() -> None:
    """Makes idle cores poll instead of sleep while this process lives, if it may. A halted core of a virtual machine
    takes tens of microseconds to wake up, which would hide the cost of a path. Sets the permitted wake-up latency to 0
    µs (Documentation/admin-guide/pm/cpuidle.rst, "Power Management Quality of Service")."""
    with suppress(OSError):
        held = os.open(CORE_SLEEP, os.O_WRONLY | os.O_CLOEXEC)  # the request lasts until it is closed
        os.write(held, (0).to_bytes(4, sys.byteorder))


def lower_niceness() -> None:
    """Gives this process the lowest niceness, for systems that refuse real-time priority."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    with suppress(OSError):  # with autogroup scheduling the niceness of the session counts (sched(7))
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def set_realtime_priority() -> None:
    """Gives this process real-time priority, so that other processes on this core yield when it wakes up (SCHED_FIFO,
    sched(7)). Children do not inherit it.

    Niceness is not enough: with it, a process that used the core between two blocks sometimes has to wait for
    milliseconds.
    """
    with suppress(OSError):  # a cgroup may have no real-time budget
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def reset_priority() -> None:
    """Undoes ``set_realtime_priority``."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def pin_to_core(config: dict[str, Any]) -> tuple[Control, Places]:
    """Pins this process to its core and disables garbage collection. In quiet conditions, also raises its priority and
    keeps idle cores awake. ``config`` is the dictionary that ``Child.start`` passes. Returns the connection to the
    parent and the namespaces."""
    end_with_parent(config["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if config.get("core") is not None:
        os.sched_setaffinity(0, {config["core"]})
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    if config["conditions"] == Conditions.QUIET:
        lower_niceness()
        keep_cores_awake()
        set_realtime_priority()
    control = Control(config["control"])
    places = Places(config["places"])
    gc.collect()
    gc.freeze()
    gc.disable()
    return control, places


def run_main(serve: Callable[[Control, Places], None]) -> None:
    """Reads the configuration from the last argument of the command line, then calls ``serve``."""
    control, places = pin_to_core(json.loads(sys.argv[-1]))
    serve(control, places)


@contextmanager
def overdue_after(seconds: float) -> Iterator[None]:
    """Raises Overdue in the ``with`` block after ``seconds``, even in a blocking call."""

    def ring(_number: int, _frame: object) -> None:
        raise Overdue

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
