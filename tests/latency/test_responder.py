"""dashboard.latency.responder: its answers on real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from unittest.mock import Mock

import pytest

from dashboard.latency.responder import (
    Responder,
    Wait,
    answer_datagrams,
    answer_once,
    answer_requests,
    open_listener,
    swallow_stream,
)


def with_pair(answer: Callable[[socket.socket], object], use: Callable[[socket.socket], None]) -> None:
    """Runs ``answer`` on the server's end of a connection, in a thread, and ``use`` on the client's end."""
    with (
        open_listener("tcp", 0) as listener,
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5) as mine,
    ):
        theirs, _ = listener.accept()

        def serve() -> None:
            with theirs:
                answer(theirs)

        thread = threading.Thread(target=serve)
        thread.start()
        use(mine)
        mine.close()
        thread.join(20)
        assert not thread.is_alive()


def test_requests_are_answered_one_by_one_even_in_pieces() -> None:
    def use(mine: socket.socket) -> None:
        for _ in range(3):
            mine.sendall(b"x" * 40)
            mine.sendall(b"y" * 24)
            assert len(mine.recv(200)) == 64

    with_pair(lambda theirs: answer_requests(theirs, 64), use)


def test_the_configured_delay_is_kept() -> None:
    def use(mine: socket.socket) -> None:
        before = time.perf_counter_ns()
        mine.sendall(bytes(64))
        mine.recv(64)
        assert time.perf_counter_ns() - before >= 5_000_000

    wait = Wait(5_000_000)
    with_pair(lambda theirs: answer_requests(theirs, 64, wait.wait), use)
    assert len(wait.taken_ns) == 1
    assert wait.taken_ns[0] >= 5_000_000


def test_a_connection_is_closed_after_one_request() -> None:
    def use(mine: socket.socket) -> None:
        mine.sendall(bytes(64))
        assert len(mine.recv(64)) == 64
        assert mine.recv(64) == b""

    with_pair(lambda theirs: answer_once(theirs, 64), use)


def test_a_stream_is_read_and_counted() -> None:
    def use(mine: socket.socket) -> None:
        mine.sendall(bytes(1_000_000))
        mine.shutdown(socket.SHUT_WR)
        assert int.from_bytes(mine.recv(8), "big") == 1_000_000

    with_pair(swallow_stream, use)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_datagrams_of_the_right_size_are_answered_on_both_families(family: socket.AddressFamily) -> None:
    with open_listener("udp", 0) as listener, socket.socket(family, socket.SOCK_DGRAM) as mine:
        thread = _start_answering(listener, 4)
        mine.settimeout(20)
        mine.connect(("127.0.0.1" if family == socket.AF_INET else "::1", listener.getsockname()[1]))
        mine.send(bytes(3))
        for _ in range(4):
            mine.send(bytes(64))
            assert len(mine.recv(100)) == 64
        mine.send(bytes(64))
        thread.join(20)
        assert not thread.is_alive()


def test_another_client_is_answered_after_one_that_asked_twice_has_gone() -> None:
    with open_listener("udp", 0) as listener:
        where = ("127.0.0.1", listener.getsockname()[1])
        for _ in range(2):
            thread = _start_answering(listener, 3)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
                mine.settimeout(20)
                mine.connect(where)
                for _ in range(3):
                    mine.send(bytes(64))
                    assert len(mine.recv(100)) == 64
                mine.send(bytes(64))
            thread.join(20)
            assert not thread.is_alive()


def _start_answering(listener: socket.socket, number: int) -> threading.Thread:
    """Starts a thread that answers this number of datagrams. The next one ends it, since the loop has no end of its
    own."""
    left = iter(range(number))

    def end_after_the_last() -> None:
        if next(left, None) is None:
            raise OSError("the next command")

    def serve() -> None:
        with suppress(OSError):
            answer_datagrams(listener, 64, end_after_the_last)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_port_that_is_taken_is_an_error_that_leaves_no_socket() -> None:
    with open_listener("tcp", 0) as listener, pytest.raises(OSError, match="in use"):
        open_listener("tcp", listener.getsockname()[1])


def test_each_listener_is_served_in_the_namespace_in_which_it_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends twice gets a second socket, which must not be in the namespace that was entered last."""
    places, served = Mock(), list[int]()
    places.enter.side_effect = lambda number: setattr(places, "now", number)

    def answer(*_options: object) -> None:
        served.append(places.now)
        raise OSError("the next command")

    monkeypatch.setattr("dashboard.latency.responder.answer_datagrams", answer)
    control = Mock(run_until_command=lambda work: work())
    responder = Responder(control, places)
    for place in (0, 1):
        responder.do_open(place, "udp", 0)
    for listener in (0, 1):
        responder.do_serve(listener, "udp-rr", 64)
    assert served == [0, 1]
    for opened in responder._listeners:
        opened.close()


def test_the_load_is_the_connection_that_comes_after_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that came too late for its block may still wait at the listener, and would end at once."""
    control = Mock()
    responder = Responder(control, Mock())
    responder.do_open(0, "tcp", 0)
    where = ("127.0.0.1", responder._listeners[0].getsockname()[1])
    socket.create_connection(where, timeout=5).close()
    monkeypatch.setattr("dashboard.latency.responder.os.fork", lambda: 1)  # the parent closes its copy
    with responder._listeners[0], socket.socket() as stream:
        stream.settimeout(5)

        def connect_once_the_sink_is_ready() -> None:
            if control.answer.call_count == 2:
                stream.connect(where)

        control.answer.side_effect = connect_once_the_sink_is_ready
        responder.do_sink(0, 5)
        assert stream.recv(1) == b""
