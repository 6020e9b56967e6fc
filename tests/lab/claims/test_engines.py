"""The lock of an engine, and features that the machine lacks."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.engine_facts import DaemonOptions
from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.testbed import NotTestableError
from dashboard.engine.hosts import private_host
from dashboard.lab import doctor
from dashboard.lab.claims import engines as claim_engines
from dashboard.lab.claims.engines import ClaimEngine, EngineLock, inspect_machine, open_engine, private_engine_version
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


async def test_claims_share_an_engine_unless_they_need_the_same_port_or_one_is_exclusive() -> None:
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
    async with asyncio.timeout(20), lock.exclusive():
        pass


async def test_an_engine_has_a_title_and_a_pid(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    engine = await open_engine(fake, CACHE, WatchPool())
    assert engine.title == "Docker Engine 26.1.5 (fake)"
    assert engine.pid == os.getpid()
    away = ClaimEngine(fake, make_info(pid=None), "nginx", WatchPool())
    with pytest.raises(NotTestableError, match="not a process of this machine"):
        _ = away.pid


def test_a_machine_without_ipv6_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect_machine(None) == ("", {})
    monkeypatch.setattr(claim_engines, "read_interfaces", lambda _namespace: ())
    assert inspect_machine(os.getpid()) == ("", {Need.IPV6: "This machine has no IPv6."})


def claim_named(identity: str) -> Claim:
    return next(claim for claim in all_claims() if claim.id == identity)


async def test_an_ordinary_engine_runs_all_claims_but_those_of_later_versions(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_has_parent", lambda _pid, _path: True)  # tests may run where no default route is
    fake.add_image("netmodes-lab:1")
    engine = await open_engine(fake, CACHE, WatchPool())
    missing = {claim.id for claim in all_claims() if engine.obstacle(claim.on(engine.facts))}
    assert missing == {"gateway-priority", "nat-unprotected"}


async def test_modes_that_the_engine_lacks_are_obstacles_with_the_doctors_reason(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    fake.facts = make_info(userns_remap=True)
    del fake.nets["bridge"]
    engine = await open_engine(fake, CACHE, WatchPool())
    assert "userns-remap" in engine.obstacle(claim_named("host-sandbox"))
    assert "--bridge=none" in engine.obstacle(claim_named("grep-80"))
    assert "--bridge=none" in engine.obstacle(claim_named("bridge-gateway"))
    assert engine.obstacle(claim_named("none-has-loopback")) == ""
    assert engine.obstacle(claim_named("names-on-user-network")) == ""


async def test_network_modes_of_podman_are_no_obstacle_on_docker(fake: FakeEngine) -> None:
    """One of them is called ``private``; claims that need a private host do not need this mode."""
    fake.add_image("netmodes-lab:1")
    engine = await open_engine(fake, CACHE, WatchPool())
    assert [claim.id for claim in all_claims() if "Podman" in engine.obstacle(claim)] == []


async def test_the_facts_come_from_the_version_and_the_default_bridge(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    fake.facts = make_info(version="20.10.24+dfsg1", api="1.41", pid=None)
    fake.nets["bridge"] = replace(fake.nets["bridge"], ipv6=True)
    facts = (await open_engine(fake, CACHE, WatchPool())).facts
    assert (facts.version, facts.api, facts.bridge_ipv6) == ((20, 10), (1, 41), True)
    assert facts.options == DaemonOptions()
    fake.facts = make_info(version="29.5.0", userland_proxy=False)
    assert (await open_engine(fake, CACHE, WatchPool())).facts.options.userland_proxy is False


def test_the_version_of_private_hosts_is_that_of_the_dockerd_that_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for printed, version in (("Docker version 28.5.2+dfsg4, build ecc6942", "28.5.2+dfsg4"), ("", "")):
        monkeypatch.setattr(claim_engines, "engine_version", lambda _root, printed=printed: printed)
        private_engine_version.cache_clear()
        assert private_engine_version() == version
    private_engine_version.cache_clear()


async def test_an_engine_has_one_setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second setup would replace RootlessKit: the claim would be about an engine that runs as root."""
    started: list[str | None] = []

    async def start(_folder: Path, *, setup: str | None, **_options: object) -> None:
        started.append(setup)
        raise private_host.PrivateHostError("stop here")

    monkeypatch.setattr(private_host, "start", start)
    monkeypatch.setenv("NETMODES_ENGINE_SETUP", "rootless-pasta")
    async with AsyncExitStack() as stack:
        with pytest.raises(private_host.PrivateHostError, match="an engine with rootless-pasta cannot"):
            await claim_engines.start_private_engine(stack, tmp_path, WatchPool(), setup="firewalld")
        for configured, setup in (("rootless-pasta", ""), ("firewalld", "firewalld"), ("", "firewalld")):
            monkeypatch.setenv("NETMODES_ENGINE_SETUP", configured)
            with pytest.raises(private_host.PrivateHostError, match="stop here"):
                await claim_engines.start_private_engine(stack, tmp_path, WatchPool(), setup=setup)
    assert started == [None, "firewalld", "firewalld"]
