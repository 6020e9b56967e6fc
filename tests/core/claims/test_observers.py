"""Whether the program of a container listens, and the processes of published ports, as claims observe them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.claims import observers
from dashboard.core.claims.testbed import Container
from dashboard.core.namespaces.state import Family, Listener, NamespaceState, Protocol

WEB = Container("docker run", id="a1" * 32, status="running", inspected={"State": {"Pid": 7}})


class StateTestbed:
    """A container that keeps running, and the sockets of its namespace."""

    def __init__(self, *listeners: Listener) -> None:
        self._state = NamespaceState(1, listeners=listeners)

    async def wait_exited(self, container: Container, within_s: float) -> Container:
        assert within_s
        return container

    async def state(self, _place: Container) -> NamespaceState:
        return self._state


def listening(port: int, pid: int, container: str | None = None) -> Listener:
    return Listener(Protocol.TCP, Family.INET, "0.0.0.0", port, pid, "httpd", container)


@pytest.mark.parametrize(
    ("listener", "serves"),
    [
        (listening(81, 4711, WEB.id), True),  # the engine has a pid namespace of its own, in which it is 7
        (listening(81, 7), True),  # the container is unknown: its processes have no cgroup
        (listening(81, 4711), False),
        (listening(81, 4711, "b2" * 32), False),
        (listening(80, 4711, WEB.id), False),
    ],
)
async def test_the_owner_of_the_socket_counts(
    listener: Listener, serves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "EXIT_TRIES", 2)
    testbed: Any = StateTestbed(listener)
    assert await observers.wait_served_or_exited(testbed, WEB, 81) == (WEB, serves)


async def test_docker_proxy_is_counted_for_the_ports_of_the_claim_only() -> None:
    """Other claims may publish ports of the machine at the same time."""
    ran: list[str] = []

    def proxy(port: int, pid: int) -> Listener:
        return replace(listening(port, pid), process="docker-proxy")

    class PublishingTestbed(StateTestbed):
        async def run(self, line: str) -> None:
            ran.append(line)

        async def memory_kib(self, pids: Sequence[int]) -> int:
            return sum(pids)

    testbed: Any = PublishingTestbed(proxy(8200, 1), proxy(8201, 2), proxy(8201, 2), proxy(8202, 4), listening(8200, 8))
    assert await observers.observe_proxies("docker run", range(8200, 8202))(testbed) == (2, 3)
    assert ran == ["docker run"]
