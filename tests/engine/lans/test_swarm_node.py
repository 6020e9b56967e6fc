"""An engine as a node of a swarm, with given answers of the Engine. ``test_swarm.py`` forms real swarms."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.swarm_node import (
    PORT,
    SwarmNode,
    init,
    join,
    keeps_port,
    read_node,
    read_swarm,
    wait_for_leader,
    wait_until_stored,
)
from dashboard.engine.protocol import EngineError

ACTIVE = {"LocalNodeState": "active", "NodeID": "n1", "NodeAddr": "198.51.100.1"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Records the calls of the SDK's client, each of which returns ``n1``."""
    calls: list[tuple[Any, ...]] = []

    async def ask(endpoint: str, name: str, *args: object, **options: object) -> object:
        calls.append((endpoint, name, *args, options))
        return "n1"

    monkeypatch.setattr(swarm_node, "_ask", ask)
    return calls


@pytest.mark.parametrize(
    ("answer", "node"),
    [
        ({"Swarm": ACTIVE}, SwarmNode("active", "n1", "198.51.100.1")),
        ({"Swarm": {"LocalNodeState": "inactive", "NodeID": ""}}, SwarmNode("inactive")),
        ({}, SwarmNode("")),
        ([], SwarmNode("")),
        ({"Swarm": {"LocalNodeState": 1, "NodeID": {}}}, SwarmNode("")),
    ],
)
async def test_the_node_is_decoded_from_the_engines_info(
    monkeypatch: pytest.MonkeyPatch, answer: object, node: SwarmNode
) -> None:
    async def ask(*_: object) -> object:
        return answer

    monkeypatch.setattr(swarm_node, "_ask", ask)
    assert await read_node("unix:///e") == node
    assert node.is_inactive is (node.state != "active")
    assert await read_swarm("unix:///e") == ("", "")


async def test_addresses_are_those_that_the_others_reach(asked: list[tuple[Any, ...]]) -> None:
    assert await init("unix:///e", "198.51.100.1") == "n1"
    await join("unix:///f", "198.51.100.2", "198.51.100.1", "t")
    assert asked == [
        ("unix:///e", "init_swarm", {"advertise_addr": "198.51.100.1", "listen_addr": f"198.51.100.1:{PORT}"}),
        (
            "unix:///f",
            "join_swarm",
            [f"198.51.100.1:{PORT}"],
            "t",
            f"198.51.100.2:{PORT}",
            "198.51.100.2",
            {},
        ),
    ]


@pytest.mark.parametrize("states", [["pending", "pending", "active"], ["inactive"], ["locked"]])
async def test_an_engine_whose_swarm_has_no_leader_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, states: list[str]
) -> None:
    left = list(states)

    async def ask(*_: object) -> object:
        return {"Swarm": {"LocalNodeState": left.pop(0)}}

    monkeypatch.setattr(swarm_node, "_ask", ask)
    monkeypatch.setattr(swarm_node, "POLL_S", 0.0)
    assert (await wait_for_leader("unix:///e")).state == states[-1]
    assert left == []
    left.append("pending")
    assert (await wait_for_leader("unix:///e", limit_s=0.0)).state == "pending"


async def test_a_config_that_cannot_be_removed_hides_no_other_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[EngineError] = []

    async def ask(_endpoint: str, name: str, *_: object) -> object:
        if name == "remove_config":
            raise EngineError("the swarm has no leader", 503)
        return {"ID": "c1"}

    async def call(_endpoint: str, _wait: object) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(swarm_node, "_ask", ask)
    monkeypatch.setattr(swarm_node, "_call", call)
    await wait_until_stored(["unix:///e"])
    failures.append(EngineError("not in a swarm", 503))
    with pytest.raises(EngineError, match="not in a swarm"):
        await wait_until_stored(["unix:///e"])


async def test_a_manager_that_does_not_store_the_members_in_time_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream of events ends at the deadline, without the event of the change."""

    async def ask(*_: object) -> dict[str, str]:
        return {"ID": "config"}

    async def call(endpoint: str, wait: Callable[[SimpleNamespace], bool]) -> bool:
        events = [{"Type": "config"}] if endpoint == "unix:///stored" else []
        return wait(SimpleNamespace(events=lambda *_: (event for event in events)))

    monkeypatch.setattr(swarm_node, "_ask", ask)
    monkeypatch.setattr(swarm_node, "_call", call)
    await wait_until_stored(["unix:///stored"])
    assert caplog.text == ""
    await wait_until_stored(["unix:///stored", "unix:///late"])
    assert "unix:///late had not stored the members of the swarm" in caplog.text
    assert "unix:///stored" not in caplog.text


async def test_objects_left_by_an_earlier_wait_do_not_prevent_another_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[str] = []

    async def ask(_endpoint: str, name: str, *args: Any) -> dict[str, str]:
        if name == "create_config":
            created.append(args[0])
        return {"ID": "config"}

    async def wait(*_: object) -> None:
        assert created

    monkeypatch.setattr(swarm_node, "_ask", ask)
    monkeypatch.setattr(swarm_node, "_call", wait)
    for _time in range(2):
        await wait_until_stored(["unix:///e"])
    assert len(set(created)) == 2


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_daemon_that_listens_at_the_port_is_recognised(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, address: str
) -> None:
    """Without an address of its own, a swarm listens on all addresses, in the table of IPv6."""
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        monkeypatch.setattr(swarm_node, "GOSSIP_PORT", listener.getsockname()[1])
        assert not keeps_port(os.getpid())
        listener.listen()
        assert keeps_port(os.getpid())
        assert not keeps_port(os.getppid()), "another process"
    assert not keeps_port(os.getpid())
    assert not keeps_port(int(Path("/proc/sys/kernel/pid_max").read_text()))
