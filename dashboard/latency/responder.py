"""The process that answers requests: with blocking sockets and one thread, in the namespaces of the servers.

One responder serves all series, so no series depends on a process of its own that may be slower.
"""

import errno
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from dashboard.latency.process import Control, Places, end_with_parent, run_main

_STREAM_BUFFER_BYTES = 262_144
_BACKLOG = 128


def open_listener(kind: str, port: int) -> socket.socket:
    """Returns a socket on all addresses of the current namespace, for IPv6 and IPv4 if the kernel has both. ``kind`` is
    ``tcp`` or ``udp``; port 0 selects a free port."""
    sort = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    try:
        opened = socket.socket(socket.AF_INET6, sort)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        where = "::"
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.ENOPROTOOPT}:
            raise
        opened, where = socket.socket(socket.AF_INET, sort), "0.0.0.0"  # noqa: S104 - a namespace of a container
    try:
        # For datagrams, so that a second socket of this process can connect to a client.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if kind == "tcp" else socket.SO_REUSEPORT, 1)
        opened.bind((where, port))
        if kind == "tcp":
            opened.listen(_BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


class Wait:
    """Delays answers, in tests of measurements. ``wait`` blocks for ``duration_ns`` and appends the time that this
    actually took to ``taken_ns``."""

    def __init__(self, duration_ns: int) -> None:
        self.taken_ns: list[int] = []
        clock, keep = time.perf_counter_ns, self.taken_ns.append

        def wait() -> None:
            start = now = clock()
            end = start + duration_ns
            while now < end:
                now = clock()
            keep(now - start)

        self.wait: Callable[[], None] = wait


def _read_all(opened: socket.socket, buffer: memoryview, size: int) -> bool:
    """Reads ``size`` bytes into the buffer. Returns False if the peer closes the connection too early."""
    got = 0
    while got < size:
        more = opened.recv_into(buffer[got:size])
        if not more:
            return False
        got += more
    return True


def answer_requests(opened: socket.socket, size: int, wait: Callable[[], None] | None = None) -> None:
    """Answers each request of ``size`` bytes with the same number of bytes, until the peer closes the connection.
    ``wait``, if given, is called before each answer to delay it."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    receive, send = opened.recv, opened.send
    while True:
        request = receive(size)
        if len(request) != size:
            rest = bytearray(size - len(request))
            if not request or not _read_all(opened, memoryview(rest), len(rest)):
                return
            request += rest
        if wait:
            wait()
        send(request)


def answer_once(opened: socket.socket, size: int, wait: Callable[[], None] | None = None) -> None:
    """Answers one request of ``size`` bytes. ``wait``, if given, is called before the answer to delay it. The caller
    closes the connection before the client does, so TIME-WAIT stays on this side."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if _read_all(opened, memoryview(bytearray(size)), size):
        if wait:
            wait()
        opened.send(bytes(size))


def answer_datagrams(opened: socket.socket, size: int, wait: Callable[[], None] | None = None) -> None:
    """Answers each datagram of ``size`` bytes with one of the same size, without end. ``wait``, if given, is called
    before each answer to delay it. After two datagrams in a row from one client, answers only this client."""
    before = None
    while True:
        request, peer = opened.recvfrom(size + 1)
        if len(request) != size:
            continue
        if peer == before:
            break
        before = peer
        if wait:
            wait()
        opened.sendto(request, peer)
    room = size + 1
    # Passing an address with each datagram would cost half a microsecond more in Python than in a server in C.
    with _connected_socket(opened, peer) as own:
        receive, send = own.recv, own.send
        while True:
            if len(request) == size:
                if wait:
                    wait()
                send(request)
            request = receive(room)


def _connected_socket(opened: socket.socket, peer: object) -> socket.socket:
    """Returns a socket on the same port that receives only from ``peer``."""
    own = socket.socket(opened.family, socket.SOCK_DGRAM)
    try:
        if opened.family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(opened.getsockname())
        own.connect(peer)  # type: ignore[arg-type]  # as recvfrom gave it
    except BaseException:
        own.close()
        raise
    return own


def swallow_stream(opened: socket.socket) -> int:
    """Reads until the peer stops sending, then sends the number of bytes as an 8-byte integer. Returns the number."""
    buffer = bytearray(_STREAM_BUFFER_BYTES)
    total = 0
    while got := opened.recv_into(buffer):
        total += got
    opened.sendall(total.to_bytes(8, "big"))
    return total


class Responder:
    """Opens listeners, and serves one of them at a time. Commands name a listener by its number."""

    def __init__(self, control: Control, places: Places) -> None:
        self._control = control
        self._places = places
        self._listeners: list[socket.socket] = []
        self._homes: list[int] = []
        self._wait: Wait | None = None

    def serve(self) -> None:
        """Executes commands until the parent closes the connection."""
        for command in self._control.commands():
            try:
                getattr(self, f"do_{command.pop('do')}")(**command)
            except OSError as error:
                self._control.answer(error=error.strerror or str(error), errno=error.errno)

    def do_open(self, place: int, kind: str, port: int) -> None:
        """Opens a listener in the namespace with the number ``place``. ``port`` 0 selects a free port. Answers with the
        port, and with the number of the listener, which later commands use."""
        self._places.enter(place)
        self._listeners.append(open_listener(kind, port))
        self._homes.append(place)
        self._control.answer(listener=len(self._listeners) - 1, port=self._listeners[-1].getsockname()[1])

    def do_rest(self) -> None:
        """Answers the command of ``Child.rest``. The arrival of the command has already ended ``do_serve``. The answer
        has the median delay in nanoseconds if ``do_serve`` delayed its answers."""
        taken = sorted(self._wait.taken_ns) if self._wait is not None else []
        self._control.answer(**({"waited_ns": taken[len(taken) // 2]} if taken else {}))

    def do_serve(self, listener: int, probe: str, payload: int, wait_ns: int = 0) -> None:
        """Answers the requests of a probe with ``payload`` bytes on a listener until the next command arrives. Each
        answer is delayed by ``wait_ns``."""
        opened = self._listeners[listener]
        self._places.enter(self._homes[listener])  # for the second socket of datagrams
        _drop_waiting(opened)
        self._wait = Wait(wait_ns) if wait_ns else None
        wait = self._wait.wait if self._wait is not None else None
        self._control.answer()
        self._control.run_until_command(lambda: _serve_forever(opened, probe, payload, wait))

    def do_sink(self, listener: int, timeout_s: float) -> None:
        """Accepts the next connection, which carries the load stream, and reads it in a child process. Answers the
        command twice: when the listener is ready, and when the connection is accepted. If that takes longer than
        ``timeout_s`` seconds, the second answer has an ``error``. The child ends with the connection or with this
        process."""
        opened = self._listeners[listener]
        _drop_waiting(opened)  # the stream of an earlier block, which came too late
        self._control.answer()
        if not select.select([opened], [], [], timeout_s)[0]:
            self._control.answer(error="The load stream did not arrive.")
            return
        connection, _ = opened.accept()
        with connection:
            parent = os.getpid()
            if os.fork() == 0:
                try:
                    end_with_parent(parent)
                    signal.signal(signal.SIGIO, signal.SIG_IGN)
                    swallow_stream(connection)
                finally:
                    os._exit(0)
        self._control.answer()


def _serve_forever(opened: socket.socket, probe: str, payload: int, wait: Callable[[], None] | None) -> None:
    """Answers the requests of a probe until the listener fails. ``payload`` is the size of a request and of its answer
    in bytes. ``wait``, if given, is called before each answer to delay it."""
    with suppress(OSError):
        if probe == "udp-rr":
            answer_datagrams(opened, payload, wait)
        while True:
            connection, _ = opened.accept()
            with connection, suppress(ConnectionError):
                if probe == "tcp-rr":
                    answer_requests(connection, payload, wait)
                elif probe == "tcp-crr":
                    answer_once(connection, payload, wait)
                else:
                    swallow_stream(connection)


def _drop_waiting(opened: socket.socket) -> None:
    """Closes the connections, and drops the datagrams, that an earlier block left in the queue of the listener."""
    opened.setblocking(False)
    try:
        for _ in range(_BACKLOG):
            if opened.type == socket.SOCK_STREAM:
                opened.accept()[0].close()
            else:
                opened.recv(1)
    except BlockingIOError:
        pass
    finally:
        opened.setblocking(True)


def serve(control: Control, places: Places) -> None:
    """Runs the responder until the parent closes the connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for and must not remain as zombies
    Responder(control, places).serve()


def main() -> None:
    """Runs the responder process. ``children`` starts it."""
    run_main(serve)


if __name__ == "__main__":
    main()
