"""dashboard.latency.exchanges, against sockets that send exactly the given bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.latency.exchanges import ConnectEachTime, Datagrams, DnsLookup, HttpGet, SameSize
from dashboard.latency.refusals import Refusal
from tests.properties import examples

Answer = Callable[[socket.socket], None]


@contextmanager
def served(*answers: Answer) -> Iterator[int]:
    """A TCP server that handles one connection after the other; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(20)
            assert not thread.is_alive()


def saying(*parts: bytes, ends: bool = False) -> Answer:
    """Reads a request and sends the parts of the response as separate packets. Then waits for the end, or closes."""

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)
        if not ends:
            connection.recv(65536)

    return answer


def ask_http(port: int) -> tuple[bool, HttpGet]:
    one = HttpGet("127.0.0.1", port, "/", "")
    with ExitStack() as stack:
        stack.callback(one.close)
        one.connect()
        return one.ask(), one


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@settings(max_examples=examples(0.5))
@given(st.sampled_from([PLAIN, CHUNKED]), st.sets(st.integers(1, 60), max_size=4))
def test_an_answer_is_read_to_its_end_however_it_is_cut(whole: bytes, cuts: set[int]) -> None:
    places = [0, *sorted(one for one in cuts if one < len(whole)), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(places)]
    with served(saying(*parts)) as port:
        ends, one = ask_http(port)
    assert not ends
    assert one.note == ""


@pytest.mark.parametrize(
    ("answer", "ends", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", False, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", True, ""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", True, ""),
        (
            b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            False,
            "answers with status 404.",
        ),
    ],
)
def test_a_server_that_ends_the_connection_is_connected_to_again(answer: bytes, ends: bool, words: str) -> None:
    with served(saying(answer, ends=ends)) as port:
        renew, one = ask_http(port)
    assert renew
    assert words in one.note


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
def test_a_connection_that_the_server_keeps_is_used_again(answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.settimeout(5)
        with suppress(TimeoutError):  # the client waits for more
            while connection.recv(65536):
                connection.sendall(answer)

    with served(serve) as port:
        one = HttpGet("127.0.0.1", port, "/", "")
        one.connect()
        assert [one.ask() for _ in range(3)] == [False] * 3
        one.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (saying(ends=True), "closed the connection without an answer"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ends=True), "in the middle of its answer"),
        (saying(b"220 mail.example ESMTP\r\n\r\n"), "does not speak HTTP"),
    ],
)
def test_an_invalid_answer_is_refused_with_a_sentence(answer: Answer, words: str) -> None:
    with served(answer) as port, pytest.raises(Refusal, match=words) as refused:
        ask_http(port)
    assert str(port) in str(refused.value)


def test_a_renewed_connection_is_counted() -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with served(saying(answer, ends=True), saying(answer, ends=True)) as port:
        one = HttpGet("127.0.0.1", port, "/", "lab.example")
        one.connect()
        assert one.ask()
        one.connect()
        assert one.ask()
        one.close()
    assert one.reconnects == 1


@pytest.mark.parametrize("size", [1, 64, 300_000])
def test_the_same_number_of_bytes_comes_back(size: int) -> None:
    def echo(connection: socket.socket) -> None:
        left = size
        while left:
            left -= len(connection.recv(left))
        connection.sendall(bytes(size))
        connection.recv(1)

    with served(echo) as port:
        one = SameSize("127.0.0.1", port, size)
        one.connect()
        assert one.ask() is False
        one.close()


@pytest.mark.parametrize(("size", "words"), [(0, "without an answer"), (7, "after 7 of 64 bytes")])
def test_a_short_answer_is_refused(size: int, words: str) -> None:
    with served(saying(bytes(size), ends=True)) as port:
        one = SameSize("127.0.0.1", port, 64)
        one.connect()
        with pytest.raises(Refusal, match=words):
            one.ask()
        one.close()


def test_asking_without_a_connection_is_refused() -> None:
    with pytest.raises(Refusal, match="no connection"):
        SameSize("127.0.0.1", 1, 64).ask()


def test_connecting_each_time_waits_for_the_whole_answer_and_the_end() -> None:
    with served(saying(bytes(64), ends=True), saying(bytes(65), ends=True), saying(bytes(3), ends=True)) as port:
        one = ConnectEachTime("127.0.0.1", port, 64)
        one.connect()
        assert one.ask() is False
        for wrong in (65, 3):
            with pytest.raises(Refusal, match=f"answered with {wrong} of 64 bytes"):
                one.ask()
        one.close()


@contextmanager
def answering_datagrams(answer: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """A UDP server for one datagram; yields its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))

        def serve() -> None:
            data, peer = opened.recvfrom(65536)
            for one in answer(data):
                opened.sendto(one, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield opened.getsockname()[1]
        thread.join(20)


def test_a_datagram_of_another_size_is_refused() -> None:
    with answering_datagrams(lambda data: [data[:9]]) as port:
        one = Datagrams("127.0.0.1", port, 64)
        one.connect()
        with pytest.raises(Refusal, match="answered with 9 bytes, not 64"):
            one.ask()
        one.close()


@pytest.mark.parametrize(("code", "note"), [(0, ""), (3, "no such name"), (2, "server failure"), (9, "code 9")])
def test_a_lookup_ends_with_the_answer_to_its_own_question(code: int, note: str) -> None:
    asked: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        asked.append(data)
        return [b"\xff\xff" + data[2:], data[:2] + bytes([0x81, 0x80 | code]) + data[4:]]

    with answering_datagrams(answer) as port:
        one = DnsLookup("127.0.0.1", port, "web.lab.example.")
        one.connect()
        assert one.ask() is False
        one.close()
    assert asked[0][12:] == b"\3web\3lab\7example\0\0\1\0\1"
    assert note in one.note
    assert bool(one.note) is bool(note)
