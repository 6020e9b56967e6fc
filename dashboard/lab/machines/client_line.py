"""Queues of the blocks that clients on other machines must measure. The run of the measurement adds blocks, and a web
process carries them to the clients' machines."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteBlock, RemoteCommand
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.latency.remote_clients import ClientLostError

#: Seconds that one call of a web process waits for a block; and seconds without a call after which a web process no
#: longer carries a run's blocks. A run waits for an answer this much longer than the time for the block.
POLL_S = 5.0
CARRIER_S = 12.0
NO_CARRIER = "No web process relays the measurement to {0}. Start the measurement again."


class ClientLine:
    """The queue of one run's blocks for clients on the machines ``names``. It holds at most one block at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._clients: asyncio.Future[tuple[MachineClient, ...]] = asyncio.get_running_loop().create_future()
        self._command = RemoteCommand()
        self._answer: asyncio.Future[RemoteAnswer] | None = None
        self._is_new = asyncio.Event()
        self._is_over = False

    async def clients(self) -> tuple[MachineClient, ...]:
        """Returns the machines of the clients, as the web process has reported them. If no web process calls within
        ``CARRIER_S`` seconds, the ``problem`` of each machine states this."""
        await asyncio.wait([self._clients], timeout=CARRIER_S)
        if self._clients.done():
            return self._clients.result()
        return tuple(MachineClient(name, problem=NO_CARRIER.format(name)) for name in self.names)

    async def next(self, clients: tuple[MachineClient, ...], number: int, answer: RemoteAnswer | None) -> RemoteCommand:
        """Receives the answer to block ``number``, and returns the next block.

        ``answer`` is None if there is no answer. A block that was not answered is returned again. If no block is ready
        within ``POLL_S`` seconds, returns a command with the number 0. If the run is over, returns a command with
        ``is_over``.

        ``clients`` are the machines of the run's clients, each with its interfaces and routes or the reason why it
        cannot measure. Only the first call needs them; it stores them for the method ``clients``.
        """
        if not self._clients.done():
            self._clients.set_result(tuple(client for client in clients if client.name in self.names))
        waiting = self._answer
        if answer is not None and number == self._command.number and waiting is not None and not waiting.done():
            self._is_new.clear()
            waiting.set_result(answer)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._is_new.wait()
                return RemoteCommand(is_over=True) if self._is_over else self._command
        return RemoteCommand()

    async def ask(self, machine: str, block: RemoteBlock, within_s: float) -> dict[str, Any]:
        """Hands out a block for the client on ``machine``, and waits for the answer. If none arrives in time, returns a
        dict with the key ``error``. Raises ClientLostError if the client will not answer later blocks either.
        ``within_s`` is the time for the measurement of the block in seconds."""
        answer: asyncio.Future[RemoteAnswer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._command = RemoteCommand(self._command.number + 1, machine, block)
        self._is_new.set()
        try:
            await asyncio.wait([answer], timeout=within_s + CARRIER_S)
            if not answer.done():
                return {"error": NO_CARRIER.format(machine)}
            result = answer.result()
        finally:
            self._answer = None
            if not self._is_over:
                self._is_new.clear()
        if result.lost:
            raise ClientLostError(result.lost)
        return result.fields

    def close(self) -> None:
        """Reports that the run is over, to the web process that is waiting in ``next``."""
        self._is_over = True
        self._is_new.set()


class ClientLines:
    """The queues (``ClientLine``) of a lab's runs. Also records which web process carries the blocks of each run: the
    first that calls. If it has not called for ``CARRIER_S`` seconds, another web process can take over."""

    def __init__(self) -> None:
        self._lines: dict[str, ClientLine] = {}
        self._carriers: dict[str, tuple[str, float]] = {}
        self._opened = asyncio.Event()

    def open(self, run: str, names: Sequence[str]) -> ClientLine:
        """Opens the queue of a run that is starting."""
        line = self._lines[run] = ClientLine(names)
        self._opened.set()
        self._opened = asyncio.Event()
        return line

    def close(self, run: str) -> None:
        """Closes the queue of a run that has ended."""
        self._carriers.pop(run, None)
        if (line := self._lines.pop(run, None)) is not None:
            line.close()

    def carry(self, run: str, carrier: str) -> bool:
        """Makes ``carrier`` the web process that carries a run's blocks. Does nothing if another web process carries
        them. Returns whether ``carrier`` carries them now."""
        now = asyncio.get_running_loop().time()
        self._carriers = {key: one for key, one in self._carriers.items() if now - one[1] < CARRIER_S}
        if self._carriers.get(run, (carrier, now))[0] != carrier:
            return False
        self._carriers[run] = carrier, now
        return True

    async def next(
        self, run: str, carrier: str, clients: tuple[MachineClient, ...], number: int, answer: RemoteAnswer | None
    ) -> RemoteCommand:
        """Calls ``ClientLine.next`` for the queue of the run ``run``, and returns its result.

        If another web process carries the run's blocks, returns a command with ``is_over``. If the run has not started
        yet or has ended, returns a command with the number 0. This does not tell the two apart: the web process learns
        from the database that the run has ended.
        """
        if not self.carry(run, carrier):
            return RemoteCommand(is_over=True)
        if run not in self._lines:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._opened.wait()
        line = self._lines.get(run)
        command = RemoteCommand() if line is None else await line.next(clients, number, answer)
        self.carry(run, carrier)
        return command
