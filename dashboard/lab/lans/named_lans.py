"""The named LANs of this machine: creates, follows and removes them for pages, and opens the labs of their hosts.

LANs are stored in the data folder, not in the database, because the command line also creates them. A LAN lasts until
it is removed, even if the server stops. If a host has ended, for example because the machine was restarted, the host
and the containers that ran on it are started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from django.db import DatabaseError

from dashboard.core.training.capacity import Capacity, HostLimits, refuse_hosts
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.programs import engine_root, missing_requirement
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.images import add_image
from dashboard.engine.lans.lan import Lan, create_lan, describe_problem, netem_refusal, remove_lan, stop_hosts
from dashboard.engine.lans.swarm import is_member, leave_swarm
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.experiments.columns.other_host import remove_clients
from dashboard.lab.lans import engines
from dashboard.lab.lans.restarts import FoundLan, Restarts, find_lans
from dashboard.lab.lans.states import LanHost, LanStage, LanState
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.store import unsettled
from dashboard.store.training import hosts as group_host_store

log = logging.getLogger(__name__)
PASS_S = 1.0
ENGINES_S = 5.0
#: The limits of each host of a LAN that a page creates.
LIMITS = HostLimits()
REMOVED = "The LAN of this host was removed."
OWN = "The server itself now uses the engine of this host."


class NamedLans:
    """The LANs of a data folder. ``labs`` holds the labs of their hosts. Call all methods in the lab's loop."""

    def __init__(self, context: Context, labs: GroupLabs) -> None:
        self._context = context
        self._labs = labs
        self._found: dict[str, FoundLan] = {}
        #: The hosts with an open lab, each with the pid of its engine; and the hosts whose lab was closed.
        self._known: dict[str, int] = {}
        self._forgotten: set[str] = set()
        self._restarts = Restarts(context.clock)
        self._swarms: dict[str, bool] = {}
        self._stages: dict[str, LanStage] = {}
        self._problems: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: The number of hosts of each LAN that is being created.
        self._creating: dict[str, int] = {}
        self._loops: list[asyncio.Task[None]] = []
        #: The hosts on which clients of ended experiments (``other_host``) may be left.
        self._untidy: set[str] = set()
        #: Held while labs of hosts are opened or closed.
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Finds the existing LANs. From then on, follows in the background which LANs the command line creates and
        removes."""
        await self._pass()
        left = await self._context.database.run(unsettled.load_hosts)
        records = await self._context.database.run(group_host_store.load_all, self._context.clock())
        own = {host.id for found in self._found.values() for host in found.lan.hosts if self._is_own(host)}
        ended = {host.id for found in self._found.values() for host in found.lan.ended}
        for host in left - {record.host for record in records} - self._known.keys() - ended:
            await self._labs.mark_stopped(host, OWN if host in own else REMOVED)
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(_repeat(self._pass, PASS_S), name="named-lans"),
            loop.create_task(_repeat(self._ask_engines, ENGINES_S), name="named-lans-engines"),
        ]

    async def close(self, *, stop: bool) -> None:
        """Stops following the LANs. If ``stop`` is true, also stops the experiments on their hosts. The LANs continue
        to run."""
        tasks = [*self._loops, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if stop:
            await asyncio.gather(*map(self._labs.stop_all_of, self._known))

    async def _pass(self) -> None:
        """Adds new hosts to ``labs``, closes the labs of removed hosts, and starts ended hosts again."""
        async with self._lock:
            found = await asyncio.to_thread(find_lans, self._context.data_dir)
            self._found = {name: lan for name, lan in found.items() if not self._is_in(LanStage.CREATING, name)}
            self._swarms = {name: swarm for name, swarm in self._swarms.items() if name in self._found}
            staying = [one.lan for name, one in self._found.items() if not self._is_in(LanStage.REMOVING, name)]
            hosts = {host.id: host for lan in staying for host in lan.hosts if not self._is_own(host)}
            # The lab of a host that has ended stays open, because the host is started again.
            ended = {host.id for lan in staying for host in lan.ended}
            known = dict(self._known)
            for identity, host in hosts.items():
                if self._known.get(identity) != host.pid:
                    self._known[identity] = host.pid
                    self._forgotten.discard(identity)
                    self._labs.add(host)
            for identity in known.keys() - hosts.keys() - ended:
                await self._forget(identity)
            if self._forgotten:
                # Ends experiments that were launched on a host while it was being removed.
                for identity in self._forgotten & await self._context.database.run(unsettled.load_hosts):
                    await self._labs.mark_stopped(identity, REMOVED)
            if self._known != known:
                self._untidy = {host.id for one in self._found.values() for host in one.lan.hosts}
            for name, one in self._found.items():
                if name in self._tasks:
                    continue
                if one.startable:
                    self._start_again_unless_refused(name, one.lan)
                elif self._restarts.forget_failure(name):  # another command has started the hosts
                    self._problems.pop(name, None)

    def _start_again_unless_refused(self, name: str, lan: Lan) -> None:
        if problem := self._restarts.refuse(name):
            self._problems[name] = problem
        else:
            self._start(name, LanStage.STARTING, self._start_again(name, lan))

    async def _start_again(self, name: str, lan: Lan) -> None:
        log.warning("hosts or containers of the LAN %s have ended: they are started again", name)
        try:
            await engines.start_again(self._context.data_dir, lan)
        except PrivateHostError as error:
            self._restarts.note_failure(name, str(error))
            raise

    def start_again(self, name: str) -> None:
        """Starts the ended hosts of a LAN again, because a user has requested it after an automatic start has failed.
        Does nothing if ``FoundLan.startable`` is false, for example because a process is already starting a host."""
        found = self._found.get(name)
        if found is not None and found.startable:
            self._restarts.forget(name)
            self._start_again_unless_refused(name, found.lan)

    def _is_in(self, stage: LanStage, name: str) -> bool:
        return self._stages.get(name) is stage

    def _is_own(self, host: PrivateHost) -> bool:
        """Returns whether the host's engine is the server's own. This engine has a lab already, and two labs on one
        engine would remove each other's containers."""
        info = self._context.info
        return host.endpoint == info.endpoint or host.pid == info.pid

    async def _forget(self, identity: str) -> None:
        self._known.pop(identity, None)
        self._forgotten.add(identity)
        await self._labs.forget(identity, REMOVED)

    async def _ask_engines(self) -> None:
        """Removes the client containers of ended experiments from the hosts of the LANs. Reads which LANs are swarms,
        because users can also change this with the docker command. Skips LANs that are being changed."""
        for one in list(self._found.values()):
            for host in one.lan.hosts:
                if host.id in self._untidy and one.lan.name not in self._tasks:
                    await self._remove_ended_clients(host)
            if one.lan.name not in self._tasks:
                await self._read_swarm(one.lan)

    async def _remove_ended_clients(self, host: PrivateHost) -> None:
        self._untidy.discard(host.id)
        try:
            await remove_clients(self._context, host)
        except EngineError as error:
            self._untidy.add(host.id)
            log.warning("clients on the private host %s were not removed: %s", host.id, error)

    async def _read_swarm(self, lan: Lan) -> None:
        try:
            members = await asyncio.gather(*map(is_member, lan.hosts))
            self._swarms[lan.name] = bool(members) and all(members)
        except EngineError:
            self._swarms.pop(lan.name, None)

    def states(self) -> tuple[LanState, ...]:
        """Returns the states of all LANs, ordered by name."""
        names = sorted({*self._found, *self._stages, *self._problems})
        return tuple(map(self._state, names))

    def _state(self, name: str) -> LanState:
        stage = self._stages.get(name, LanStage.READY)
        found = self._found.get(name)
        problem = self._problems.get(name, "")
        if found is None:
            return LanState(name, stage, problem=problem)
        lan, running = found.lan, {host.id for host in found.lan.hosts}
        hosts = tuple(
            LanHost(host.id, host.lan.addresses, self._is_own(host), host.id in running)
            for host in sorted(lan.all_hosts, key=lambda host: host.lan.number)
        )
        swarm = self._swarms.get(name, False)
        links = (lan.place.mtu, lan.place.delay_ms, lan.place.loss_percent)
        return LanState(name, stage, hosts, found.neighbours, swarm, problem, lan.missing, *links)

    def count_hosts(self) -> int:
        """Returns the number of hosts of all LANs, including those that have ended or are being created."""
        return sum(len(found.lan.all_hosts) for found in self._found.values()) + sum(self._creating.values())

    async def create(self, place: LanPlace, count: int, available: Capacity) -> str:
        """Starts creating a LAN with ``count`` hosts in the background. Returns the reason if the LAN cannot be
        created, otherwise an empty text. ``place`` has the LAN's name and properties; its host number is not used.
        ``available`` states how many further hosts with the limits ``LIMITS`` the machine can hold."""
        if problem := describe_problem(place, count):
            return problem
        if place.name in self._found or place.name in self._stages:
            return f"The LAN {place.name} already exists: choose another name, or remove it first."
        if problem := await asyncio.to_thread(missing_requirement, engine_root()):
            return problem
        if (place.delay_ms or place.loss_percent) and (problem := await asyncio.to_thread(netem_refusal)):
            return problem
        if problem := refuse_hosts(available, count):
            return problem
        self._start(place.name, LanStage.CREATING, self._create(place, count))
        return ""

    async def _create(self, place: LanPlace, count: int) -> None:
        folder = self._context.data_dir
        self._creating[place.name] = count
        try:
            lan = await create_lan(folder, replace(place, number=1), count, LIMITS)
            try:
                await asyncio.gather(*(add_image(host, folder, lambda _text: None) for host in lan.hosts))
            except BaseException:
                await asyncio.shield(stop_hosts(lan.hosts))
                raise
        finally:
            del self._creating[place.name]

    def remove(self, name: str) -> None:
        """Starts removing a LAN with all its hosts in the background. If the LAN does not exist because creating it has
        failed, only deletes the message about the failure."""
        if found := self._found.get(name):
            self._start(name, LanStage.REMOVING, self._remove(found.lan))
        else:
            self._problems.pop(name, None)

    async def _remove(self, lan: Lan) -> None:
        async with self._lock:
            await asyncio.gather(*(self._forget(host.id) for host in lan.all_hosts))
        await remove_lan(self._context.data_dir, lan)

    def set_swarm(self, name: str, *, wanted: bool) -> None:
        """In the background, makes the hosts of a LAN form a new swarm or, if ``wanted`` is false, leave their
        swarm."""
        if found := self._found.get(name):
            stage = LanStage.FORMING if wanted else LanStage.LEAVING
            self._start(name, stage, self._set_swarm(found.lan, wanted=wanted))

    async def _set_swarm(self, lan: Lan, *, wanted: bool) -> None:
        try:
            await (engines.form_new_swarm(self._context.data_dir, lan) if wanted else leave_swarm(lan.hosts))
        finally:
            await self._read_swarm(lan)
            for host in lan.hosts:
                await self._labs.reread(host.id)

    def _start(self, name: str, stage: LanStage, work: Coroutine[Any, Any, None]) -> None:
        if name in self._tasks:
            work.close()
            return
        self._stages[name] = stage
        self._problems.pop(name, None)
        if stage is LanStage.REMOVING:
            self._restarts.forget(name)
        self._tasks[name] = asyncio.get_running_loop().create_task(self._perform(name, work), name=f"lan-{name}")

    async def _perform(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (PrivateHostError, EngineError, OSError) as error:
            self._problems[name] = str(error)
        except DatabaseError as error:
            self._problems[name] = f"The database does not answer: {error}. Try again."
        finally:
            self._stages.pop(name, None)
            self._tasks.pop(name, None)
        with contextlib.suppress(OSError):
            await self._pass()


async def _repeat(work: Callable[[], Awaitable[None]], pause_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("the LANs could not be read; the next pass tries again")
        await asyncio.sleep(pause_s)
