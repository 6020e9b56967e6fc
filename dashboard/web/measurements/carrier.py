"""Transfers the blocks of measurements between the lab of the experiment and the labs of clients on other machines.

The lab of the experiment hands out one block at a time, and the lab of a client measures it. Labs do not communicate
with each other, so a web process calls both in turn: it carries the run. Only one web process carries a run at a time.
If that process ends, another one takes over.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Mapping
from contextlib import suppress

from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteCommand
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.lab.machines import blocks
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store.measurements import clients as client_store
from dashboard.store.measurements.clients import CarriedRun
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.machines.clients import (
    CALL_ERRORS,
    DRAINED,
    other_machines,
    overlay_arms,
    row_of,
    view_clients,
)
from dashboard.web.service import Service

log = logging.getLogger(__name__)
#: Seconds until this process tries again to carry a run that another process carries, or whose lab does not respond.
PAUSE_S = 5.0
#: Seconds between two calls that tell the lab of the run, while a client measures, that the run is still carried.
RENEW_S = 4.0


class BlockCarriers:
    """Transfers the blocks of measurement runs between labs, in one task for each run. Use it only in the server's
    event loop."""

    def __init__(self, served: Service) -> None:
        self._service = served
        self._name = secrets.token_hex(8)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Starts a task for each run with clients on other machines, unless the run has a task already."""
        for run in await to_db_thread(client_store.load_carried):
            if run.id not in self._tasks:
                task = asyncio.get_running_loop().create_task(self._carry(run), name=f"carry-{run.id}")
                self._tasks[run.id] = task
                task.add_done_callback(lambda _task, key=run.id: self._tasks.pop(key, None))  # type: ignore[misc]

    async def close(self) -> None:
        """Cancels all tasks and ends the clients on other machines."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, run: CarriedRun) -> None:
        """Transfers the blocks of a run until the run has ended.

        If another web process carries the run, or if the lab of the run does not respond, only waits for ``PAUSE_S``.
        ``look`` then starts a new task.
        """
        try:
            if await self._service.ask_on(run.machine, "", blocks.carry_blocks, run.id, self._name):
                await self._carry_blocks(run)
                return
        except LabUnavailableError as error:
            log.warning("blocks of measurement %s are not carried: %s", run.id, error)
        except Exception:
            log.exception("blocks of measurement %s are not carried", run.id)
        await asyncio.sleep(PAUSE_S)

    async def _carry_blocks(self, run: CarriedRun) -> None:
        problems = await to_db_thread(other_machines, run.machine)
        gone = {name: f"The machine {name} has left the installation." for name in run.clients if name not in problems}
        arms = await to_db_thread(overlay_arms, run.experiment)
        clients = await self._while_carrying(run, view_clients(run.clients, problems | gone, arms))
        command, answer, has_begun = RemoteCommand(), None, False
        try:
            while True:
                drained = await to_db_thread(client_store.load_drained, run.id)
                if answer is None and drained is None:
                    return
                shown = clients if answer is None else ()
                command = await self._service.ask_on(
                    run.machine, "", blocks.next_block, run.id, self._name, shown, command.number, answer
                )
                if command.is_over:
                    return
                if command.block is not None and not has_begun:
                    await to_db_thread(client_store.begin_blocks, run.id, run.seconds)
                    has_begun = True
                answer = None if drained is None else await self._measure(run, command, drained, arms)
        finally:
            await asyncio.shield(asyncio.gather(*(self._end(name, run.id) for name in run.clients)))

    async def _while_carrying[T](self, run: CarriedRun, work: Awaitable[T]) -> T:
        """Awaits ``work`` and returns its result. Meanwhile tells the lab of the run regularly that this process
        carries it."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=RENEW_S))[0]:
                with suppress(*CALL_ERRORS):
                    await self._service.ask_on(run.machine, "", blocks.carry_blocks, run.id, self._name)
            return task.result()
        finally:
            task.cancel()

    async def _measure(
        self, run: CarriedRun, command: RemoteCommand, drained: frozenset[str], arms: Mapping[str, OverlayArm]
    ) -> RemoteAnswer | None:
        """Makes a client measure the block in ``command``, and returns the client's answer.

        Returns None if ``command`` has no block, or if its machine is not a client of the run. ``drained`` are the
        names of machines that accept no new work. ``arms`` contains, by name of the machine, an arm of the experiment
        that runs there.
        """
        if command.block is None or command.machine not in run.clients:
            return None
        if command.machine in drained:
            return RemoteAnswer({}, DRAINED.format(command.machine))
        asked = self._service.ask_on(
            row_of(command.machine),
            "",
            blocks.measure_block,
            run.id,
            self._name,
            command.block,
            arms.get(command.machine),
        )
        try:
            answer: RemoteAnswer = await self._while_carrying(run, asked)
        except (LabUnavailableError, ValueError) as error:
            return RemoteAnswer({}, str(error))
        except Exception as error:
            log.exception("a client on %s failed", command.machine)
            return RemoteAnswer({}, f"The client on {command.machine} failed: {error}.")
        return answer

    async def _end(self, name: str, run: str) -> None:
        """Ends the client on the machine ``name``. If the machine does not respond, its lab ends the client after a
        timeout."""
        try:
            await self._service.ask_on(row_of(name), "", blocks.end_client, run, self._name)
        except (LabUnavailableError, TimeoutError) as error:
            log.info("the client on %s was not ended: %s", name, error)
