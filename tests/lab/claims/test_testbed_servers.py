"""Servers in the machine's namespace that live until the claim ends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dashboard.lab.claims.testbed_servers import MachineServers, request_abstract
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request


@pytest.fixture
def own_namespace() -> Iterator[Namespace]:
    """The network namespace of the test."""
    with Namespace.of_pid(os.getpid()) as namespace:
        yield namespace


async def test_a_server_answers_with_the_client_address_and_stops(own_namespace: Namespace) -> None:
    servers = MachineServers()
    assert await servers.serve(own_namespace, "127.0.0.1", 8291) == ""
    reply = await request(own_namespace, "127.0.0.1", 8291)
    assert reply.status == 200
    assert dict(reply.headers)["x-client-address"] == "127.0.0.1"
    assert "in use" in await servers.serve(own_namespace, "127.0.0.1", 8291)
    assert await servers.serve(own_namespace, "192.0.2.199", 8291) != ""
    await servers.close()
    assert (await request(own_namespace, "127.0.0.1", 8291)).status is None


async def test_abstract_sockets_are_requested_by_name(own_namespace: Namespace) -> None:
    servers = MachineServers()
    assert await servers.serve(own_namespace, "@netmodes-test", 0) == ""
    response = await request_abstract(own_namespace, "@netmodes-test")
    assert (response.status, response.connected) == (200, True)
    assert "outside containers" in response.body
    await servers.close()
    gone = await request_abstract(own_namespace, "@netmodes-test")
    assert (gone.status, gone.connected) == (None, False)
    assert "refused" in gone.error.lower()
