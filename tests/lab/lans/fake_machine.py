"""The LANs of a machine without hosts, and the engines of its hosts, as stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import Lan
from dashboard.lab.lans import engines as engines_module
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.lans.states import LanStage, LanState
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually

OFFICE = LanPlace("office")
ROOM = Capacity(0, 8, "memory")


class Machine:
    """The LANs of a machine: its methods replace the functions that find, create, start and stop LANs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lans: dict[str, Lan] = {}
        self.swarm = False
        self.failure: Exception | None = None
        self.proceed = asyncio.Event()
        self.proceed.set()
        self.looks = 0
        #: The starts of ended hosts: the host, and the one that it joined.
        self.starts: list[tuple[str, str]] = []
        self.start_failure = ""

    def add(self, name: str, count: int = 2, place: LanPlace = OFFICE) -> Lan:
        (self.folder / "netns-neighbour").write_text("7")
        hosts = tuple(
            PrivateHost(
                f"{name}{n}", 1, 1, f"/run/{name}{n}", 1.0, self.folder, 1, lan=replace(place, name=name, number=n)
            )
            for n in range(1, count + 1)
        )
        self.lans[name] = Lan(name, hosts)
        return self.lans[name]

    async def create(self, _folder: Path, place: LanPlace, count: int, limits: HostLimits) -> Lan:
        assert limits == HostLimits()
        await self.proceed.wait()
        if self.failure is not None:
            raise self.failure
        return self.add(place.name, count, place)

    def look(self, _folder: Path) -> tuple[Lan, ...]:
        self.looks += 1
        return tuple(self.lans.values())

    def end(self, *numbers: int, name: str = "office") -> None:
        """Ends the engines of hosts."""
        lan = self.lans[name]
        ended = [host for host in lan.hosts if host.lan.number in numbers]
        left = tuple(host for host in lan.hosts if host.lan.number not in numbers)
        self.lans[name] = replace(lan, hosts=left, ended=(*lan.ended, *ended))

    async def start_again(self, host: PrivateHost, *, ready_s: float, joined: PrivateHost | None) -> PrivateHost:
        assert ready_s == engines_module.READY_S
        self.starts.append((host.id, joined.id if joined else ""))
        await self.proceed.wait()
        if self.start_failure:
            raise PrivateHostError(self.start_failure)
        lan = self.lans[host.lan.name]
        started = replace(host, pid=host.pid + 1)
        ended = tuple(one for one in lan.ended if one.id != host.id)
        self.lans[lan.name] = replace(lan, hosts=(*lan.hosts, started), ended=ended)
        return started

    async def stop(self, hosts: Sequence[PrivateHost]) -> None:
        await self.proceed.wait()
        for host in hosts:
            self.lans.pop(host.lan.name, None)

    async def set_swarm(self, formed: bool) -> None:
        if self.failure is not None:
            raise self.failure
        self.swarm = formed


class Engines(dict[str, FakeEngine]):
    """The engines of hosts by endpoint."""

    def __missing__(self, endpoint: str) -> FakeEngine:
        self[endpoint] = FakeEngine()
        return self[endpoint]


async def reaches(lans: NamedLans, name: str, stage: LanStage = LanStage.READY) -> LanState:
    async def found() -> LanState | None:
        return next((lan for lan in lans.states() if (lan.name, lan.stage) == (name, stage)), None)

    state: LanState = await eventually(found)
    return state
