"""The lock of an engine, and features that the machine lacks."""

from __future__ import annotations

import asyncio
import os

import pytest

from dashboard.core.claims.model import Need
from dashboard.core.claims.testbed import NotTestableError
from dashboard.lab.claims import engines as claim_engines
from dashboard.lab.claims.engines import ClaimEngine, EngineLock, inspect_machine, open_engine
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine, make_info
from tests.support.polling import eventually, others_run
from tests.support.private_engine import CACHE


class Workers:
    """Tasks that hold the lock of one engine."""

    def __init__(self) -> None:
        self.lock = EngineLock()
        self.working: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, *ports: int, exclusive: bool = False) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._work(name, ports, exclusive=exclusive)))

    async def _work(self, name: str, ports: tuple[int, ...], *, exclusive: bool) -> None:
        async with self.lock.exclusive() if exclusive else self.lock.shared(ports):
            self.working.append(name)
            await self._ends[name].wait()
            self.working.remove(name)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await eventually(lambda: name not in self.working)

    async def are_working(self, *names: str) -> None:
        await eventually(lambda: set(self.working) == set(names))
        for _ in range(5):
            await others_run()
        assert set(self.working) == set(names)


async def test_many_share_an_engine_but_one_at_a_port_and_exclusive_means_alone() -> None:
    workers = Workers()
    workers.begin("one", 80)
    workers.begin("two")
    workers.begin("three", 80)
    await workers.are_working("one", "two")
    workers.begin("alone", exclusive=True)
    await workers.are_working("one", "two")
    await workers.end("one")
    await workers.are_working("two", "three")
    await workers.end("two")
    await workers.end("three")
    await workers.are_working("alone")
    workers.begin("four")
    await workers.are_working("alone")
    await workers.end("alone")
    await workers.are_working("four")
    await workers.end("four")


async def test_a_failure_releases_the_lock() -> None:
    lock = EngineLock()
    for acquire in (lock.exclusive, lock.shared):
        with pytest.raises(RuntimeError):
            async with acquire():
                raise RuntimeError
    async with asyncio.timeout(1), lock.exclusive():
        pass


async def test_an_engine_has_a_title_and_a_pid(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    engine = await open_engine(fake, CACHE, WatchPool())
    assert engine.title == "Docker Engine 26.1.5 (fake)"
    assert engine.pid == os.getpid()
    away = ClaimEngine(fake, make_info(pid=None), "nginx", WatchPool())
    with pytest.raises(NotTestableError, match="not a process of this machine"):
        _ = away.pid


def test_a_machine_without_macvlan_or_ipv6_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_engines, "link_kinds", lambda: {"macvlan": False})
    assert inspect_machine(None) == ("", {Need.MACVLAN: "This kernel has no macvlan."})
    monkeypatch.setattr(claim_engines, "link_kinds", dict)
    monkeypatch.setattr(claim_engines, "read_interfaces", lambda _namespace: ())
    assert inspect_machine(os.getpid()) == ("", {Need.IPV6: "This machine has no IPv6."})
