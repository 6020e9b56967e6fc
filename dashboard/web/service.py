"""Gives pages access to the labs: in this process, in the process that started this one, or over NATS."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, cast

from dashboard import configuration
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import ENGINE_UNAVAILABLE, LabFacts, Role, parse_role
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.core.operations.machines import split_place
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.nats_connection import LAB_WAKEUPS, WEB_JOURNALS, WEB_PEERS, NatsConnection
from dashboard.lab.remote.rpc import call_target, find_call
from dashboard.lab.remote.wakeups import ALL, Wakeup, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.store import experiments as experiment_store
from dashboard.store.training.hosts import machine_of_group
from dashboard.web.experiments.hub import hub
from dashboard.web.http.database import close_feed_thread, to_db_thread
from dashboard.web.http.turns import release_turn
from dashboard.web.measurements.hub import hub as measuring_hub
from dashboard.web.operations.linked_lab import LinkedLab, exit_now
from dashboard.web.operations.machines.nats_access import NatsAccess
from dashboard.web.operations.remote_lab import RemoteLab, RemoteLabs

__all__ = ["LabUnavailableError", "Service", "service", "wake_hubs"]


def wake_hubs(*wakeup: str) -> None:
    """Makes the hubs read and send what has changed. Handles wake-ups from the lab in this process or in its parent.

    ``wakeup`` is the kind of change, then its arguments, such as the id of an experiment.
    """
    match wakeup:
        case ("experiment", experiment):
            hub.wake(experiment)
        case ("run", run):
            measuring_hub.wake(run)
        case ("trouble", experiment, problem):
            hub.trouble(experiment, problem)
        case ("all",):
            for experiment in hub.followed():
                hub.wake(experiment)
            measuring_hub.look()


class Service(Supervisor):
    """The lab of this process, and access to the labs of other processes.

    ``start`` opens the lab or, in a process that has no lab, the connections to other labs.
    """

    def __init__(self) -> None:
        self.nats = NatsConnection()
        self.wakeups = WakeupChannel(self.nats)
        super().__init__(Publisher(wake_hubs))
        self.role = Role.ALL
        #: The installation's lab, if it runs in another process; and the labs of all machines, if NATS connects them.
        self._remote: RemoteLab | LinkedLab | None = None
        self.labs: RemoteLabs | None = None
        self.nats_access: NatsAccess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._is_aborted = False
        #: The socket to the lab that has started this process; None without one. Set it before ``start``.
        self.link: socket.socket | None = None
        #: Called with each wake-up from other processes; set by ``web.operations.peer_sync``.
        self.on_wakeup: Callable[[Wakeup], None] | None = None

    @property
    def has_peers(self) -> bool:
        """Whether there may be other processes that serve the same pages."""
        return self.role is not Role.ALL

    @property
    def facts(self) -> LabFacts:
        """The facts about the installation's lab that pages show. May be called from any thread."""
        return self._remote.facts if self._remote is not None else super().facts

    @property
    def engine(self) -> EngineRef | None:
        """The engine of the installation's lab; None if no engine answers. May be called from any thread."""
        return self.facts.engine

    def heartbeat(self) -> Heartbeat | None:
        """Returns the state and counters of the installation's lab; None if no lab responds. May be called from any
        thread."""
        return self._remote.heartbeat() if self._remote is not None else super().heartbeat()

    def _remote_of(self, machine: str | None) -> RemoteLab | LinkedLab | None:
        """Returns the connection to the lab of a machine; None if that lab runs in this process.

        ``machine`` is None for the installation's own machine. Raises LabUnavailableError if this process cannot reach
        other machines.
        """
        if machine is None:
            return self._remote
        if self.labs is None:
            raise LabUnavailableError("This process cannot reach other machines, because it does not use NATS.")
        return self.labs.of(machine)

    def missing(self) -> str:
        """Returns why nothing can be launched now on the installation's own machine; empty if launches are possible."""
        if self._remote is None:
            return "" if self._lab is not None else self.problem or ENGINE_UNAVAILABLE
        return "" if self._remote.facts.engine is not None else self._remote.facts.problem or ENGINE_UNAVAILABLE

    def require(self) -> None:
        """Raises LabUnavailableError if nothing can be launched now on the installation's own machine."""
        if problem := self.missing():
            raise LabUnavailableError(problem)

    async def start(self, data_dir: Path, say: Callable[[str], None]) -> None:
        """Opens the lab or the connections to labs. Prints progress with ``say``.

        Does not fail if no engine or lab responds: the pages then work, and show the problem.
        """
        self.role = parse_role(configuration.value("NETMODES_ROLE", "all"))
        self._loop = asyncio.get_running_loop()
        if self._is_aborted:
            return
        self._starting = self._loop.create_task(self._start(data_dir, say))
        await asyncio.wait([self._starting])
        if not self._starting.cancelled():
            self._starting.result()

    def abort_start(self) -> None:
        """Cancels ``start``, because the server is ending. May be called from a signal handler."""
        self._is_aborted = True
        if self._loop is not None and self._starting is not None:
            self._loop.call_soon_threadsafe(self._starting.cancel)

    async def _start(self, data_dir: Path, say: Callable[[str], None]) -> None:
        if self.link is not None:
            link = Link(is_guarded=False)
            lab = self._remote = LinkedLab(link, exit_now)
            self.wakeups = WakeupChannel(link)
            await self.wakeups.listen(WEB_JOURNALS, lambda wakeup: wake_hubs(*wakeup))
            await self.wakeups.open()
            await lab.start(self.link)
            return
        if self.role.drives:
            await self.open_lab(data_dir, say, check_lock=True)
            return
        labs = self.labs = RemoteLabs(self.nats)
        self._remote = labs.server
        await labs.start()
        access = self.nats_access = NatsAccess(self.nats, labs.refuse)
        await access.start()
        await self.wakeups.listen_by_subject(f"{WEB_JOURNALS}.*", self._on_journal)
        await self.wakeups.listen(WEB_PEERS, self._receive)
        await self.wakeups.open()
        self.nats.on_connect.append(self._on_connect)
        await self.nats.open()
        await labs.server.wait_for_heartbeat()

    def _on_connect(self) -> None:
        """Makes all processes, including this one, read all changes now, because messages may have been lost."""
        self.wakeups.send(LAB_WAKEUPS, *ALL)
        self.wakeups.send(WEB_PEERS, *ALL)
        self._receive(ALL)

    async def stop(self, say: Callable[[str], None]) -> None:
        """Closes the lab, all connections and the hubs, within a time limit. Prints progress with ``say``."""
        if isinstance(self._remote, LinkedLab):
            await self._remote.close()
        if self.labs is not None:
            await self.labs.close()
        if self.nats_access is not None:
            await self.nats_access.close()
        self._remote = self.labs = self.nats_access = None
        await self.close_lab(say)
        await self.wakeups.close()
        await self.nats.close()
        await hub.close()
        await measuring_hub.close()
        close_feed_thread()

    def _on_journal(self, subject: str, wakeup: Wakeup) -> None:
        """Handles a wake-up that a lab sent over NATS. The last part of ``subject`` is the name of the lab's machine.

        A lab may announce changes of its own experiments and measurements, but not of sessions.
        """
        if wakeup[0] in {"experiment", "run", "all"}:
            self._receive(wakeup)
        elif wakeup[0] == "trouble":  # the subject contains the machine, as its credentials require
            self._receive((*wakeup[:3], subject.rpartition(".")[2]))

    def _receive(self, wakeup: Wakeup) -> None:
        if self.on_wakeup is not None:
            self.on_wakeup(wakeup)

    def report_ready(self) -> None:
        """If a lab started this process, tells that lab that pages are served."""
        if isinstance(self._remote, LinkedLab):
            self.wakeups.send(LAB_WAKEUPS, "ready")

    def wake(self) -> None:
        """Makes the labs compare wanted and actual states now. May be called from any thread."""
        if self._remote is not None:
            self.wakeups.send(LAB_WAKEUPS, "look")
        else:
            super().wake()

    async def end_revoked_machines(self) -> None:
        """Ends calls to revoked machines, and closes their connections to NATS. May be called from any event loop."""
        if self.nats_access is not None and self._loop is not None:
            work = self.nats_access.end_revoked()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def launched_again(self, experiment: str) -> None:
        """Shows in all open pages that an experiment waits to be launched again. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(hub.wake, experiment)
        self.tell("experiment", experiment)

    def renamed(self, experiment: str, title: str) -> None:
        """Shows the new title of an experiment in all open pages. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(hub.rename, experiment, title)
        self.tell("renamed", experiment, title)

    def tell(self, *wakeup: str) -> None:
        """Sends a wake-up to all other web processes. May be called from any thread."""
        if self.has_peers:
            self.wakeups.send(WEB_PEERS, *wakeup)

    async def ask[**P, T](
        self, function: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Calls ``function`` in the installation's own lab, and returns its result.

        ``lab.remote.rpc`` lists the functions that can be called. The lab supplies the first argument. Raises
        LabUnavailableError, EngineError, or what the function raises.
        """
        return await self.ask_on(None, "", function, *args, **kwargs)

    async def ask_about[**P, T](
        self, experiment: str, function: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like ``ask``, but calls the function in the lab that drives the experiment with the id ``experiment``."""
        if self._remote is None:
            _ = self.lab
        record = await to_db_thread(experiment_store.load, experiment)
        machine, host = (record.machine, record.host) if record is not None else (None, "")
        return await self.ask_on(machine, host, function, *args, **kwargs)

    async def machine_of(self, group: str) -> str | None:
        """Returns the name of the machine that runs a group's private host; None for the installation's own machine.

        Also returns None for an empty ``group``, and if this process has no access to other machines.
        """
        return await to_db_thread(machine_of_group, group) if group and self.labs is not None else None

    async def ask_group[**P, T](
        self, group: str, function: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like ``ask``, but calls the function in the lab of the machine that runs a group's private host."""
        return await self.ask_on(await self.machine_of(group), "", function, *args, **kwargs)

    async def ask_of[**P, T](
        self, place: str, function: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like ``ask``, but calls the function in the lab of ``place``, a machine or a private host
        (``split_place``)."""
        machine, host = split_place(place)
        return await self.ask_on(machine, host, function, *args, **kwargs)

    @release_turn()
    async def ask_on[**P, T](
        self,
        machine: str | None,
        host: str,
        function: Callable[Concatenate[Any, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Calls ``function`` in the lab of ``machine`` (None: the installation's own), and returns its result. If
        ``host`` is the id of a private host on the machine, calls it in that host's own lab instead. Raises the errors
        of ``ask``."""
        remote_call, remote = find_call(function), self._remote_of(machine)
        if remote is not None:
            if remote_call is None:
                raise TypeError(f"{function} is not a remote call")
            return cast("T", await remote.call(remote_call, host, *args, **kwargs))

        async def call() -> T:
            if remote_call is None:
                return await function(await self.lab_of(host), *args, **kwargs)
            return await function(await call_target(self, remote_call, host), *args, **kwargs)

        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await call()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._loop))


service = Service()
