"""The client on this machine that measures for an experiment on another machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteBlock, block_problem, client_command
from dashboard.latency.children import Child, ChildEnded
from dashboard.latency.environment import pick_cores
from dashboard.netns.namespace import Namespace

#: Seconds that a client waits for its next block before it ends; and seconds that a run's first block waits for another
#: measurement on this machine.
IDLE_S = 30.0
TURN_S = 5.0
#: Seconds that a block may take beyond the longest time of its client.
ANSWER_S = 5.0
type OpenNamespace = Callable[[str], Awaitable[Namespace]]
BUSY = "Another measurement is running on this machine."


class LentClient:
    """Holds the client processes on this machine that measure for one run of an experiment on another machine. While
    they exist, nothing else is measured on this machine, because two measurements would disturb each other. ``turn`` is
    the lock that all measurements on this machine share."""

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._run = ""
        #: The web process that brought the latest block.
        self._carrier = ""
        #: The addresses to which this run may send, from the machine and from an arm.
        self._addresses: set[tuple[bool, str]] = set()
        #: The client processes, each with the inode of its namespace, by whether they measure from an arm, and by
        #: conditions.
        self._children: dict[tuple[bool, Conditions], tuple[Child, int]] = {}
        self._idle: asyncio.TimerHandle | None = None
        self._ends: set[asyncio.Task[None]] = set()
        #: Held while a block is measured or the processes are ended.
        self._lock = asyncio.Lock()

    async def measure(self, run: str, carrier: str, block: RemoteBlock, open_namespace: OpenNamespace) -> RemoteAnswer:
        """Measures a block that the web process ``carrier`` brings, and returns the result. The first block of a run
        starts the client process. If another measurement is running or the block is invalid, the field ``lost`` of the
        result states that.

        ``open_namespace`` opens the network stack from which the block is measured. It raises ValueError with a message
        if requests from this stack to the block's address are not permitted.
        """
        if problem := block_problem(block):
            return RemoteAnswer({}, problem)
        async with self._lock:
            if self._run != run and not await self._begin(run):
                return RemoteAnswer({}, BUSY)
            self._carrier = carrier
            self._stop_idle()
            try:
                if not self._needs_check(block):
                    return RemoteAnswer(await self._measure(block, None))
                with await open_namespace(block.address) as namespace:
                    self._addresses.add((block.from_arm, block.address))
                    return RemoteAnswer(await self._measure(block, namespace))
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end_later, run)

    def _needs_check(self, block: RemoteBlock) -> bool:
        """Returns whether the block's address must be checked and the namespace opened.

        This is always necessary for an arm, because it may have been restarted since its last block. For the machine,
        it is necessary only if the address or the ``Conditions`` are new, because reading routes takes longer than a
        block.
        """
        is_known = (False, block.address) in self._addresses and (False, block.conditions) in self._children
        return block.from_arm or not is_known

    async def _measure(self, block: RemoteBlock, namespace: Namespace | None) -> dict[str, Any]:
        """Measures a block with the client process for the block's ``Conditions`` (with or without real-time priority).
        If a ``namespace`` is given, first starts this process there, unless it runs there already."""
        which = block.from_arm, block.conditions
        within_s = block.longest_s + ANSWER_S
        try:
            if namespace is not None and which in self._children and self._children[which][1] != namespace.inode:
                await self._end_children(which)
            if namespace is not None and which not in self._children:
                child = await Child.start("client", [namespace.fd], pick_cores()[0], block.conditions)
                self._children[which] = child, namespace.inode
            ask = self._children[which][0].ask
            return await ask(within_s=within_s, do="block", place=0, name="", **client_command(block))
        except ChildEnded as ended:
            await self._end_children()
            return {"error": str(ended)}
        except BaseException:
            # A late answer would be mistaken for the answer to the next block.
            await asyncio.shield(asyncio.ensure_future(self._end_children()))
            raise

    async def _begin(self, run: str) -> bool:
        """For a run, acquires the lock that all measurements on this machine share. Returns False if another
        measurement holds it."""
        if self._run:
            return False
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            return False
        self._run, self._addresses = run, set()
        return True

    async def end(self, run: str, carrier: str = "") -> None:
        """Ends the client processes of a run. If ``carrier`` is not empty, does so only if this web process brought the
        run's latest block."""
        async with self._lock:
            if run and run == self._run and carrier in {"", self._carrier}:
                self._stop_idle()
                self._run = ""
                try:
                    await self._end_children()
                finally:
                    self._turn.release()

    async def close(self) -> None:
        """Ends the client processes of the current run."""
        await self.end(self._run)
        await asyncio.gather(*self._ends, return_exceptions=True)

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end_later(self, run: str) -> None:
        task = asyncio.get_running_loop().create_task(self.end(run), name="lent-client")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _end_children(self, *keys: tuple[bool, Conditions]) -> None:
        """Ends the client processes with these keys of ``_children``; without arguments, ends all."""
        for child, _inode in [self._children.pop(key) for key in keys or tuple(self._children)]:
            with suppress(ChildEnded):
                await child.end()
