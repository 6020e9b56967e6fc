"""Podman's own modes on a Podman that runs as root."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.paths.model import PathKind
from dashboard.lab.doctor import modes_of
from dashboard.lab.experiments.actions import try_paths
from tests.support.lab_harness import LabHarness
from tests.support.private_engine import PrivateEngine, engine_variant

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    with engine_variant("podman", tmp_path_factory.mktemp("podman")) as engine:
        yield engine


async def test_a_namespace_is_joined_and_private_is_the_default_bridge(lab: LabHarness, host: PrivateEngine) -> None:
    modes = {report.mode: report for report in await modes_of(lab.context.engine, lab.context.info)}
    private = modes["private"]
    assert (private.available, private.note) == (True, "On this engine it is Podman's default bridge.")
    assert modes["ns"].available
    assert "rootless Podman" in modes["pasta"].reason
    assert host.try_on_machine("ip", "netns", "add", "lab").returncode == 0
    shown = host.on_machine("ip", "netns", "exec", "lab", "readlink", "/proc/self/ns/net")
    identity = await lab.running(
        arms=[{"mode": "private", "publish": ["18080:80"]}, {"mode": "ns:/run/netns/lab", "publish": ["18081:80"]}]
    )
    driver = lab.driver(identity)
    await driver.settled()
    view = driver.view
    assert f"net:[{view.states['ns'].netns}]" == shown.strip()
    assert host.inspect(f"nm-{identity}-ns", "{{.HostConfig.NetworkMode}}") == "ns:/run/netns/lab"
    assert {outer.master for outer, _ in veth_ends(view.states[MACHINE], view.states["private"])} == {"podman0"}
    line = next(column.command for column in view.columns if column.key == "ns")
    assert re.fullmatch(r"podman run .*--network ns:/run/netns/lab .*", line)
    tried = [one for one in await try_paths(lab.lab, identity) if one.url]
    answered = {(one.server, one.path) for one in tried if one.status == 200}
    assert {("private", PathKind.PUBLISHED_DNAT), ("private", PathKind.BRIDGE_ADDRESS)} <= answered
    assert not [one for one in tried if one.server == "ns" and one.origin == MACHINE]
    await lab.stop(identity)
    # The namespace is not the experiment's.
    assert host.try_on_machine("ip", "netns", "exec", "lab", "true").returncode == 0
    host.on_machine("ip", "netns", "delete", "lab")
