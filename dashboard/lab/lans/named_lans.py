"""The named LANs of this machine, as pages create, show and remove them, and the labs of their hosts.

LANs live in the data folder, not in the database: the command line creates the same ones. A LAN lasts until it is
removed, also when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.programs import engine_root, missing_requirement
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans.images import add_image
from dashboard.engine.lans.lan import Lan, create_lan, describe_problem, list_lans, stop_hosts
from dashboard.engine.lans.swarm import form_swarm, is_member, leave_swarm
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.store import experiments as experiment_store
from dashboard.store.training import hosts as group_host_store

log = logging.getLogger(__name__)
PASS_S = 1.0
REMOVED = "The LAN of this host was removed."


class LanStage(StrEnum):
    """What a LAN does."""

    CREATING = "creating"
    READY = "ready"
    FORMING = "forming a swarm"
    LEAVING = "ending the swarm"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class LanHost:
    """A host of a LAN: its id and its addresses."""

    id: str
    addresses: tuple[str, str]


@dataclass(frozen=True, slots=True)
class LanState:
    """A LAN as pages show it. ``problem`` is a sentence on what failed last, empty if nothing did; ``swarm``: whether
    all hosts are in a swarm."""

    name: str
    stage: LanStage
    hosts: tuple[LanHost, ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()
    swarm: bool = False
    problem: str = ""


class NamedLans:
    """The LANs of a data folder. All methods run in the lab's loop."""

    def __init__(self, context: Context, labs: GroupLabs) -> None:
        self._context = context
        self._labs = labs
        self._lans: dict[str, Lan] = {}
        self._known: set[str] = set()
        self._swarms: dict[str, bool] = {}
        self._stages: dict[str, LanStage] = {}
        self._problems: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Finds the LANs that exist, and follows those that the command line creates and removes."""
        await self._pass()
        left = await self._context.database.run(experiment_store.hosts_unsettled)
        records = await self._context.database.run(group_host_store.load_all, self._context.clock())
        for host in left - {record.host for record in records} - self._known:
            await self._labs.mark_stopped(host, REMOVED)
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="named-lans")

    async def close(self, *, stop: bool) -> None:
        """Ends; with ``stop``, experiments on the hosts are stopped first. The LANs stay."""
        tasks = [task for task in (self._loop, *self._tasks.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if stop:
            await asyncio.gather(*map(self._labs.stop_all_of, self._known))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PASS_S)
            try:
                await self._pass()
            except Exception:
                log.exception("the LANs could not be read; the next pass tries again")

    async def _pass(self) -> None:
        """Opens what the labs of new hosts need, and closes those of hosts that are gone."""
        lans = await asyncio.to_thread(list_lans, self._context.data_dir)
        creating = {name for name, stage in self._stages.items() if stage is LanStage.CREATING}
        self._lans = {lan.name: lan for lan in lans if lan.name not in creating}
        hosts = {host.id: host for lan in self._lans.values() for host in lan.hosts}
        for identity, host in hosts.items():
            if identity not in self._known:
                self._known.add(identity)
                self._labs.add(host)
        for identity in self._known - hosts.keys():
            self._known.discard(identity)
            await self._labs.forget(identity, REMOVED)
        for name, lan in self._lans.items():
            if name not in self._swarms:
                await self._read_swarm(lan)
        self._swarms = {name: swarm for name, swarm in self._swarms.items() if name in self._lans}

    async def _read_swarm(self, lan: Lan) -> None:
        try:
            self._swarms[lan.name] = all(await asyncio.gather(*map(is_member, lan.hosts)))
        except EngineError:
            self._swarms.pop(lan.name, None)

    def states(self) -> tuple[LanState, ...]:
        """All LANs, by name."""
        names = sorted({*self._lans, *self._stages, *self._problems})
        return tuple(map(self._state, names))

    def _state(self, name: str) -> LanState:
        stage = self._stages.get(name, LanStage.READY)
        lan = self._lans.get(name)
        problem = self._problems.get(name, "")
        if lan is None:
            return LanState(name, stage, problem=problem)
        hosts = tuple(LanHost(host.id, host.lan.addresses) for host in lan.hosts)
        neighbours = tuple(addresses for _netns, addresses in lan.neighbours)
        return LanState(name, stage, hosts, neighbours, self._swarms.get(name, False), problem)

    async def create(self, place: LanPlace, count: int) -> str:
        """Starts to create a LAN; returns why it cannot be created, empty if it is being created."""
        if problem := describe_problem(place, count):
            return problem
        if place.name in self._lans or place.name in self._stages:
            return f"The LAN {place.name} already exists: choose another name, or remove it first."
        if problem := await asyncio.to_thread(missing_requirement, engine_root()):
            return problem
        self._start(place.name, LanStage.CREATING, self._create(place, count))
        return ""

    async def _create(self, place: LanPlace, count: int) -> None:
        folder = self._context.data_dir
        lan = await create_lan(folder, replace(place, number=1), count)
        try:
            for host in lan.hosts:
                await add_image(host, folder, lambda _text: None)
        except BaseException:
            await asyncio.shield(stop_hosts(lan.hosts))
            raise

    def remove(self, name: str) -> None:
        """Starts to remove a LAN with all its hosts, or dismisses the problem of one that could not be created."""
        if name in self._lans:
            self._start(name, LanStage.REMOVING, self._remove(self._lans[name]))
        else:
            self._problems.pop(name, None)

    async def _remove(self, lan: Lan) -> None:
        await asyncio.gather(*(self._labs.forget(host.id, REMOVED) for host in lan.hosts))
        self._known -= {host.id for host in lan.hosts}
        await stop_hosts(lan.hosts)

    def set_swarm(self, name: str, *, wanted: bool) -> None:
        """Starts to form a swarm of the hosts of a LAN, or to end it."""
        if lan := self._lans.get(name):
            stage = LanStage.FORMING if wanted else LanStage.LEAVING
            self._start(name, stage, self._set_swarm(lan, wanted=wanted))

    async def _set_swarm(self, lan: Lan, *, wanted: bool) -> None:
        try:
            await (form_swarm(lan.hosts) if wanted else leave_swarm(lan.hosts))
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
        self._tasks[name] = asyncio.get_running_loop().create_task(self._perform(name, work), name=f"lan-{name}")

    async def _perform(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (PrivateHostError, EngineError, OSError) as error:
            self._problems[name] = str(error)
        finally:
            self._stages.pop(name, None)
            self._tasks.pop(name, None)
        with contextlib.suppress(OSError):
            await self._pass()
