"""Shared parts of the tests of facts about Docker's network modes. With other options of the daemon some facts differ,
as the expectations of the claims state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.polling import until
from tests.support.private_engine import PrivateEngine


def namespace(pid: int | str, kind: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())


def pid_of(host: PrivateEngine, container: str) -> int:
    return host.container_pid(container)


def inside(host: PrivateEngine, container: str, *command: str) -> str:
    return host.docker("exec", container, *command)


def page(host: PrivateEngine, address: str) -> str:
    """Headers and body of the lab page, fetched on the machine; empty while no server answers."""
    return host.on_machine("curl", "-si", "--max-time", "5", f"http://{address}/")


def client_seen(host: PrivateEngine, address: str) -> str:
    """The client's address as the server saw it."""
    answer = until(lambda: page(host, address))
    found = re.search(r"X-Client-Address: (\S+)", answer)
    assert found, answer
    return found[1]


@pytest.fixture
def own_network(engine_host: PrivateEngine) -> Iterator[str]:
    engine_host.docker("network", "create", "own")
    yield "own"
    for one in engine_host.docker("ps", "-aq", "--filter", "network=own").split():
        engine_host.docker("rm", "-f", one)
    engine_host.docker("network", "rm", "own")
