"""Reads the Engine's events in a thread, reconnects whenever the connection ends, and delivers the events to
asyncio."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Protocol

from dashboard.engine.decoding import engine_event
from dashboard.engine.protocol import EngineError, EngineEvent

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
LINE_LIMIT_BYTES = 1 << 20
WAITING_LIMIT = 10_000


class OpenStream(Protocol):
    """A connected event stream. ``chunks`` blocks while no data arrives; a call of ``shutdown`` in another thread ends
    it."""

    def chunks(self) -> Iterator[bytes]:
        """Yields the received bytes until the stream ends. Raises EngineError if the connection breaks."""

    def shutdown(self) -> None:
        """Makes ``chunks`` end, even if it is waiting for data."""


class EventStream:
    """A subscription to the Engine's events that reconnects by itself. ``connect`` opens a stream: it blocks until the
    Engine accepts, or raises EngineError.

    The Engine drops events for a client that does not read for 100 ms (Moby, ``daemon/events``). So a thread does
    nothing but read events into a bounded queue. If the consumer is slow and the queue overflows, the queue is cleared.
    The consumer then receives another ``connected`` event, after which it must list everything again.
    """

    def __init__(self, connect: Callable[[], OpenStream]) -> None:
        self._connect = connect
        self._waiting: deque[EngineEvent] = deque()
        self._ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._open: OpenStream | None = None
        self._thread = threading.Thread(target=self._run, name="netmodes-engine-events", daemon=True)

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yields events until ``stop`` is called or the caller is cancelled. Call it only once."""
        self._thread.start()
        try:
            while not self._stopped.is_set():
                await self._ready.wait()
                self._ready.clear()
                while self._waiting:
                    yield self._waiting.popleft()
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends the stream at once. May be called from any thread, and more than once."""
        self._stopped.set()
        with self._lock:
            stream = self._open
        if stream is not None:
            stream.shutdown()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ready.set)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopped.is_set():
            reason = "the Engine closed its event stream"
            try:
                stream = self._connect()
                with self._lock:
                    self._open = stream
                if self._stopped.is_set():
                    stream.shutdown()
                    return
                pause = FIRST_PAUSE_S
                self._deliver(_notice("connected"))
                self._read(stream)
            except EngineError as error:
                reason = str(error)
            finally:
                with self._lock:
                    self._open = None
            if self._stopped.is_set():
                return
            self._deliver(_notice("lost", reason))
            self._stopped.wait(pause)
            pause = min(pause * 2, MAX_PAUSE_S)

    def _read(self, stream: OpenStream) -> None:
        rest = b""
        for chunk in stream.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT_BYTES:
                raise EngineError("the Engine sent an event of more than 1 MB")
            for line in lines:
                event = engine_event(line) if len(line) <= LINE_LIMIT_BYTES else None
                if event is not None:
                    self._deliver(event)

    def _deliver(self, event: EngineEvent) -> None:
        with suppress(RuntimeError):  # the loop is closed: there is no consumer
            self._loop.call_soon_threadsafe(self._accept, event)

    def _accept(self, event: EngineEvent) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self._waiting.clear()
            event = _notice("connected", "more events than the consumer read: list again")
        self._waiting.append(event)
        self._ready.set()


def _notice(action: str, reason: str = "") -> EngineEvent:
    return EngineEvent("stream", action, "", {}, {"reason": reason} if reason else {})
