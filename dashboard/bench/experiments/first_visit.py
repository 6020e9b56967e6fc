"""What a browser fetches that comes for the first time: the page and everything that it names, counted on the wire."""

from __future__ import annotations

import gzip
import http.client
import io
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

#: At the head of a module. What a page imports later it names itself (modulepreload), other pages' modules it does not.
_IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+|/[^"']+)["']""")
_URL = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")
_LINKS = frozenset({"stylesheet", "icon", "modulepreload", "preload", "manifest"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer. ``wire_bytes`` counts everything that came: status line, headers, body as it was sent."""

    path: str
    status: int
    kind: str
    wire_bytes: int
    text: str
    compressed: bool


class _Replayed(io.BytesIO):
    """What http.client wants of a socket, over bytes that have already come."""

    def makefile(self, *_args: object, **_options: object) -> _Replayed:
        return self


def fetch(host: str, path: str, cookie: str) -> Fetched:
    """One GET as a browser sends it, on a connection of its own, so that its bytes can be counted."""
    name, _, port = host.rpartition(":")
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: gzip",
        f"Cookie: {cookie}",
        "Connection: close",
    )
    received = bytearray()
    with socket.create_connection((name, int(port)), timeout=30) as opened:
        opened.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while chunk := opened.recv(1 << 16):
            received += chunk
    response = http.client.HTTPResponse(_Replayed(bytes(received)))  # type: ignore[arg-type]  # it reads, no more
    response.begin()
    body = response.read()
    compressed = response.headers.get("Content-Encoding") == "gzip"
    kind = response.headers.get_content_type()
    text = (gzip.decompress(body) if compressed else body).decode(errors="replace")
    return Fetched(path, response.status, kind, len(received), text, compressed)


class _Named(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in {"script", "img"} and said.get("src"):
            self.found.append(said["src"] or "")
        elif tag == "link" and _LINKS & set((said.get("rel") or "").split()):
            self.found.append(said.get("href") or "")


def named_by(fetched: Fetched) -> Iterator[str]:
    """The paths of this server that the content makes a browser fetch besides."""
    found: list[str] = []
    if fetched.kind == "text/html":
        parser = _Named()
        parser.feed(fetched.text)
        found = parser.found
    elif "javascript" in fetched.kind:
        found = _IMPORT.findall(fetched.text)
    elif fetched.kind == "text/css":
        found = [one or other for one, other in _URL.findall(fetched.text)]
    for one in found:
        path = urljoin(fetched.path, one).partition("#")[0]
        if path.startswith("/") and not path.startswith("//"):
            yield path


def first_visit(path: str, get: Callable[[str], Fetched]) -> tuple[Fetched, ...]:
    """The page and everything it leads to, each once. RuntimeError if something is missing."""
    waiting, seen, found = [path], {path}, []
    while waiting:
        fetched = get(waiting.pop(0))
        if fetched.status != 200:
            raise RuntimeError(f"{fetched.path} answered {fetched.status}")
        found.append(fetched)
        for one in named_by(fetched):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return tuple(found)
