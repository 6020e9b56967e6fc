"""A response that is read while it arrives. One thread reads it; any thread can shut it down."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import requests

from dashboard.engine.protocol import EngineError

LINE_LIMIT_BYTES = 1 << 20


class StreamedAnswer:
    """A response of the library ``requests`` to a request with ``stream=True``. ``translate`` converts an exception of
    the library to the EngineError that is raised instead."""

    def __init__(self, response: requests.Response, translate: Callable[[Exception], EngineError]) -> None:
        self._response = response
        self._translate = translate
        #: Held by the method that closes the response: ``chunks`` or, before the first read, ``shutdown``.
        self._closer = threading.Lock()

    def wait_at_most(self, seconds: float | None) -> None:
        """Sets the timeout of each read in seconds. None means no timeout: an event stream may be silent for any
        time."""
        connection = self._response.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(seconds)

    def chunks(self) -> Iterator[bytes]:
        """Yields the received bytes as they arrive, until the end. Can be called once. Yields nothing after
        ``shutdown``."""
        if not self._closer.acquire(blocking=False):
            return
        try:
            yield from self._response.raw.stream(1 << 16, decode_content=True)
        except Exception as error:
            raise self._translate(error) from error
        finally:
            self._response.close()

    def lines(self) -> Iterator[bytes]:
        """Yields the received bytes as lines. Raises EngineError for a line of more than 1 MB."""
        rest = b""
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT_BYTES:
                raise EngineError("The Engine sent a line of more than 1 MB.")
            yield from lines
        if rest:
            yield rest

    def shutdown(self) -> None:
        """Ends a read that is waiting for data, or closes the response if it was never read. Has no effect if the
        response is complete."""
        if self._closer.acquire(blocking=False):
            self._response.close()
            return
        with suppress(ValueError, RuntimeError, OSError):
            self._response.raw.shutdown()
