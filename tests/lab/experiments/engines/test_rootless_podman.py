"""An experiment on a rootless Podman: its bridges are in a namespace of its user."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.modes import MACHINE, NEIGHBOUR, PODMAN_MODES, ROOTLESS_NETNS
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import Family, Origin
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.hops import HopKind, HopStatus
from dashboard.core.paths.model import PathKind
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.doctor import examine, modes_of
from dashboard.lab.experiments.actions import column_namespace, try_paths
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.experiments.trace import trace
from dashboard.lab.measurements.run import measure_paths, plan_series
from dashboard.lab.measurements.worker import MeasurementWorker
from tests.lab.measurements.test_run import SLEEP, ask, result
from tests.support.engines.datagrams import answering, echoes
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, engine_variant
from tests.support.specs import HOST_WITHOUT_ROOT, OPEN_PORT

pytestmark = [pytest.mark.engine, pytest.mark.slow]

STACKS = ("pasta", "slirp4netns", "private")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    with engine_variant("rootless-podman", tmp_path_factory.mktemp("rootless")) as engine:
        yield engine


def peer_namespace(host: PrivateEngine, container: str) -> int:
    """The inode of the network namespace that has the other end of the container's veth pair, found through
    aardvark-dns, which runs in it."""
    names = host.docker("ps", "--format", "{{.Names}}").split()
    assert container in " ".join(names)
    (found,) = {int((process / "ns/net").stat().st_ino) for process in resolvers(host)}
    return found


def resolvers(host: PrivateEngine) -> list[Path]:
    """The folders in /proc of this host's aardvark-dns."""
    return [process for process in Path("/proc").glob("[0-9]*") if _is_resolver_of(host, process)]


