"""What client and responder share: they settle on a core, end with their parent, and take commands line by line."""

from __future__ import annotations

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

_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29  # prctl(2)
#: Others on the same core shall wait for us, not we for them: we sleep most of the time.
_NICENESS = -20
_MOST_LINE_BYTES = 1_048_576
CORE_SLEEP = Path("/dev/cpu_dma_latency")


class Interrupted(Exception):  # noqa: N818 - what happened, not a fault
    """A new command came while this process was busy."""


class Overdue(Exception):  # noqa: N818 - what happened, not a fault
    """The time for a block is over and something is still waited for."""


class Control:
    """Commands in, answers out: a JSON object a line, over a socket that was inherited."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._rest = b""
        self._busy = False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        self._poll = poll
        signal.signal(signal.SIGIO, self._on_io)
        # The kernel tells of a new command by a signal, so that a blocking call needs no timeout of its own.
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)

    def _on_io(self, _number: int, _frame: object) -> None:
        if self._busy and self.waiting():
            self._busy = False
            raise Interrupted

    def waiting(self) -> bool:
        """Whether there is something to read, or the other side has gone."""
        return b"\n" in self._rest or bool(self._poll.poll(0))

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """The block is left as soon as a command comes, wherever it waits."""
        try:
            self._busy = True
            self._on_io(signal.SIGIO, None)  # it may have come before we were busy
            yield
        except Interrupted:
            pass
        finally:
            self._busy = False

    def commands(self) -> Iterator[dict[str, Any]]:
        """One after the other until the other side has gone."""
        while True:
            while b"\n" not in self._rest:
                part = self._socket.recv(65536)
                if not part or len(self._rest) > _MOST_LINE_BYTES:
                    return
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\n")
            if line.strip():  # an empty line only wakes us up
                yield json.loads(line)

    def answer(self, **fields: Any) -> None:
        """One line back."""
        self._socket.sendall(json.dumps(fields).encode() + b"\n")


class Places:
    """The network namespaces that were inherited as descriptors; this process has one thread and hops."""

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds
        self._now: int | None = None

    def enter(self, number: int) -> None:
        """Sockets opened from here on belong to that namespace."""
        if number != self._now:
            os.setns(self._fds[number], os.CLONE_NEWNET)
            self._now = number


def end_with_parent(parent: int) -> None:
    """SIGKILL when the thread that started us ends (prctl(2)), also if it has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def keep_cores_awake() -> None:
    """While this process lives, idle cores poll instead of sleeping: the longest time that a wake-up may take is set to
    0 µs (Documentation/admin-guide/pm/cpuidle.rst, "Power Management Quality of Service"). A virtual machine's core
    that halts takes tens of microseconds to wake, in one hypervisor's whim or another, and hides what a path costs."""
    with suppress(OSError):
        held = os.open(CORE_SLEEP, os.O_WRONLY | os.O_CLOEXEC)  # the request holds until it is closed
        os.write(held, (0).to_bytes(4, sys.byteorder))


def be_let_in_at_once() -> None:
    """When this process wakes, whatever runs on its core gives way (SCHED_FIFO, sched(7)). Niceness alone does not do:
    who has computed between two blocks is at times made to wait for it, for milliseconds. Not for children."""
    with suppress(OSError):  # a cgroup may have no time for it
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def be_like_others() -> None:
    """Takes ``be_let_in_at_once`` back."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def settle(config: dict[str, Any]) -> tuple[Control, Places]:
    """One core, no collector, no second thread; then the control socket and the namespaces."""
    end_with_parent(config["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if config.get("core") is not None:
        os.sched_setaffinity(0, {config["core"]})
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    with suppress(OSError):  # where sessions are scheduled as groups, it is the group's niceness that counts (sched(7))
        Path("/proc/self/autogroup").write_text(str(_NICENESS))
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    keep_cores_awake()
    be_let_in_at_once()
    control = Control(config["control"])
    places = Places(config["places"])
    gc.collect()
    gc.freeze()
    gc.disable()
    return control, places


def run_main(serve: Callable[[Control, Places], None]) -> None:
    """The whole life of such a process: configuration from the command line, then ``serve``."""
    control, places = settle(json.loads(sys.argv[-1]))
    serve(control, places)


@contextmanager
def overdue_after(seconds: float) -> Iterator[None]:
    """Overdue is raised in the block once ``seconds`` have passed, wherever it waits."""

    def ring(_number: int, _frame: object) -> None:
        raise Overdue

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
