"""Fetches a page and all files that it references, as a browser does on its first visit, and counts the bytes on the
wire."""

from __future__ import annotations

import gzip
import http.client
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

from dashboard.bench.benchmark import BenchmarkError

#: Static imports. Modules that a page imports later are named in the page (modulepreload), or belong to other pages.
_IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+|/[^"']+)["']""")
_URL = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")
_LINKS = frozenset({"stylesheet", "icon", "modulepreload", "preload", "manifest"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response. ``wire_bytes`` is the number of bytes that were received: status line, headers and encoded body.
    ``kind`` is the media type, ``text`` the decoded body."""

    path: str
    status: int
    kind: str
    wire_bytes: int
    text: str
    compressed: bool


class _Received(io.BytesIO):
    """Received bytes with the part of a socket's interface that http.client uses."""

    def makefile(self, *_args: object, **_options: object) -> _Received:
        return self


def fetch(host: str, path: str, headers: dict[str, str]) -> Fetched:
    """Sends a GET request that accepts gzip. Uses a new connection, so that the bytes of the response can be
    counted."""
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip", **headers, "Connection": "close"})
    with connection.sock as opened:
        received = b"".join(iter(lambda: opened.recv(1 << 16), b""))
    response = http.client.HTTPResponse(_Received(received))  # type: ignore[arg-type]  # it only reads
    response.begin()
    body = response.read()
    compressed = response.headers.get("Content-Encoding") == "gzip"
    text = (gzip.decompress(body) if compressed else body).decode(errors="replace")
    kind = response.headers.get_content_type()
    return Fetched(path, response.status, kind, len(received), text, compressed)


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in {"script", "img"}:
            self.found.append(values.get("src", ""))
        elif tag == "link" and _LINKS & set(values.get("rel", "").split()):
            self.found.append(values.get("href", ""))


def references(fetched: Fetched) -> Iterator[str]:
    """Yields the paths of the files on this server that a page, script or style sheet loads."""
    found: list[str] = []
    if fetched.kind == "text/html":
        parser = _References()
        parser.feed(fetched.text)
        found = parser.found
    elif "javascript" in fetched.kind:
        found = _IMPORT.findall(fetched.text)
    elif fetched.kind == "text/css":
        found = [url or imported for url, imported in _URL.findall(fetched.text)]
    for reference in filter(None, found):
        path = urljoin(fetched.path, reference).partition("#")[0]
        if path.startswith("/") and not path.startswith("//"):
            yield path


def first_visit(path: str, get: Callable[[str], Fetched]) -> tuple[Fetched, ...]:
    """Fetches a page and every file to which it refers, directly or indirectly. Calls ``get`` once for each path.
    Raises BenchmarkError if a status is not 200."""
    waiting, fetched = [path], dict[str, Fetched]()
    while waiting:
        if (path := waiting.pop(0)) in fetched:
            continue
        fetched[path] = get(path)
        if fetched[path].status != 200:
            raise BenchmarkError(f"{path} answered {fetched[path].status}")
        waiting += references(fetched[path])
    return tuple(fetched.values())
