"""Whose turn it is on an engine, and what the machine has."""

from __future__ import annotations

import asyncio
import os

import pytest

from dashboard.core.claims.model import Need, NotTestableError
from dashboard.lab.claims import engines as claim_engines
from dashboard.lab.claims.engines import Ground, Turns, look_at_machine, open_ground
from dashboard.lab.watch_pool import WatchPool
from tests.fakes import FakeEngine, make_info
from tests.polling import eventually, others_run
from tests.private_engine import CACHE


class Workers:
    """Tasks on one ground, with who is at work."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.working: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, *ports: int, alone: bool = False) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._work(name, ports, alone=alone)))

    async def _work(self, name: str, ports: tuple[int, ...], *, alone: bool) -> None:
        async with self.turns.alone() if alone else self.turns.among_others(ports):
            self.working.append(name)
            await self._ends[name].wait()
            self.working.remove(name)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await eventually(lambda: name not in self.working)

    async def are(self, *names: str) -> None:
        await eventually(lambda: set(self.working) == set(names))
        for _ in range(5):
            await others_run()
        assert set(self.working) == set(names)


async def test_many_work_at_once_but_one_at_a_port_and_alone_means_alone() -> None:
    workers = Workers()
    workers.begin("one", 80)
    workers.begin("two")
    workers.begin("three", 80)
    await workers.are("one", "two")
    workers.begin("alone", alone=True)
    await workers.are("one", "two")
    await workers.end("one")
    await workers.are("two", "three")
    await workers.end("two")
    await workers.end("three")
    await workers.are("alone")
    workers.begin("four")
    await workers.are("alone")
    await workers.end("alone")
    await workers.are("four")
    await workers.end("four")


async def test_a_turn_is_given_back_by_a_failure() -> None:
    turns = Turns()
    for turn in (turns.alone, turns.among_others):
        with pytest.raises(RuntimeError):
            async with turn():
                raise RuntimeError
    async with asyncio.timeout(1), turns.alone():
        pass


async def test_a_ground_says_which_engine_it_is(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    ground = await open_ground(fake, CACHE, WatchPool())
    assert ground.title == "Docker Engine 26.1.5 (fake)"
    assert ground.pid == os.getpid()
    away = Ground(fake, make_info(pid=None), "nginx", WatchPool())
    with pytest.raises(NotTestableError, match="no process of this machine"):
        _ = away.pid


def test_what_a_machine_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_engines, "link_kinds", lambda: {"macvlan": False})
    assert look_at_machine(None) == ("", {Need.MACVLAN: "This kernel has no macvlan."})
    monkeypatch.setattr(claim_engines, "link_kinds", dict)
    monkeypatch.setattr(claim_engines, "read_interfaces", lambda _namespace: ())
    assert look_at_machine(os.getpid()) == ("", {Need.IPV6: "This machine has no IPv6."})
