"""A fake engine on a unix socket. The test determines every byte of its responses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Respond = Callable[[str, str], bytes]


def http(body: bytes, status: int = 200, kind: str = "application/json") -> bytes:
    """A complete HTTP response."""
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def version() -> bytes:
    """The response to the SDK's first request."""
    return http(b'{"ApiVersion":"1.45","Version":"26.1.5"}')


class FakeEngine:
    """``respond(method, path)`` gives the raw bytes of each response; an empty response closes the connection.

    ``requests``, ``heads`` and ``bodies`` record what was sent, in order. The response to a path that ends with
    ``closes_after`` ends with the connection.
    """

    closes_after = "\0"

    def __init__(self, path: Path, respond: Respond) -> None:
        self.endpoint = f"unix://{path}"
        self.respond = respond
        self.requests: list[tuple[str, str]] = []
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(64)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._server.accept()
                self._open.append(peer)
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            waiting = b""
            while True:
                while b"\r\n\r\n" not in waiting:
                    data = peer.recv(65536)
                    if not data:
                        return
                    waiting += data
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                while len(waiting) < length:
                    waiting += peer.recv(65536)
                body, waiting = waiting[:length], waiting[length:]
                method, path, _ = head.decode("latin-1").split(" ", 2)
                self.requests.append((method, path))
                self.heads.append(head.decode("latin-1"))
                self.bodies.append(body)
                answer = self.respond(method, path)
                if not answer:
                    return
                peer.sendall(answer)
                if path.endswith(self.closes_after):
                    return

    def close(self) -> None:
        """Closes the socket and every connection."""
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._accepting.join()


@contextmanager
def fake_engine(folder: Path, respond: Respond) -> Iterator[FakeEngine]:
    """A fake engine, closed at the end."""
    engine = FakeEngine(folder / "fake.sock", respond)
    try:
        yield engine
    finally:
        engine.close()
