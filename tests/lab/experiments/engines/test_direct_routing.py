"""A neighbour with a route to a container's network, on the newest engine with each option that concerns it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.modes import NEIGHBOUR
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import PathKind
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from dashboard.engine.hosts.programs import engine_root
from dashboard.engine.hosts.variants import Variant
from tests.lab.experiments.columns.test_neighbour import curl, run_in_neighbour
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, private_engine

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def trusts(link: str) -> dict[str, Any]:
    """The options of an engine whose networks trust a link of the machine."""
    return {"default-network-opts": {"bridge": {"com.docker.network.bridge.trusted_host_interfaces": link}}}


#: The options, and whether the neighbour reaches a published port at the container's own address.
OPTIONS: dict[str, tuple[dict[str, Any], bool]] = {
    "default": ({}, False),
    "allow-direct-routing": ({"allow-direct-routing": True}, True),
    "trusted-eth0": (trusts("eth0"), True),
    "trusted-eth7": (trusts("eth7"), False),
}


@pytest.fixture(params=OPTIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateEngine]:
    if engine_root() is not None:
        pytest.skip("--engine chose another engine")
    with private_engine(tmp_path, daemon=OPTIONS[request.param][0], variant=Variant()) as engine:
        yield engine


async def test_a_container_s_own_address_is_offered_exactly_where_it_answers(
    lab: LabHarness, host: PrivateEngine, request: pytest.FixtureRequest
) -> None:
    permitted = OPTIONS[request.node.callspec.params["host"]][1]
    open_arm, closed_arm = {"publish": ["18080:80"]}, {"key": "closed"}
    identity = await lab.running(arms=[{"mode": "user-bridge", **arm} for arm in (open_arm, closed_arm)])
    driver = lab.driver(identity)
    addresses = {
        key: ip_interface(f"{one.address}/{one.prefix}")
        for key in ("user-bridge", "closed")
        for link in driver.view.states[key].interfaces
        for one in link.addresses
        if link.name == "eth0" and one.scope == "global"
    }
    network = str(addresses["closed"].network)
    done = await run_in_neighbour(lab, identity, "ip", "route", "add", network, "via", MACHINE_ADDRESS)
    assert done.returncode == 0, done.stderr

    async def has_route() -> bool:
        return any(route.gateway == MACHINE_ADDRESS for route in driver.view.states[NEIGHBOUR].routes)

    await eventually(has_route)
    await driver.settled()
    found = find_paths(driver.view.columns, driver.view.states)
    paths = {path.server: path for path in found if path.kind is PathKind.LAN_CONTAINER}
    offered = {key: bool(path.address) for key, path in paths.items()}
    answers = {key: await curl(lab, identity, f"http://{one.ip}/") == 0 for key, one in addresses.items()}
    assert offered == answers == {"user-bridge": permitted, "closed": False}
    dropped = f"a rule of the machine drops packets for {addresses['user-bridge'].ip} that arrive on eth0"
    assert permitted or paths["user-bridge"].unavailable.startswith(dropped)
    assert "80/tcp is not published" in paths["closed"].unavailable
    # Where direct routing is not permitted, the other rule still drops the packets before they are routed.
    for link, accepted in (("eth7", False), ("eth0", permitted)):
        host.on_machine("iptables", "-I", "DOCKER-USER", "-i", link, "-j", "ACCEPT")

        async def is_offered_where_it_answers(expected: bool = accepted) -> bool:
            await lab.want(identity, Wanted.RUNNING)
            await driver.settled()
            found = find_paths(driver.view.columns, driver.view.states)
            (path,) = [one for one in found if (one.kind, one.server) == (PathKind.LAN_CONTAINER, "closed")]
            return bool(path.address) is expected

        assert (await curl(lab, identity, f"http://{addresses['closed'].ip}/") == 0) is accepted
        await eventually(is_offered_where_it_answers)