def _is_resolver_of(host: PrivateEngine, process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"aardvark-dns" in words.partition(b"\0")[0] and os.fsencode(host.host.id) in words


async def test_the_column_of_the_bridges_is_the_namespace_in_which_they_are(
    lab: LabHarness, host: PrivateEngine
) -> None:
    identity = await lab.running("host", "user-bridge", publish=["18080:80"])
    view = await lab.view(identity)
    assert [column.key for column in view.columns] == [MACHINE, "host", "user-bridge", ROOTLESS_NETNS, NEIGHBOUR]
    state = view.states[ROOTLESS_NETNS]
    assert state.netns == peer_namespace(host, "user-bridge")
    assert state.netns not in {view.states[MACHINE].netns, view.states["user-bridge"].netns}
    bridges = [link.name for link in state.interfaces if link.kind == "bridge"]
    assert bridges
    assert not [link for link in view.states[MACHINE].interfaces if link.kind == "bridge"]
    await lab.stop(identity)
    after = await lab.view(identity)
    assert ROOTLESS_NETNS not in after.states
    assert next(column for column in after.columns if column.key == ROOTLESS_NETNS).status is ArmStatus.GONE


async def test_the_program_of_host_mode_is_the_arm_s_although_its_container_has_no_cgroup(lab: LabHarness) -> None:
    identity = await lab.running(arms=[HOST_WITHOUT_ROOT])
    driver = lab.driver(identity)
    await driver.settled()
    (arm,) = [column for column in driver.view.columns if column.key == "host"]
    assert arm.container is not None
    for key in (MACHINE, "host"):
        served = [one for one in driver.view.states[key].listeners if one.port == OPEN_PORT]
        assert served
        assert {one.container for one in served} == {arm.container.id}
    await lab.stop(identity)


async def test_cables_lead_to_the_bridges_as_the_kernel_numbers_them(lab: LabHarness, host: PrivateEngine) -> None:
    identity = await lab.running("bridge", "user-bridge")
    driver = lab.driver(identity)
    await driver.settled()
    view = driver.view
    namespace = resolvers(host)[0]
    listed = ["nsenter", f"--net={namespace}/ns/net", "ip", "-json", "-details", "link", "show", "type", "veth"]
    shown_by_ip = await asyncio.to_thread(subprocess.run, listed, capture_output=True, check=True)
    outer_ends = json.loads(shown_by_ip.stdout)
    bridges = {}
    for key in ("bridge", "user-bridge"):
        inside = view.states[key]
        ((outer, inner),) = veth_ends(view.states[ROOTLESS_NETNS], inside)
        (shown,) = [link for link in outer_ends if link["ifindex"] == outer.index]
        assert (shown["ifname"], shown["master"], shown["link_index"]) == (outer.name, outer.master, inner.index)
        assert inner.peer_netns == view.states[ROOTLESS_NETNS].netns
        bridges[key] = next(link for link in view.states[ROOTLESS_NETNS].interfaces if link.name == outer.master)
    for picture in draw(view.columns, view.states):
        cables = {edge.id.rpartition(":if:")[0] for edge in picture.edges if edge.kind == "veth"}
        assert cables == {f"veth:{ROOTLESS_NETNS}:if:{link.index}>{key}" for key, link in bridges.items()}
    await lab.stop(identity)


def both(port: int) -> list[str]:
    return [f"{port}:80", f"{port}:80/udp"]


def check_datagrams(lab: LabHarness, driver: ExperimentDriver, ports: Mapping[str, int]) -> None:
    """Checks that exactly the addresses of paths with a UDP port answer over UDP, and that these are all addresses of
    both families."""
    found = find_paths(driver.view.columns, driver.view.states)
    spaces = {key: column_namespace(lab.lab, driver, key) for key in (MACHINE, NEIGHBOUR, *ports)}
    machine, neighbour, *servers = [space for space in spaces.values() if space is not None]
    for client, kind in ((machine, PathKind.PUBLISHED_ROOTLESS), (neighbour, PathKind.LAN_PUBLISHED)):
        paths = [path for path in found if path.kind is kind and path.server in ports]
        asked = {(path.address, port) for path in paths for port in ports.values()}
        with echoes(servers, 80):
            assert {(path.address, path.udp_port) for path in paths} == answering(client, asked) == asked
        assert {path.family for path in paths} == set(Family)


async def test_published_ports_answer_through_rootlessport(lab: LabHarness, host: PrivateEngine) -> None:
    arms = [
        {"mode": "host"},
        {"mode": "bridge", "publish": both(18080)},
        {"mode": "user-bridge", "publish": both(18081)},
    ]
    identity = await lab.running(arms=arms)
    driver = lab.driver(identity)
    await driver.settled()
    view = driver.view
    await asyncio.to_thread(check_datagrams, lab, driver, {"bridge": 18080, "user-bridge": 18081})
    paths = [path for path in find_paths(view.columns, view.states) if path.kind is PathKind.PUBLISHED_ROOTLESS]
    assert {path.server for path in paths} == {"bridge", "user-bridge"}
    assert {path.family for path in paths} == set(Family)
    assert {is_loopback(path.address) for path in paths} == {True, False}
    attempts = await try_paths(lab.lab, identity)
    tried = [one for one in attempts if one.path == PathKind.PUBLISHED_ROOTLESS and one.url]
    assert {one.status for one in tried} == {200}
    assert {one.server for one in tried} == {"bridge", "user-bridge"}
    # rootlessport connects inside the container's namespace, from the container's own address.
    address = next(iter(next(column for column in view.columns if column.key == "bridge").networks.values()))
    assert {one.client_seen.rpartition(":")[0] for one in tried if one.server == "bridge"} == {address}
    (first, *_) = await trace(lab.lab, identity, next(one.key for one in tried if one.server == "bridge"))
    hop = next(hop for hop in first.hops if hop.kind is HopKind.PROXY)
    assert (hop.seen, hop.title) == (HopStatus.TAKEN, "rootlessport copies between two connections")
    assert re.search(rf"in the server's namespace: {address}:\d+ → {address}:80$", hop.evidence[1])
    measured = {each.path.name for each in plan_series(driver, [Probe.TCP_RR]).series if each.path.server == "bridge"}
    assert {"published-rootless", "published-rootless-ipv6"} <= measured
    drawn = {path.key: path for path in draw_paths(view.columns, view.states, draw(view.columns, view.states))}
    assert any(":proxy:tcp:" in box for hop in drawn["bridge/published-rootless"].hops for box in hop.ids)
    await lab.stop(identity)


async def test_the_modes_of_podman_are_launched_and_shown_as_the_kernel_shows_them(
    lab: LabHarness, host: PrivateEngine
) -> None:
    modes = {report.mode: report for report in await modes_of(lab.context.engine, lab.context.info)}
    assert all(modes[mode].available for mode in PODMAN_MODES)
    ports = dict(zip(STACKS, range(18180, 18190), strict=False))
    arms = [{"mode": mode, "publish": both(port)} for mode, port in ports.items()]
    identity = await lab.running(arms=arms)
    driver = lab.driver(identity)
    await driver.settled()
    view = driver.view
    machine = view.states[MACHINE]
    for mode in STACKS:
        state = view.states[mode]
        inspected = host.inspect(f"nm-{identity}-{mode}", "{{.HostConfig.NetworkMode}}")
        assert inspected == {"private": "pasta"}.get(mode, mode)
        assert state.netns not in {machine.netns, *(view.states[other].netns for other in STACKS if other != mode)}
        assert {link.kind for link in state.interfaces} == {"loopback", "tun"}
        assert state.resolver is not None
        assert state.resolver.origin is Origin.FORWARDED
    addresses = {mode: primary_addresses(view.states[mode])[0] for mode in STACKS}
    own = primary_addresses(machine)[0]
    assert addresses == {"pasta": own, "private": own, "slirp4netns": "10.0.2.100"}
    kinds = {PathKind.PUBLISHED_ROOTLESS, PathKind.LAN_PUBLISHED}
    tried = [one for one in await try_paths(lab.lab, identity) if one.path in kinds and one.url]
    assert {(one.server, one.path, one.status) for one in tried} == {
        (mode, kind, 200) for mode in STACKS for kind in kinds
    }
    # nginx names the client of its connection in each page.
    assert all(f" from {one.client_seen.rpartition(':')[0].strip('[]')}." in one.body_start for one in tried)
    seen = {(one.server, one.origin, one.url): one.client_seen.rpartition(":")[0] for one in tried}
    neighbour = primary_addresses(view.states[NEIGHBOUR])[0]
    for mode, port in ports.items():
        clients = [(MACHINE, "127.0.0.1"), (MACHINE, own), (NEIGHBOUR, own)]
        shown = [seen[mode, client, f"http://{address}:{port}/"] for client, address in clients]
        # Podman passes --map-guest-addr 169.254.1.2 to pasta: what the container calls to reach the machine.
        assert shown == (["10.0.2.100"] * 3 if mode == "slirp4netns" else [own, "169.254.1.2", neighbour])
    await asyncio.to_thread(check_datagrams, lab, driver, ports)
    rows = {(row.section, row.key): row for row in compare(view.columns, view.states)}
    assert "asta gives pasta and private the machine's address" in rows["identity", "address"].why
    assert (await lab.stop(identity)).proof


async def test_the_namespace_of_another_container_is_joined_and_a_foreign_one_is_refused_in_a_sentence(
    lab: LabHarness, host: PrivateEngine
) -> None:
    first = await lab.running(arms=[{"mode": "pasta", "publish": ["18280:80"]}])
    path = host.inspect(f"nm-{first}-pasta", "{{.NetworkSettings.SandboxKey}}")
    identity = await lab.running(arms=[{"mode": f"ns:{path}", "command": "sleep 600"}])
    driver = lab.driver(identity)
    await driver.settled()
    view = driver.view
    joined = (await lab.view(first)).states["pasta"]
    assert view.states["ns"].netns == joined.netns
    assert host.inspect(f"nm-{identity}-ns", "{{.HostConfig.NetworkMode}}") == f"ns:{path}"
    assert [one for one in find_paths(view.columns, view.states) if one.address and one.client == MACHINE] == []
    await lab.stop(identity)
    assert joined.netns == (await lab.view(first)).states["pasta"].netns
    foreign = await lab.launch(arms=[{"mode": "ns:/proc/1/ns/net"}])
    await lab.reaches(foreign, Phase.FAILED)
    refused = (await lab.column(foreign, "ns")).error
    assert re.fullmatch(r"[^\n]*network namespace path: [^\n]*/proc/1/ns/net: permission denied\.?", refused or "")
    await lab.stop(first)


async def test_forwarded_ports_are_measured(lab: LabHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_next(_measurer: MeasurementWorker) -> None:
        """The lab's own worker would take the run in its next pass."""

    monkeypatch.setattr(MeasurementWorker, "start_next", start_next)
    publish = ["8080/tcp", "8080/udp"]
    arms = [{"mode": mode, "command": SLEEP, "port": 8080, "publish": publish} for mode in ("bridge", *STACKS)]
    identity = await lab.running(arms=arms)
    driver = lab.driver(identity)
    await driver.settled()
    for probe in (Probe.TCP_RR, Probe.UDP_RR):
        asked = await ask(lab, identity, probe, Options(seconds=6.0, timeout_s=5.0, conditions=Conditions.ORDINARY))
        await measure_paths(lab.context, driver, asked)
        found = await result(lab, asked.id)
        measured = {one.key for one in found.series if one.n}
        told = [(one.key, one.n, one.errors, one.unavailable) for one in found.series]
        assert {f"{mode}/published-rootless" for mode in ("bridge", *STACKS)} <= measured, told
    await lab.stop(identity)


async def test_without_a_container_on_a_bridge_the_namespace_of_the_bridges_is_gone(
    lab: LabHarness, host: PrivateEngine
) -> None:
    identity = await lab.running("host", "bridge")
    assert ROOTLESS_NETNS in (await lab.view(identity)).states
    host.docker("rm", "-f", f"nm-{identity}-bridge")

    async def is_gone() -> bool:
        await lab.want(identity, Wanted.RUNNING)
        return ROOTLESS_NETNS not in (await lab.view(identity)).states

    await eventually(is_gone)
    assert (await lab.view(identity)).head.phase is Phase.RUNNING  # type: ignore[union-attr]


async def test_the_doctor_says_where_the_bridges_are(host: PrivateEngine) -> None:
    engine = DockerEngine(host.endpoint)
    report = await examine(engine, private=False)
    await engine.close()
    podman = next(check for check in report.checks if check.name == "podman")
    assert "bridges of a rootless Podman are in its user's rootless-netns, a separate column" in podman.detail
