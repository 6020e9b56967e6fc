"""The remote calls of terminals, for web processes that have no lab."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from dashboard.core.terminal.limits import OutputChunk, TerminalOwner
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.lab.terminal.terminals import Terminals

TERMINAL_CALLS: dict[str, RemoteCall] = {
    call.name: call
    for call in (
        RemoteCall(method)
        for method in (
            Terminals.attach,
            Terminals.start,
            Terminals.read_from,
            Terminals.write,
            Terminals.interrupt,
            Terminals.resize,
            Terminals.detach,
        )
    )
}


class TerminalCalls(ABC):
    """The methods of ``Terminals``, executed by the lab in another process. Those that return a value, ``write`` and
    ``detach`` raise LabUnavailableError if no lab is running; the rest then do nothing."""

    @abstractmethod
    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        """Calls the method with this name (``TERMINAL_CALLS``) and returns its result. ``wait_s`` is the time for which
        the method itself may wait."""

    async def attach(self, owner: TerminalOwner, window: str, cols: int, rows: int) -> OutputChunk:
        """Opens a window of a participant's terminal, and returns its current state. Raises TerminalError."""
        chunk: OutputChunk = await self._call("terminals.attach", owner, window, cols, rows)
        return chunk

    async def start(self, participant: str) -> None:
        """Starts a new shell if the last one has ended."""
        with suppress(LabUnavailableError):  # the window's next call reports it
            await self._call("terminals.start", participant)

    async def read_from(
        self, participant: str, window: str, run: str, offset: int, change: int, wait_s: float
    ) -> OutputChunk:
        """Waits up to ``wait_s`` for output after ``offset``, or another change, and returns it."""
        arguments = (participant, window, run, offset, change, wait_s)
        chunk: OutputChunk = await self._call("terminals.read_from", *arguments, wait_s=wait_s)
        return chunk

    async def write(self, participant: str, window: str, data: bytes) -> None:
        """Sends input to the shell; returns when the shell has read it."""
        await self._call("terminals.write", participant, window, data, wait_s=60.0)

    async def interrupt(self, participant: str, window: str) -> None:
        """Sends Ctrl-C to the shell."""
        with suppress(LabUnavailableError):
            await self._call("terminals.interrupt", participant, window)

    async def resize(self, participant: str, window: str, cols: int, rows: int) -> None:
        """Changes the size of a window."""
        with suppress(LabUnavailableError):
            await self._call("terminals.resize", participant, window, cols, rows)

    async def detach(self, participant: str, window: str) -> None:
        """Closes a window."""
        await self._call("terminals.detach", participant, window)
