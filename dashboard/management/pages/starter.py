"""Forks the web process from the starter, a process that has only imported the code.

A second interpreter would import all modules again, which takes as much processor time as the rest of the start. The
lab itself must not fork, because it has threads, an event loop and database connections. SQLite holds the locks of
connections not only in the kernel but also in its own memory (sqlite.org, "How To Corrupt An SQLite Database File",
2.6). Therefore ``./netmodes up`` forks the starter before it has any of these. Each web process is forked from the
starter, also after a crash.
"""

import asyncio
import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from django.db import connections

#: How long the starter may take to fork a process.
START_S = 30.0
#: The names of the processes, as ``ps`` shows them.
STARTER, WEB = "netmodes-start", "netmodes-web"
#: The maximum number of sockets that are passed to a process.
MAX_SOCKETS = 16
#: The starter's answer, sent with a descriptor of the process; any other text is the reason why no process was started.
STARTED = b"started"
MAX_ANSWER_BYTES = 200
#: Signals that may be sent to all processes of a service or a terminal. The starter ignores them: the lab ends the web
#: process.
SIGNALS_OF_THE_LAB = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_STATUS = struct.Struct("!i")
_libc = ctypes.CDLL(None)

#: What a process does with the sockets that are passed to it. Its result is the exit status.
type Work = Callable[[list[socket.socket]], int]


class StarterError(Exception):
    """The web process cannot be started, or the starter has ended. ``str()`` is a sentence."""


class ForkRefusedError(StarterError):
    """The kernel refuses a new process at present. The starter still runs."""


class Starter:
    """Controls the starter from the lab's process. At most one web process runs at a time."""

    def __init__(self, work: Work, output: int) -> None:
        """Forks the starter. This process must have only one thread. Its connections to the database are closed.
        ``work`` is what each web process runs. ``output`` is the descriptor to which it prints. Raises StarterError."""
        connections.close_all()
        if threading.active_count() > 1:
            raise StarterError("The web process cannot be started: the lab already has threads.")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pidfd: int | None = None
        lab = os.getpid()
        gc.freeze()  # otherwise the collector writes to all objects, and no memory is shared
        self._pid = os.fork()
        if self._pid == 0:
            _end_with(lambda: _wait_for_orders(theirs, output, lab, work))
        theirs.close()

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Starts a web process with these sockets. No web process may be running. If the start fails, raises
        ForkRefusedError if a later attempt may succeed, otherwise StarterError."""
        try:
            self._control.settimeout(START_S)
            socket.send_fds(self._control, [b"start"], [passed.fileno() for passed in sockets])
            answer, descriptors, _, _ = socket.recv_fds(self._control, MAX_ANSWER_BYTES, 1)
        except OSError as error:
            raise StarterError(f"The web process cannot be started: {error}") from error
        finally:
            self._control.setblocking(False)
        if not answer:
            raise StarterError("The process that starts the web process has ended.")
        if answer != STARTED:
            raise ForkRefusedError(f"The web process cannot be started: {answer.decode(errors='replace')}.")
        if len(descriptors) != 1:
            os.kill(self._pid, signal.SIGKILL)  # this also ends its process, of which there is no descriptor here
            raise StarterError("The web process cannot be started: the lab has too many open files.")
        (self._pidfd,) = descriptors

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the web process, if it still runs."""
        if self._pidfd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> int:
        """Waits for the web process to end, and returns its exit status. Raises StarterError if the starter ends
        first."""
        status = await asyncio.get_running_loop().sock_recv(self._control, _STATUS.size)
        if len(status) != _STATUS.size:
            raise StarterError("The process that starts the web process has ended.")
        self._forget()
        return int(_STATUS.unpack(status)[0])

    def close(self) -> None:
        """Kills the web process if it still runs, and ends the starter."""
        self.send_signal(signal.SIGKILL)
        self._forget()
        self._control.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _forget(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _end_with(work: Callable[[], int]) -> None:
    """Calls ``work`` and ends this forked process with its result as exit status. Skips the cleanup code that is
    inherited from the parent."""
    status = 1
    try:
        status = work()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _set_up(name: str, kept: Iterable[int]) -> None:
    """Sets the name of this process and closes all descriptors except ``kept``. Makes the process end together with the
    thread that forked it."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    close_descriptors(kept)


def close_descriptors(kept: Iterable[int]) -> None:
    """Closes all descriptors except the standard ones and ``kept``."""
    first = 3
    for number in sorted(set(kept)):
        os.closerange(first, number)
        first = max(first, number + 1)
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _wait_for_orders(control: socket.socket, output: int, lab: int, work: Work) -> int:
    os.setsid()  # its processes have no controlling terminal
    for number in SIGNALS_OF_THE_LAB:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for stream in (1, 2):
        os.dup2(output, stream)
    _set_up(STARTER, [control.fileno()])
    if os.getppid() != lab:
        return 1
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    machine = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    while True:
        try:
            order, descriptors, _, _ = socket.recv_fds(control, 16, MAX_SOCKETS)
        except ConnectionError:
            return 0
        if not order:
            return 0
        sockets = [socket.socket(fileno=number) for number in descriptors]
        try:
            pid, pidfd = _fork_first_process(machine, sockets, work)
        except OSError as error:
            control.send(str(error.strerror).encode()[:MAX_ANSWER_BYTES])
            continue
        finally:
            for passed in sockets:
                passed.close()
        socket.send_fds(control, [STARTED], [pidfd])
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        with suppress(ConnectionError):
            control.send(_STATUS.pack(os.waitstatus_to_exitcode(status)))


def _fork_first_process(machine: int, sockets: list[socket.socket], work: Work) -> tuple[int, int]:
    """Forks a process that runs ``work`` as the first one of a new PID namespace. There it can neither see nor signal
    processes of the machine. Returns its pid and a pidfd. Raises OSError.

    ``machine`` is a descriptor of the machine's PID namespace, in which the new namespace is created. The starter
    returns to it first, because an earlier call has set the namespace of the starter's children to that of an earlier
    web process. After that process has ended, its namespace accepts no further processes (pid_namespaces(7)).
    """
    os.setns(machine, os.CLONE_NEWPID)
    os.unshare(os.CLONE_NEWPID)
    starter = os.pidfd_open(os.getpid())
    pid = os.fork()
    if pid == 0:

        def serve() -> int:
            for number in SIGNALS_OF_THE_LAB:
                signal.signal(number, signal.SIG_DFL)
            _set_up(WEB, [starter, *(passed.fileno() for passed in sockets)])
            if select.select([starter], [], [], 0)[0]:
                return 1  # the starter ended before this process could arrange to end with it
            os.close(starter)
            return work(sockets)

        _end_with(serve)
    os.close(starter)
    try:
        return pid, os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
