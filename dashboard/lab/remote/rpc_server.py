"""The lab's side of a team deployment: executes calls, sends heartbeats, and starts a pass when the wanted state
changes."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import msgspec

from dashboard import __version__, configuration
from dashboard.core.operations.deployment import HEARTBEAT_S, HeartbeatMessage, LabFacts
from dashboard.core.operations.machines import SERVER
from dashboard.lab import liveness
from dashboard.lab.machine_facts import hosts_for_groups, read_facts
from dashboard.lab.remote.call_server import CallServer
from dashboard.lab.remote.nats_connection import LAB_WAKEUPS, WEB_HEARTBEATS, NatsConnection
from dashboard.lab.remote.wakeups import Wakeup, WakeupChannel
from dashboard.lab.supervisor import Supervisor
from dashboard.store import machines
from dashboard.store.database import DatabaseThread
from dashboard.store.log_once import LogOnce
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.wanted_state import wanted_state

log = logging.getLogger(__name__)
#: Seconds between two readings of the wanted state, and between two updates of the facts about this machine.
WANTED_S = 1.0
NOTE_S = 10.0


class RpcServer:
    """Serves the web processes of a team deployment over NATS. ``on_lost`` is called when another lab has taken over
    this machine."""

    def __init__(
        self, supervisor: Supervisor, nats: NatsConnection, wakeups: WakeupChannel, on_lost: Callable[[], None]
    ) -> None:
        self._supervisor = supervisor
        self._nats = nats
        self._wakeups = wakeups
        self._on_lost = on_lost
        self._database = DatabaseThread()
        self._machine = machines.here() or SERVER
        self._start = f"{self._machine}.{secrets.token_hex(8)}"
        self._losses = 0
        self._beat_now = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._calls = CallServer(supervisor, nats, between_machines=True)
        self._is_announced = False
        self._wanted: object = None

    @property
    def _lab(self) -> str:
        """The name of this lab in heartbeats. It changes each time the connection is lost. Calls to earlier names are
        also executed, because web processes learn the new name only from the next heartbeat."""
        return f"{self._start}.{self._losses}"

    def _on_loss(self) -> None:
        """Takes a new name and cancels all calls, because replies may have been lost. Web processes give up their calls
        when a heartbeat contains a new name."""
        self._losses += 1
        self._calls.cancel()

    def _on_wakeup(self, wakeup: Wakeup) -> None:
        if wakeup[0] in {"beat", "all"}:
            self._beat_now.set()
        if wakeup[0] in {"look", "all"}:
            self._supervisor.wake()

    async def start(self) -> None:
        """Subscribes to calls and wake-ups, and starts sending heartbeats."""
        loop = asyncio.get_running_loop()
        self._nats.on_connect.append(self._beat_now.set)
        self._nats.on_loss.append(self._on_loss)
        await self._calls.listen(self._start)
        await self._wakeups.listen(LAB_WAKEUPS, self._on_wakeup)
        jobs: list[tuple[Callable[[], Coroutine[Any, Any, None]], float]] = [
            (self._send_heartbeat, HEARTBEAT_S),
            (self._check_wanted, WANTED_S),
            *([(self._note_machine, NOTE_S)] if machines.here() else []),
        ]
        self._loops = [loop.create_task(self._every(job, pause), name=f"rpc-{job.__name__}") for job, pause in jobs]
        self._loops.append(loop.create_task(shared_clock.follow(self._database.run), name="database-clock"))

    async def close(self) -> None:
        """Cancels all calls, and sends a last heartbeat with the message that the lab was stopped. Does nothing if
        ``start`` was not called."""
        loops, self._loops = self._loops, []
        if not loops:
            return
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, *self._calls.cancel(), return_exceptions=True)
        if self._is_announced:
            await self._publish_heartbeat(LabFacts(None, "The lab was stopped."), has_ended=True)
        await asyncio.to_thread(liveness.remove_heartbeat, configuration.data_dir())
        await asyncio.to_thread(self._database.close)

    async def _every(self, job: Callable[[], Coroutine[Any, Any, None]], pause_s: float) -> None:
        log_once = LogOnce(log, "the lab cannot use its database")
        now = self._beat_now if job == self._send_heartbeat else asyncio.Event()
        while True:
            await log_once.run(job)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(now.wait(), pause_s)
            now.clear()

    async def _send_heartbeat(self) -> None:
        if not await self._supervisor.holds_database():
            log.error("another lab has taken over this database; this lab stops")
            self._on_lost()
            return
        if self._supervisor.waits:
            return  # another lab drives this machine and sends the heartbeats
        self._supervisor.require_database()
        self._is_announced = True
        await self._publish_heartbeat(replace(self._supervisor.facts, heartbeat=self._supervisor.heartbeat()))

    async def _publish_heartbeat(self, facts: LabFacts, *, has_ended: bool = False) -> None:
        hosts = 0 if has_ended else hosts_for_groups(self._supervisor)
        message = HeartbeatMessage(self._lab, facts, has_ended, __version__, self._supervisor.since, hosts)
        await self._nats.publish(f"{WEB_HEARTBEATS}.{self._machine}", msgspec.json.encode(message))

    async def _note_machine(self) -> None:
        """Stores the current facts about this machine in the database. Used only on a machine that has joined the
        installation."""
        if not self._supervisor.waits:
            facts = await read_facts(self._supervisor)
            await self._database.run(machines.note_facts, self._machine, facts, shared_clock())

    async def _check_wanted(self) -> None:
        """Starts a pass if the wanted state in the database has changed, because the wake-up for the change may have
        been lost. Then records that the lab is healthy, because the database could be read."""
        wanted = await self._database.run(wanted_state)
        if wanted != self._wanted:
            self._wanted = wanted
            self._supervisor.wake()
        if not self._supervisor.waits:
            await asyncio.to_thread(liveness.note_heartbeat, configuration.data_dir())
