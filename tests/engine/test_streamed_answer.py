"""Responses that arrive in parts."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import requests

from dashboard.engine.protocol import EngineError
from dashboard.engine.streamed_answer import StreamedAnswer
from dashboard.engine.transports.unix import UnixAdapter
from tests.engine.fake_engine import fake_engine, http
from tests.support.polling import DEADLINE_S, until


def open_answer(endpoint: str, timeout_s: float = DEADLINE_S) -> tuple[requests.Session, StreamedAnswer]:
    session = requests.Session()
    session.mount("http+docker://", UnixAdapter(endpoint.removeprefix("unix://"), timeout_s, 2))
    response = session.get("http+docker://localhost/", stream=True, timeout=timeout_s)
    return session, StreamedAnswer(response, lambda error: EngineError(f"translated: {type(error).__name__}"))


def test_lines_are_complete_in_whatever_pieces_they_arrive(tmp_path: Path) -> None:
    body = b"one\ntwo\n" + b"x" * 200_000 + b"\nlast without an end"
    with fake_engine(tmp_path, lambda _m, _p: http(body)) as fake:
        session, answer = open_answer(fake.endpoint)
        assert [len(line) for line in answer.lines()] == [3, 3, 200_000, 19]
        session.close()


def test_a_line_of_more_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    with fake_engine(tmp_path, lambda _m, _p: http(b"x" * (3 << 20))) as fake:
        session, answer = open_answer(fake.endpoint)
        with pytest.raises(EngineError, match="more than 1 MB"):
            list(answer.lines())
        session.close()


def test_a_broken_connection_is_translated(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"
    with fake_engine(tmp_path, lambda _m, _p: cut) as fake:
        session, answer = open_answer(fake.endpoint)
        with pytest.raises(EngineError, match="translated"):
            list(answer.chunks())
        session.close()


def test_a_read_without_end_is_woken_from_another_thread(tmp_path: Path) -> None:
    silent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with fake_engine(tmp_path, lambda _m, _p: silent) as fake:
        session, answer = open_answer(fake.endpoint)
        answer.wait_at_most(0.5)
        answer.wait_at_most(None)
        ended = threading.Event()

        def read() -> None:
            try:
                list(answer.chunks())
            except EngineError:
                pass
            finally:
                ended.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert not ended.wait(0.7)
        answer.shutdown()
        assert ended.wait(20)
        reader.join()
        answer.shutdown()
        session.close()


def test_a_response_that_is_not_read_is_closed(tmp_path: Path) -> None:
    with fake_engine(tmp_path, lambda _m, _p: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") as fake:
        session, answer = open_answer(fake.endpoint)
        answer.shutdown()
        until(lambda: fake._open[0].fileno() == -1)
        assert list(answer.chunks()) == []
        session.close()
