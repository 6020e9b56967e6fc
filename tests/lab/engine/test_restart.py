"""dashboard.lab.engine.restart: a host starts again with its containers."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host, registry
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.swarm_node import SwarmNode
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.engine import restart
from dashboard.lab.engine.restart import finish_starts, start_with_containers


async def test_the_containers_that_ran_are_started_and_a_refused_one_is_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    calls: list[object] = []

    class Engine:
        def __init__(self, endpoint: str, timeout_s: float) -> None:
            calls.append(endpoint)

        async def start_container(self, identity: str) -> None:
            calls.append(identity)
            if identity == "broken":
                raise EngineError("no such image", 404)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            calls.append("closed")

    async def start_again(*args: object, **more: object) -> PrivateHost:
        calls.append((args, more))
        return host

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(restart, "note_left_running", lambda _host: ("broken", "web"))
    monkeypatch.setattr(private_host, "start_again", start_again)
    limits = HostLimits()
    with caplog.at_level(logging.WARNING):
        assert await start_with_containers(host, limits, joined=host) is host
    started = ((host, limits, 30.0), {"die_with_parent": False, "joined": host})
    assert calls == [started, "unix:///nowhere", "broken", "web", "closed"]
    assert "broken does not start again on a: no such image" in caplog.text


async def test_containers_of_a_start_that_did_not_finish_are_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The start fails, then the process ends before the containers run."""
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    started: list[str] = []
    failures: list[Exception] = [PrivateHostError("not ready within 30 s"), KeyError("killed")]

    class Engine:
        def __init__(self, _endpoint: str, timeout_s: float) -> None:
            """Connects to nothing."""

        async def start_container(self, identity: str) -> None:
            if failures:
                raise failures.pop()
            started.append(identity)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            """Does nothing."""

    async def start_again(*_: object, **__: object) -> PrivateHost:
        monkeypatch.setattr(registry, "left_running", lambda _host: ())  # the engine marks them as stopped
        if len(failures) == 2:
            raise failures.pop(0)
        return host

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(registry, "left_running", lambda _host: ("web",))
    monkeypatch.setattr(private_host, "start_again", start_again)
    with pytest.raises(PrivateHostError):
        await start_with_containers(host)
    with pytest.raises(KeyError):
        await start_with_containers(host)
    assert started == []
    await finish_starts([host])
    await finish_starts([host])
    assert started == ["web"]


async def test_containers_of_an_engine_that_ends_again_stay_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of three containers one is started, one has been removed, and about one the engine does not answer."""
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    started: list[str] = []
    failures = {"gone": EngineError("No such container", 404), "late": EngineUnreachable("The engine has ended.")}

    class Engine:
        def __init__(self, _endpoint: str, timeout_s: float) -> None:
            """Connects to nothing."""

        async def start_container(self, identity: str) -> None:
            if identity in failures:
                raise failures[identity]
            started.append(identity)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            """Does nothing."""

    async def start_again(*_: object, **__: object) -> PrivateHost:
        return host

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(registry, "left_running", lambda _host: ("web", "gone", "late"))
    monkeypatch.setattr(private_host, "start_again", start_again)
    await start_with_containers(host)
    monkeypatch.setattr(registry, "left_running", lambda _host: ("web",))  # the engine marks the others as stopped
    failures.clear()
    await start_with_containers(host)
    assert started == ["web", "late", "web"]
    assert registry.abandoned_containers(host) == ()


async def test_an_engine_that_does_not_answer_is_asked_for_no_further_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    tried: list[str] = []

    class Engine:
        def __init__(self, _endpoint: str, timeout_s: float) -> None:
            """Connects to nothing."""

        async def start_container(self, identity: str) -> None:
            tried.append(identity)
            if identity != "web":
                raise EngineUnreachable("The engine did not answer within 30 s.")

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            """Does nothing."""

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(restart, "abandoned_containers", lambda _host: ("web", "hangs", "third", "fourth"))
    await finish_starts([host])
    assert tried == ["web", "hangs"]
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
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, refusal: EngineError, attempts: int, took_s: float
) -> None:
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    tried: list[str] = []

    class Engine:
        def __init__(self, _endpoint: str, timeout_s: float) -> None:
            """Connects to nothing."""

        async def start_container(self, identity: str) -> None:
            tried.append(identity)
            if len(tried) < 3:
                raise refusal

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            """Does nothing."""

    async def node(_endpoint: str) -> SwarmNode:
        return SwarmNode(state)

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(restart, "wait_for_leader", node)
    monkeypatch.setattr(restart, "POLL_S", 0.0)
    monkeypatch.setattr(restart, "time", SimpleNamespace(monotonic=lambda: 1.0 + len(tried) * took_s))
    monkeypatch.setattr(restart, "abandoned_containers", lambda _host: ("web",))
    await finish_starts([host])
    assert len(tried) == attempts


async def test_containers_without_their_network_delay_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt takes the Engine 20 s."""
    host = PrivateHost("a", 1, 1, "/nowhere", time.time(), tmp_path, 1, lan=LanPlace("office"))
    registry.remember(host, ready=True)
    tried: list[str] = []

    class Engine:
        def __init__(self, _endpoint: str, timeout_s: float) -> None:
            """Connects to nothing."""

        async def start_container(self, identity: str) -> None:
            tried.append(identity)
            if identity != "web":
                raise EngineError("attaching to network failed", 500)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None:
            """Does nothing."""

    async def node(_endpoint: str) -> SwarmNode:
        return SwarmNode("active")

    monkeypatch.setattr(restart, "DockerEngine", Engine)
    monkeypatch.setattr(restart, "wait_for_leader", node)
    monkeypatch.setattr(restart, "POLL_S", 0.0)
    monkeypatch.setattr(restart, "time", SimpleNamespace(monotonic=lambda: 1.0 + 20.0 * len(tried)))
    monkeypatch.setattr(restart, "abandoned_containers", lambda _host: ("lost", "web", "other"))
    await finish_starts([host])
    assert tried == ["lost", "web", "other", "lost"]
    assert caplog.text.count("does not start again on a: attaching to network failed") == 2
    assert registry.abandoned_containers(host) == ()
