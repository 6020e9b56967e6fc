"""dashboard.lab.engine.restart: a host starts again with its containers."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host, registry
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.swarm_node import SwarmNode
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.engine import restart
from dashboard.lab.engine.restart import finish_starts, start_with_containers
from tests.support.engines.container_starts import start_containers_with


@pytest.fixture
def host(tmp_path: Path) -> PrivateHost:
    """The recorded host of a LAN."""
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    return host


class Starts:
    """The containers that a host tried to start and those that it started; its swarm is in ``state``. The first
    ``failing`` attempts to start a container in ``failures`` raise its error; an attempt takes ``took_s``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *recorded: str, state: str = "inactive") -> None:
        self.tried: list[str] = []
        self.started: list[str] = []
        self.failures: dict[str, Exception] = {}
        self.failing, self.took_s = 9, 0.0
        self._state = state
        start_containers_with(monkeypatch, self._start)
        monkeypatch.setattr(restart, "wait_for_leader", self._wait_for_leader)
        monkeypatch.setattr(restart, "POLL_S", 0.0)
        monkeypatch.setattr(restart, "time", SimpleNamespace(monotonic=lambda: 1.0 + len(self.tried) * self.took_s))
        if recorded:
            monkeypatch.setattr(restart, "abandoned_containers", lambda _host: recorded)

    def _start(self, identity: str) -> None:
        self.tried.append(identity)
        if identity in self.failures and self.tried.count(identity) <= self.failing:
            raise self.failures[identity]
        self.started.append(identity)

    async def _wait_for_leader(self, _endpoint: str) -> SwarmNode:
        return SwarmNode(self._state)


async def test_the_containers_that_ran_are_started_and_a_refused_one_is_logged(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[object] = []

    def start(identity: str) -> None:
        calls.append(identity)
        if identity == "broken":
            raise EngineError("no such image", 404)

    async def start_again(*args: object, **more: object) -> PrivateHost:
        calls.append((args, more))
        return host

    start_containers_with(monkeypatch, start, calls)
    monkeypatch.setattr(restart, "note_left_running", lambda _host: ("broken", "web"))
    monkeypatch.setattr(private_host, "start_again", start_again)
    limits = HostLimits()
    with caplog.at_level(logging.WARNING):
        assert await start_with_containers(host, limits, joined=host) is host
    started = ((host, limits, 30.0), {"die_with_parent": False, "joined": host})
    assert calls == [started, "unix:///nowhere", "broken", "web", "closed"]
    assert "broken does not start again on a: no such image" in caplog.text


async def test_containers_of_a_start_that_did_not_finish_are_started(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost
) -> None:
    """The start fails, then the process ends before the containers run."""
    starts = Starts(monkeypatch)
    starts.failures["web"] = KeyError("killed")
    failures = [PrivateHostError("not ready within 30 s")]

    async def start_again(*_: object, **__: object) -> PrivateHost:
        monkeypatch.setattr(registry, "left_running", lambda _host: ())  # the engine marks them as stopped
        if failures:
            raise failures.pop()
        return host

    monkeypatch.setattr(registry, "left_running", lambda _host: ("web",))
    monkeypatch.setattr(private_host, "start_again", start_again)
    with pytest.raises(PrivateHostError):
        await start_with_containers(host)
    with pytest.raises(KeyError):
        await start_with_containers(host)
    assert starts.started == []
    starts.failures.clear()
    await finish_starts([host])
    await finish_starts([host])
    assert starts.started == ["web"]


async def test_containers_of_an_engine_that_ends_again_stay_recorded(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost
) -> None:
    """Of three containers one is started, one has been removed, and about one the engine does not answer."""
    starts = Starts(monkeypatch)
    starts.failures["gone"] = EngineError("No such container", 404)
    starts.failures["late"] = EngineUnreachable("The engine has ended.")

    async def start_again(*_: object, **__: object) -> PrivateHost:
        return host

    monkeypatch.setattr(registry, "left_running", lambda _host: ("web", "gone", "late"))
    monkeypatch.setattr(private_host, "start_again", start_again)
    await start_with_containers(host)
    monkeypatch.setattr(registry, "left_running", lambda _host: ("web",))  # the engine marks the others as stopped
    starts.failures.clear()
    await start_with_containers(host)
    assert starts.started == ["web", "late", "web"]
    assert registry.abandoned_containers(host) == ()


async def test_an_engine_that_does_not_answer_is_asked_for_no_further_container(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost
) -> None:
    starts = Starts(monkeypatch, "web", "hangs", "third", "fourth")
    starts.failures["hangs"] = EngineUnreachable("The engine did not answer within 30 s.")
    await finish_starts([host])
    assert starts.tried == ["web", "hangs"]
    assert registry.abandoned_containers(host) == ("hangs", "third", "fourth")


@pytest.mark.parametrize(
    ("state", "refusal", "attempts", "took_s"),
    [
        ("active", EngineError("network 2cn3 not found", 404), 3, 0.0),
        ("active", EngineError("attaching to network failed: context deadline exceeded", 500), 3, 20.0),
        ("active", EngineError("no such image", 404), 1, 0.0),
        ("active", EngineError("failed to set up container networking: port is already allocated", 500), 1, 0.0),
        ("inactive", EngineError("network 2cn3 not found", 404), 1, 0.0),
    ],
)
async def test_a_container_starts_once_the_swarm_has_its_network(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost, state: str, refusal: EngineError, attempts: int, took_s: float
) -> None:
    starts = Starts(monkeypatch, "web", state=state)
    starts.failures["web"], starts.failing, starts.took_s = refusal, 2, took_s
    await finish_starts([host])
    assert len(starts.tried) == attempts


async def test_containers_without_their_network_delay_no_others(
    monkeypatch: pytest.MonkeyPatch, host: PrivateHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt takes the Engine 20 s."""
    starts = Starts(monkeypatch, "lost", "web", "other", state="active")
    starts.took_s = 20.0
    starts.failures = dict.fromkeys(("lost", "other"), EngineError("attaching to network failed", 500))
    await finish_starts([host])
    assert starts.tried == ["lost", "web", "other", "lost"]
    assert caplog.text.count("does not start again on a: attaching to network failed") == 2
    assert registry.abandoned_containers(host) == ()
