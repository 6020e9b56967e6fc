"""Access to labs in other processes and on other machines: receives their heartbeats, and calls them over NATS."""

import asyncio
import secrets
import time
from contextlib import suppress

import msgspec

from dashboard import __version__
from dashboard.core.operations import deployment
from dashboard.core.operations.deployment import HeartbeatMessage, LabFacts, LastHeartbeat
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.core.operations.machines import SERVER, version_problem
from dashboard.lab.remote.nats_connection import WEB_HEARTBEATS, WEB_REPLIES, Message, NatsConnection
from dashboard.lab.remote.replies import Caller
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store.operations.database_clock import shared_clock

#: Seconds between two checks whether a lab has become silent, and seconds that a start waits for the first heartbeat.
CHECK_S = 0.5
FIRST_HEARTBEAT_S = 1.0


class RemoteLab(Caller):
    """The lab of one machine, as this web process knows it from heartbeats. Calls are sent over NATS."""

    def __init__(self, nats: NatsConnection, machine: str, inbox: str) -> None:
        super().__init__(nats, machine, inbox)
        self._nats = nats
        self._last: LastHeartbeat | None = None
        self._is_revoked = False
        self._first_heartbeat = asyncio.Event()

    @property
    def facts(self) -> LabFacts:
        """The facts about the lab that pages show. May be called from any thread."""
        facts = deployment.current_facts(self._last, time.monotonic(), self._machine)
        return LabFacts(None, self._nats.problem) if facts.engine is None and self._nats.problem else facts

    @property
    def is_connected(self) -> bool:
        """Whether the lab sends heartbeats. May be called from any thread."""
        return not deployment.is_unavailable(self._last, time.monotonic())

    @property
    def silent_s(self) -> float | None:
        """The seconds since the last heartbeat; None if none has arrived. May be called from any thread."""
        return None if self._last is None else time.monotonic() - self._last.at

    @property
    def accepts_calls(self) -> bool:
        """Whether calls can be sent to the lab. May be called from any thread.

        The lab must send heartbeats and have a suitable version, and its machine must not be revoked.
        """
        return self.is_connected and not self.version_problem and not self._is_revoked

    @property
    def version(self) -> str:
        """The version of Netmodes in the last heartbeat; empty if none has arrived. May be called from any thread."""
        return self._last.message.version if self._last is not None else ""

    @property
    def version_problem(self) -> str:
        """Why the lab's version is not suitable, so that no calls are sent to it; empty if it is suitable.

        May be called from any thread.
        """
        return version_problem(__version__, self.version) or ""

    @property
    def capacity(self) -> int:
        """How many private hosts of groups the machine can run, from the last heartbeat. May be called from any
        thread."""
        return self._last.message.capacity if self._last is not None else 0

    def heartbeat(self) -> Heartbeat | None:
        """Returns the last heartbeat; None if none has been received. May be called from any thread."""
        return deployment.local_heartbeat(self._last, time.monotonic(), shared_clock())

    def start(self) -> None:
        """Stores the running event loop, from which calls are sent from now on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._first_heartbeat = asyncio.Event()

    async def wait_for_heartbeat(self) -> None:
        """Waits up to ``FIRST_HEARTBEAT_S`` for the first heartbeat, so that the first page shows the engine."""
        if not self._nats.problem:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._first_heartbeat.wait(), FIRST_HEARTBEAT_S)

    def on_heartbeat(self, message: Message) -> None:
        """Stores a heartbeat that came from the lab's machine.

        Raises ValueError if the heartbeat names a lab of another machine, because calls must not be sent there.
        """
        received = msgspec.json.decode(message.data, type=HeartbeatMessage)
        if not received.lab.startswith(f"{self._machine}."):
            raise ValueError(f"a heartbeat of {self._machine} names the lab {received.lab[:80]}")
        if deployment.is_late(self._last, received, time.monotonic()):
            return
        if deployment.ends_calls(self._last, received):
            self.end_calls(deployment.LAB_UNAVAILABLE if received.has_ended else deployment.CALL_LOST)
        self._last = LastHeartbeat(received, time.monotonic())
        self._first_heartbeat.set()

    def check(self) -> None:
        """Ends the calls in progress if the lab has become silent."""
        if not self.is_connected:
            self.end_calls(self.facts.problem)

    def note_revoked(self, *, is_revoked: bool) -> None:
        """Stores whether the machine is revoked. If it is, ends the calls in progress, and sends no more."""
        self._is_revoked = is_revoked
        if is_revoked:
            self.end_calls(deployment.REVOKED)

    def _require_lab(self) -> str:
        if self._is_revoked:
            raise self._unavailable(deployment.REVOKED)
        if self._last is None or deployment.is_unavailable(self._last, time.monotonic()):
            raise LabUnavailableError(self.facts.problem)
        if self.version_problem:
            raise LabUnavailableError(self.version_problem)
        return self._last.message.lab


class RemoteLabs:
    """The labs of all machines, as this web process knows them.

    Use it only in the server's event loop, unless a method states otherwise.
    """

    def __init__(self, nats: NatsConnection) -> None:
        self._nats = nats
        self._inbox = secrets.token_hex(8)
        self._labs: dict[str, RemoteLab] = {}
        self._watching: asyncio.Task[None] | None = None
        #: Held while this process places hosts on machines.
        self.placing = asyncio.Lock()
        #: The number of placements that have begun.
        self.placements = 0
        #: The lab of the installation's own machine.
        self.server = self.of(None)

    def of(self, machine: str | None) -> RemoteLab:
        """Returns the lab of a machine, even if it is not connected. ``machine`` is None for the installation's own.

        May be called from any thread.
        """
        name = machine or SERVER
        lab = self._labs.get(name)
        return lab if lab is not None else self._labs.setdefault(name, RemoteLab(self._nats, name, self._inbox))

    def connected_machines(self) -> tuple[str, ...]:
        """Returns the names of the machines that have joined the installation and accept calls. May be called from any
        thread."""
        labs = sorted(self._labs.items())
        return tuple(name for name, lab in labs if lab is not self.server and lab.accepts_calls)

    async def start(self) -> None:
        """Starts to receive heartbeats and replies, and to check for silent labs."""
        await self._nats.listen(f"{WEB_HEARTBEATS}.*", self._on_heartbeat)
        await self._nats.listen(f"{WEB_REPLIES}.*.{self._inbox}.*", self._on_reply)
        self._nats.on_loss.append(self._on_loss)
        for lab in self._labs.values():
            lab.start()
        self._watching = asyncio.get_running_loop().create_task(self._watch(), name="remote-labs")

    async def close(self) -> None:
        """Stops checking for silent labs."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    def refuse(self, revoked: frozenset[str]) -> None:
        """Stops calls to the ``revoked`` machines, and permits calls to all others."""
        for name in revoked.union(self._labs):
            self.of(name).note_revoked(is_revoked=name in revoked)

    def _of_subject(self, subject: str, kind: str) -> RemoteLab:
        lab = self.of(subject.removeprefix(f"{kind}.").partition(".")[0])
        lab.start()
        return lab

    def _on_heartbeat(self, message: Message) -> None:
        self._of_subject(message.subject, WEB_HEARTBEATS).on_heartbeat(message)

    def _on_reply(self, message: Message) -> None:
        self._of_subject(message.subject, WEB_REPLIES).on_reply(message)

    def _on_loss(self) -> None:
        for lab in self._labs.values():
            lab.end_calls(deployment.CALL_LOST)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            for lab in list(self._labs.values()):
                lab.check()
