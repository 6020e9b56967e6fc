"""Servers of the machine, in its namespace, until the claim ends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dashboard.lab.claims.testbed_servers import MachineServers, ask_abstract
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request


@pytest.fixture
def here() -> Iterator[Namespace]:
    """Our own network namespace."""
    with Namespace.of_pid(os.getpid()) as namespace:
        yield namespace


async def test_a_server_answers_says_who_asked_and_ends(here: Namespace) -> None:
    servers = MachineServers()
    assert await servers.serve(here, "127.0.0.1", 8291) == ""
    reply = await request(here, "127.0.0.1", 8291)
    assert reply.status == 200
    assert dict(reply.headers)["x-client-address"] == "127.0.0.1"
    assert "in use" in await servers.serve(here, "127.0.0.1", 8291)
    assert await servers.serve(here, "192.0.2.199", 8291) != ""
    await servers.close()
    assert (await request(here, "127.0.0.1", 8291)).status is None


async def test_abstract_sockets_are_asked_by_name(here: Namespace) -> None:
    servers = MachineServers()
    assert await servers.serve(here, "@netmodes-test", 0) == ""
    answer = await ask_abstract(here, "@netmodes-test")
    assert (answer.status, answer.connected) == (200, True)
    assert "machine itself" in answer.body
    await servers.close()
    gone = await ask_abstract(here, "@netmodes-test")
    assert (gone.status, gone.connected) == (None, False)
    assert "refused" in gone.error.lower()
