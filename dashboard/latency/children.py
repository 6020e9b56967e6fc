"""Starts the measuring processes, sends them commands and ends them."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from dashboard.core.measurements.conditions import Conditions

_ROOT = Path(__file__).resolve().parent.parent.parent
#: Isolated mode (-I) ignores the current folder and PYTHON variables; the program's folder is added.
_BOOT = "import sys; sys.path.insert(0, {root!r}); from dashboard.latency.{module} import main; main()"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_REST_S, _NUDGE_S = 5.0, 0.05
_MOST_LINE_BYTES = 16_777_216


class ChildEnded(Exception):  # noqa: N818 - names the state, not a fault
    """The process has ended or does not answer. ``str()`` is a sentence for the user."""


def _launch(name: str, config: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Starts the client or responder process; this blocks for a few milliseconds. The process ends with the calling
    thread, so do not call this in a worker thread."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BOOT.format(root=str(_ROOT), module=name), json.dumps(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(config["control"], *config["places"]),
        start_new_session=True,
        env=_ENVIRONMENT,
    )


class Child:
    """A client or responder process. It ends with the thread that started it, so start it in the thread of the event
    loop."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(
        cls, name: str, places: Sequence[int], core: int | None, conditions: Conditions = Conditions.QUIET
    ) -> Self:
        """Starts the process of the module ``name``, which is ``client`` or ``responder``. The process inherits
        ``places``, file descriptors of network namespaces. Commands refer to a namespace by its position in ``places``.
        ``core`` is the core to which the process is pinned; None for any core."""
        ours, theirs = socket.socketpair()
        try:
            config = {
                "parent": os.getpid(),
                "control": theirs.fileno(),
                "places": list(places),
                "core": core,
                "conditions": conditions,
            }
            process = _launch(name, config)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours, limit=_MOST_LINE_BYTES)
        except BaseException:
            process.kill()
            process.wait()
            ours.close()
            raise
        return cls(name, process, reader, writer)

    def send(self, **command: Any) -> None:
        """Sends a command. ``receive`` returns its answer."""
        self._writer.write(json.dumps(command).encode() + b"\n")

    async def receive(self, timeout_s: float) -> dict[str, Any]:
        """Returns the next answer. Raises ChildEnded if the process ends or does not answer within ``timeout_s``
        seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._reader.readline()
        except TimeoutError as error:
            raise ChildEnded(f"The {self.name} process did not answer for {timeout_s:g} s.") from error
        except OSError:  # reset: it ended with a command unread
            line = b""
        if not line.endswith(b"\n"):
            raise ChildEnded(await self._describe_end())
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, *, within_s: float = 5.0, **command: Any) -> dict[str, Any]:
        """Sends a command and returns its answer. Raises ChildEnded like ``receive``."""
        self.send(**command)
        return await self.receive(within_s)

    async def rest(self) -> dict[str, Any]:
        """Interrupts the current work of the process and returns the process's answer. Raises ChildEnded if the process
        ends or does not answer in time."""
        self.send(do="rest")
        answer = asyncio.ensure_future(self.receive(_REST_S))
        try:
            # Python does not notice a signal that arrives just before a blocking system call until the call returns.
            # So an empty line repeats the signal until the process answers.
            while not (await asyncio.wait([answer], timeout=_NUDGE_S))[0]:
                self._writer.write(b"\n")
        finally:
            answer.cancel()
        return await answer

    async def _describe_end(self) -> str:
        try:
            code = await asyncio.to_thread(self._process.wait, 2)
        except subprocess.TimeoutExpired:
            return f"The {self.name} process closed its connection."
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"The {self.name} process {how}."

    async def end(self) -> None:
        """Kills the process and waits for its end. Idempotent. A cancellation of the caller takes effect only after the
        process has ended."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
