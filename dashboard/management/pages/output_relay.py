"""Prints what the web process writes, so that the web process needs no access to the terminal.

With a descriptor of root's terminal, that process could read what root types, and control the terminal.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

from dashboard.core.comparison.text_table import printable

#: The size of a read, and the pause after it: a process that never stops writing must not keep the lab busy.
CHUNK_BYTES, PAUSE_S = 16_384, 0.02
#: The capacity of a pipe (pipe(7)).
PIPE_BYTES = 65_536
#: A longer line is printed in pieces.
MAX_LINE_BYTES = 8_192
#: The prefix of each line: it marks the text as that of a process that the lab does not trust.
PREFIX = "web: "


class OutputRelay:
    """Reads from a pipe what the web process writes into it, and prints each line with ``say``."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts printing lines, in the running event loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._reading, self._relay)

    def flush(self) -> None:
        """Prints all remaining output, including an incomplete line. Call it once the web process has ended."""
        for _ in range(PIPE_BYTES // CHUNK_BYTES + 1):
            if not self._read():
                break
        if self._rest:
            self._print(self._rest)
            self._rest = b""

    def stop(self) -> None:
        """Stops printing. Call it in the event loop in which ``start`` was called."""
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._reading)
            self._loop = self._timer = None

    def close(self) -> None:
        """Prints the remaining output and closes the reading end of the pipe."""
        self.flush()
        os.close(self._reading)

    def close_writing(self) -> None:
        """Closes the lab's copy of the pipe's writing end. Call it once the web process has inherited that end."""
        os.close(self.writing)

    def _relay(self) -> None:
        if self._loop is None:
            return
        self._loop.remove_reader(self._reading)
        if self._read():
            self._timer = self._loop.call_later(PAUSE_S, self._loop.add_reader, self._reading, self._relay)

    def _read(self) -> bool:
        """Reads the next chunk and prints its complete lines. Returns False if nothing could be read."""
        try:
            chunk = os.read(self._reading, CHUNK_BYTES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._print(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._print(self._rest)
            self._rest = b""
        return bool(chunk)

    def _print(self, line: bytes) -> None:
        with suppress(OSError):
            self._say(PREFIX + printable(line.decode("utf-8", "replace").expandtabs()))
