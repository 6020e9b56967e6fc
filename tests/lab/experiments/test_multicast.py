"""Multicast datagrams to containers on a real engine, as the preset “Multicast discovery” shows them."""

from __future__ import annotations

import pytest

from dashboard.lab.experiments.actions import try_paths
from tests.support.lab_harness import LabHarness

pytestmark = pytest.mark.engine


async def test_a_datagram_on_the_machine_s_link_reaches_host_mode_and_one_on_docker0_reaches_bridge(
    lab_harness: LabHarness,
) -> None:
    identity = await lab_harness.running("host", "bridge", "none")
    attempts = await try_paths(lab_harness.lab, identity, multicast=True)
    datagrams = [one for one in attempts if one.path == "multicast"]
    driver = lab_harness.driver(identity)
    routes = driver.view.states["machine"].routes
    default = next(one.interface or "" for one in routes if one.destination == "default" and one.family == "inet")
    found = {(one.url.partition("%")[2].partition(":")[0], one.server): one for one in datagrams}
    assert {key for key, one in found.items() if one.reason == "received"} == {(default, "host"), ("docker0", "bridge")}
    assert {(link, column) for link, column in found if column == "bridge"} == {
        (default, "bridge"), ("docker0", "bridge")
    }  # fmt: skip
    assert found["docker0", "bridge"].client_seen.startswith("172.17.0.1:")
    assert {one.error for one in found.values()} == {""}
    lost = {key: one.unavailable or "" for key, one in found.items() if one.reason != "received"}
    assert all("did not arrive" in why and "as expected" in why for why in lost.values())
    assert "joins the group on its own eth0" in lost[default, "bridge"]
    assert f"joins the group on {default}, not on docker0" in lost["docker0", "host"]
    assert "no link with an IPv4 address" in lost["docker0", "none"]
    assert driver.view.trial.attempts == attempts
    assert driver.view.head is not None
    assert f"multicast on {default} reached host, not bridge or none; multicast on docker0 reached bridge" in (
        driver.view.head.tried
    )


async def test_no_datagram_is_sent_unless_it_is_requested(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host")
    assert "multicast" not in {one.path for one in await try_paths(lab_harness.lab, identity)}
