"""dashboard.bench.experiments.first_visit."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable

import pytest

from dashboard.bench.experiments.first_visit import Fetched, fetch, first_visit, references

PAGE = """<link rel="icon" href="/i.svg"><link rel="modulepreload" href="/js/core/late.js">
<link rel="stylesheet" href="/a.css"><link rel="canonical" href="/other/">
<script type="module" src="/js/main.js"></script><a href="/elsewhere/">x</a><img src="https://far.test/x.png">"""
SITE = {
    "/page/": ("text/html", PAGE),
    "/i.svg": ("image/svg+xml", "<svg/>"),
    "/a.css": (
        "text/css",
        '@import "b.css"; p { background: url(fonts/f.woff2#x) } q { background: url("//far.test/") }',
    ),
    "/b.css": ("text/css", ""),
    "/fonts/f.woff2": ("font/woff2", ""),
    "/js/main.js": ("text/javascript", 'import { a } from "./core/a.js";\nimport "./b.js";\nconst x = "./no.js";'),
    "/js/core/a.js": ("text/javascript", 'export * from "../b.js"; const later = () => import("./other_pages.js");'),
    "/js/core/other_pages.js": ("text/javascript", ""),
    "/js/core/late.js": ("application/javascript", ""),
    "/js/b.js": ("text/javascript", ""),
}


def from_site(path: str) -> Fetched:
    kind, text = SITE[path]
    return Fetched(path, 200, kind, len(text), text, compressed=False)


def test_everything_that_a_page_references_is_fetched_once() -> None:
    paths = [one.path for one in first_visit("/page/", from_site)]
    assert sorted(paths) == sorted({*SITE} - {"/js/core/other_pages.js"})
    assert paths[0] == "/page/"


def test_other_servers_and_links_are_not_counted() -> None:
    assert list(references(from_site("/page/"))) == ["/i.svg", "/js/core/late.js", "/a.css", "/js/main.js"]
    assert list(references(from_site("/a.css"))) == ["/b.css", "/fonts/f.woff2"]


def test_a_missing_file_is_an_error_not_a_small_page() -> None:
    def gone(path: str) -> Fetched:
        return Fetched(path, 404, "text/html", 9, "", compressed=False)

    with pytest.raises(RuntimeError, match="/page/ answered 404"):
        first_visit("/page/", gone)


def answer_once(answer: bytes) -> tuple[str, Callable[[], bytes]]:
    """A server for one request: yields its host, and a function that returns the request."""
    listening = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, listening:
            asked.append(connection.recv(65536))
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()

    def request() -> bytes:
        thread.join(5)
        return asked[0]

    return f"127.0.0.1:{listening.getsockname()[1]}", request


def test_every_byte_on_the_wire_counts_and_the_text_is_decompressed() -> None:
    body = gzip.compress(b"<p>hello</p>" * 100)
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n"
        b"Connection: close\r\n\r\n" + body
    )
    host, request = answer_once(answer)
    found = fetch(host, "/page/", {"Cookie": "sessionid=1"})
    assert (found.status, found.kind, found.compressed) == (200, "text/html", True)
    assert found.wire_bytes == len(answer)
    assert found.text == "<p>hello</p>" * 100
    asked = request()
    assert asked.startswith(b"GET /page/ HTTP/1.1\r\n")
    assert b"Accept-Encoding: gzip\r\n" in asked
    assert b"Cookie: sessionid=1\r\n" in asked


def test_chunks_are_joined_and_their_framing_counts() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na{}\r\n0\r\n\r\n"
    host, _ = answer_once(answer)
    found = fetch(host, "/a.css", {})
    assert (found.text, found.wire_bytes) == ("a{}", len(answer))
