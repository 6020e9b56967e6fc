"""The lab's side of remote calls: heartbeats, results of calls, and passes when the wanted state changes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from dashboard import configuration
from dashboard.core.operations.deployment import HEARTBEAT_S, RETENTION_S, LabFacts
from dashboard.lab import liveness
from dashboard.lab.remote import rpc
from dashboard.lab.remote.terminal_relay import TerminalServer
from dashboard.lab.remote.wakeups import WEB, Wakeup, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.store.database import DatabaseThread
from dashboard.store.log_once import LogOnce
from dashboard.store.operations import rpc_queue
from dashboard.store.operations.rpc_queue import TakenCall

log = logging.getLogger(__name__)
#: Seconds between two reads of the queue, of the wanted state, of the queue after an error; and between writes of
#: output.
CALLS_S = 0.5
WANTED_S = 1.0
RETRY_S = 1.0
OUTPUT_S = 0.1


class RpcServer:
    """Serves the remote calls of a lab. ``on_lost`` is called when another lab has taken over the database."""

    def __init__(self, supervisor: Supervisor, wakeups: WakeupChannel, on_lost: Callable[[], None]) -> None:
        self._supervisor = supervisor
        self._wakeups = wakeups
        self._on_lost = on_lost
        self._database = DatabaseThread()
        self._called = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._terminals = TerminalServer(supervisor)
        self._number = 0
        self._facts: LabFacts | None = None
        self._wanted: object = None

    def on_wakeup(self, wakeup: Wakeup) -> None:
        """Handles a wake-up for the lab."""
        if wakeup[0] in {"ask", "all"}:
            self._called.set()
        if wakeup[0] in {"look", "all"}:
            self._supervisor.wake()

    async def start(self) -> None:
        """Starts the loops."""
        self._number = int(time.time() * 1000)  # greater than the numbers of earlier labs
        loop = asyncio.get_running_loop()
        jobs: list[tuple[str, Callable[[], Coroutine[Any, Any, None]], float]] = [
            ("heartbeat", self._send_heartbeat, HEARTBEAT_S),
            ("wanted", self._check_wanted, WANTED_S),
            ("delete-old", self._delete_old, RETENTION_S / 10),
        ]
        self._loops = [loop.create_task(self._every(job, pause), name=f"rpc-{name}") for name, job, pause in jobs]
        self._loops.append(loop.create_task(self._take_calls(), name="rpc-calls"))
        self._terminals.start()

    async def close(self) -> None:
        """Stops, and reports the lab as stopped."""
        tasks, self._loops = [*self._loops, *self._calls], []
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._terminals.close()
        with contextlib.suppress(Exception):  # without a database the lab is soon considered unavailable
            async with asyncio.timeout(2.0):
                stopped = LabFacts(None, "The lab was stopped.")
                await self._database.run(rpc_queue.record_heartbeat, 0, stopped, time.time())
                self._wakeups.send(WEB, "beat")
        await asyncio.to_thread(liveness.remove_heartbeat, configuration.data_dir())
        await asyncio.to_thread(self._database.close)

    async def _every(self, job: Callable[[], Coroutine[Any, Any, None]], pause_s: float) -> None:
        log_once = LogOnce(log, "the lab cannot use its database")
        while True:
            await log_once.run(job)
            await asyncio.sleep(pause_s)

    def facts(self) -> LabFacts:
        """The facts for pages."""
        context = self._supervisor.context
        engine = context.ref if context is not None else None
        return LabFacts(engine, self._supervisor.problem, self._supervisor.heartbeat())

    async def _send_heartbeat(self) -> None:
        if not await self._supervisor.holds_database():
            log.error("another lab has taken over this database; this lab stops")
            self._on_lost()
            return
        if self._supervisor.waits:
            return  # another lab sends heartbeats
        if self._facts is None:
            await self._database.run(rpc_queue.abandon_taken_calls)
        self._number += 1
        facts = self.facts()
        await self._database.run(rpc_queue.record_heartbeat, self._number, facts, time.time())
        await asyncio.to_thread(liveness.note_heartbeat, configuration.data_dir())
        shown, before = replace(facts, heartbeat=None), self._facts
        self._facts = shown
        if shown != before:
            self._wakeups.send(WEB, "beat")

    async def _delete_old(self) -> None:
        if not self._supervisor.waits:
            await self._database.run(rpc_queue.delete_old, time.time())

    async def _check_wanted(self) -> None:
        """Wake-ups may be lost; the wanted state is in rows."""
        wanted = await self._database.run(rpc_queue.wanted_state)
        if wanted != self._wanted:
            self._wanted = wanted
            self._supervisor.wake()

    async def _take_calls(self) -> None:
        log_once = LogOnce(log, "the lab cannot read its calls")
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), CALLS_S)
            self._called.clear()
            if not await log_once.run(self._take_batch):
                await asyncio.sleep(RETRY_S)

    async def _take_batch(self) -> None:
        calls = () if self._supervisor.waits else await self._database.run(rpc_queue.take_calls, time.time())
        if len(calls) == rpc_queue.BATCH:
            self._called.set()
        for call in calls:
            task = asyncio.get_running_loop().create_task(self._handle(call), name=f"call-{call.name}")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _handle(self, taken: TakenCall) -> None:
        state, text = rpc_queue.ANSWERED, ""
        try:
            call = rpc.REMOTE_CALLS.get(taken.name)
            if call is None:
                raise LabUnavailableError("Lab and pages have different versions: update both to the same.")  # noqa: TRY301
            arguments = call.decode_arguments(taken.arguments)
            async with asyncio.timeout(max(0.1, taken.deadline - time.time())):
                result = await call.function(await rpc.call_target(self._supervisor, call, taken.host), *arguments)
                if call.streams:
                    await self._write_output(taken.id, result)
                else:
                    text = call.encode_result(result)
        except Exception as error:
            state, text = rpc_queue.REFUSED, rpc.encode_error(error)
            if rpc.LabFailedError.__name__ in text:
                log.exception("the lab failed while it handled %s", taken.name)
        try:
            await self._database.run(rpc_queue.finish_call, taken.id, state, text)
        except Exception as error:  # noqa: BLE001 - the caller times out
            log.warning("cannot write the result of %s: %s", taken.name, error)
        self._wakeups.send(WEB, "answer", str(taken.id))

    async def _write_output(self, call: int, output: AsyncGenerator[str]) -> None:
        """Writes the output of a command in batches; stops the command when its caller no longer waits."""
        loop = asyncio.get_running_loop()
        pending: list[str] = []
        printed, written_at = 0, loop.time() - OUTPUT_S
        async with aclosing(output):
            async for text in output:
                pending.append(text)
                printed += len(text)
                if printed > rpc_queue.MAX_OUTPUT:
                    pending.append("\n[cut here]\n")
                    break
                if loop.time() - written_at < OUTPUT_S:
                    continue
                if not await self._database.run(rpc_queue.append_output, call, "".join(pending)):
                    return
                pending.clear()
                written_at = loop.time()
                self._wakeups.send(WEB, "answer", str(call))
        if pending:
            await self._database.run(rpc_queue.append_output, call, "".join(pending))
