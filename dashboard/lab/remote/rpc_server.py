"""What a lab does for web processes elsewhere: says that it is there, answers questions, looks for what is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from dashboard import configuration
from dashboard.core.operations.deployment import HEARTBEAT_S, KEPT_S, LabFacts
from dashboard.lab import liveness
from dashboard.lab.remote import rpc
from dashboard.lab.remote.terminal_relay import TerminalServer
from dashboard.lab.remote.wakeups import WEB, Wakeup, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.store.database import DatabaseThread
from dashboard.store.log_once import LogOnce
from dashboard.store.operations import rpc_queue
from dashboard.store.operations.rpc_queue import Asked

log = logging.getLogger(__name__)
ASKED_S = 0.5
WANTS_S = 1.0
RETRY_S = 1.0
PIECES_S = 0.1


class RpcServer:
    """The side of a supervisor that is turned to the database. ``lost`` is called when another lab has taken over."""

    def __init__(self, supervisor: Supervisor, wakes: WakeupChannel, lost: Callable[[], None]) -> None:
        self._supervisor = supervisor
        self._wakes = wakes
        self._lost = lost
        self._database = DatabaseThread()
        self._asked = asyncio.Event()
        self._looked = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._answers: set[asyncio.Task[None]] = set()
        self._terminals = TerminalServer(supervisor)
        self._number = 0
        self._facts: LabFacts | None = None
        self._seen: object = None

    def heard(self, wake: Wakeup) -> None:
        """A wake-up for the lab."""
        if wake[0] in {"ask", "all"}:
            self._asked.set()
        if wake[0] in {"look", "all"}:
            self._supervisor.wake()

    async def start(self) -> None:
        """Begins."""
        self._number = int(time.time() * 1000)  # greater than that of whoever was here before
        loop = asyncio.get_running_loop()
        jobs: list[tuple[str, Callable[[], Coroutine[Any, Any, None]], float]] = [
            ("beat", self._beat, HEARTBEAT_S),
            ("wants", self._wants, WANTS_S),
            ("forget", self._forget, KEPT_S / 10),
        ]
        self._loops = [loop.create_task(self._every(job, pause), name=f"team-{name}") for name, job, pause in jobs]
        self._loops.append(loop.create_task(self._answer_all(), name="team-answers"))
        self._terminals.start()

    async def close(self) -> None:
        """Says that it goes, and ends."""
        tasks, self._loops = [*self._loops, *self._answers], []
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._terminals.close()
        with contextlib.suppress(Exception):  # without a database the silence says the same
            async with asyncio.timeout(2.0):
                await self._database.run(rpc_queue.beat, 0, LabFacts(None, "The lab was stopped."), time.time())
                self._wakes.send(WEB, "beat")
        await asyncio.to_thread(liveness.remove_heartbeat, configuration.data_dir())
        await asyncio.to_thread(self._database.close)

    async def _every(self, job: Callable[[], Coroutine[Any, Any, None]], pause_s: float) -> None:
        log_once = LogOnce(log, "the lab could not reach its database")
        while True:
            await log_once.run(job)
            await asyncio.sleep(pause_s)

    # Beats.

    def facts(self) -> LabFacts:
        """What the pages show."""
        context = self._supervisor.context
        return LabFacts(context.ref if context is not None else None, self._supervisor.problem, self._supervisor.beat())

    async def _beat(self) -> None:
        if not await self._supervisor.holds_database():
            log.error("another lab drives the experiments of this database now: this one ends")
            self._lost()
            return
        if self._supervisor.waits:
            return  # another lab beats
        if self._facts is None:
            await self._database.run(rpc_queue.let_lapse)
        self._number += 1
        facts = self.facts()
        await self._database.run(rpc_queue.beat, self._number, facts, time.time())
        await asyncio.to_thread(liveness.note_heartbeat, configuration.data_dir())
        said, before = replace(facts, heart=None), self._facts
        self._facts = said
        if said != before:
            self._wakes.send(WEB, "beat")

    async def _forget(self) -> None:
        if not self._supervisor.waits:
            await self._database.run(rpc_queue.forget_old, time.time())

    async def _wants(self) -> None:
        """Wake-ups may be lost: what is wanted stands in rows."""
        seen = await self._database.run(rpc_queue.wants)
        if seen != self._seen:
            self._seen = seen
            self._supervisor.wake()

    # Answers.

    async def _answer_all(self) -> None:
        failed = False
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), ASKED_S)
            self._asked.clear()
            try:
                found = () if self._supervisor.waits else await self._database.run(rpc_queue.take, time.time())
                failed = False
            except Exception as error:  # noqa: BLE001 - the database may be away: it is tried again
                if not failed:
                    log.warning("the lab could not read what it is asked: %s", error)
                failed = True
                await asyncio.sleep(RETRY_S)
                continue
            if len(found) == rpc_queue.AT_ONCE:
                self._asked.set()
            for one in found:
                task = asyncio.get_running_loop().create_task(self._answer(one), name=f"answer-{one.name}")
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)

    async def _answer(self, one: Asked) -> None:
        state, text = rpc_queue.ANSWERED, ""
        try:
            question = rpc.REMOTE_CALLS.get(one.name)
            if question is None:
                raise LabUnavailableError("The lab is of another version than these pages: bring both to the same.")  # noqa: TRY301
            arguments = question.decode_arguments(one.arguments)
            async with asyncio.timeout(max(0.1, one.deadline - time.time())):
                answer = await question.function(await rpc.call_target(self._supervisor, question, one.host), *arguments)
                if question.streams:
                    await self._print(one.id, answer)
                else:
                    text = question.encode_answer(answer)
        except Exception as error:
            state, text = rpc_queue.REFUSED, rpc.encode_error(error)
            if rpc.LabFailedError.__name__ in text:
                log.exception("the lab failed at %s", one.name)
        try:
            await self._database.run(rpc_queue.answer, one.id, state, text)
        except Exception as error:  # noqa: BLE001 - who asked gives up in time
            log.warning("an answer to %s could not be written: %s", one.name, error)
        self._wakes.send(WEB, "answer", str(one.id))

    async def _print(self, request: int, pieces: AsyncGenerator[str]) -> None:
        """Gathers what a command prints, for some moments each time, and ends it when nobody reads any more."""
        loop = asyncio.get_running_loop()
        waiting: list[str] = []
        printed, written = 0, loop.time() - PIECES_S
        async with aclosing(pieces):
            async for text in pieces:
                waiting.append(text)
                printed += len(text)
                if printed > rpc_queue.MOST_OUTPUT:
                    waiting.append("\n[cut here]\n")
                    break
                if loop.time() - written < PIECES_S:
                    continue
                if not await self._database.run(rpc_queue.print_to, request, "".join(waiting)):
                    return
                waiting.clear()
                written = loop.time()
                self._wakes.send(WEB, "answer", str(request))
        if waiting:
            await self._database.run(rpc_queue.print_to, request, "".join(waiting))
