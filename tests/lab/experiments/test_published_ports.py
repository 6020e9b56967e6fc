"""Published ports on engines of several configurations: what Netmodes states about them, and what the machine does.

The referees are iptables-save, ip6tables-save and curl.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec import UnsetType

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import View
from dashboard.core.modes import MACHINE, NEIGHBOUR
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import Path as RequestPath
from dashboard.core.paths.model import PathKind
from dashboard.core.paths.outside import leads_to_program
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.experiments.actions import column_namespace
from dashboard.netns.namespace import Namespace
from tests.support.engines.datagrams import answering, echoes
from tests.support.lab_harness import open_lab_harness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, private_engine

MACHINE_ADDRESSES = ("127.0.0.1", "192.0.2.2", "::1", "2001:db8::2")
IPV6 = {"ipv6": True, "fixed-cidr-v6": "fd00:17::/64"}
MODE = "com.docker.network.bridge.gateway_mode_ipv"
ROUTED = {"default-network-opts": {"bridge": {f"{MODE}4": "routed", f"{MODE}6": "routed"}}}
pytestmark = pytest.mark.engine
ARMS = [
    {"key": "host", "mode": "host"},
    {"key": "bridge", "mode": "bridge", "publish": ["8080:80", "127.0.0.1:8080:80/udp"]},
    {"key": "second", "mode": "bridge"},
    {"key": "user", "mode": "user-bridge", "publish": ["8081:80", "8091:80/udp", "8090:90/udp"]},
    {"key": "local", "mode": "user-bridge", "publish": ["127.0.0.1:8082:80", "192.0.2.2:8082:80/udp"]},
    {"key": "outer", "mode": "bridge", "publish": ["192.0.2.2:8083:80", "8093:80/udp"]},
]
HOST_PORTS = {"bridge": 8080, "user": 8081, "local": 8082, "outer": 8083}
UDP_PORTS = {"bridge": 8080, "user": 8091, "local": 8082, "outer": 8093}


def rules_of_kernel(host: PrivateEngine) -> set[tuple[str, int, str]]:
    """Protocol, port and new destination of each DNAT rule that packets of the machine's own programs may match."""
    rules = set()
    for tool in ("iptables-save", "ip6tables-save"):
        saved = host.on_machine(tool, "-t", "nat")
        spared = "127.0.0.0/8" in saved or "::1/128" in saved
        for line in saved.splitlines():
            match = re.search(r"-p (\w+) .*--dport (\d+) -j DNAT --to-destination (\S+)", line)
            if match and not (spared and "-d 127.0.0.1/32" in line):
                rules.add((match[1], int(match[2]), match[3]))
    return rules


def curl(pid: int, address: str, port: int, timeout_s: float = 1.0) -> str:
    """The status of one request from the network namespace of a process; empty without an answer."""
    url = f"http://{format_endpoint(address, port)}/"
    command = ["nsenter", "-t", str(pid), "--net", "curl", "-gsm", str(timeout_s), "-o", "/dev/null"]
    done = subprocess.run([*command, "-w", "%{http_code}", url], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


async def answers(pid: int, path: RequestPath) -> bool:
    """Whether a path answers; a new IPv6 address is not usable at once (duplicate address detection)."""

    async def requested() -> bool:
        return await asyncio.to_thread(curl, pid, path.address, path.port, 5.0) == "200"

    try:
        return bool(await eventually(requested))
    except AssertionError:
        return False


async def check_requests(view: View, pids: Mapping[str, int]) -> None:
    """Every path that is offered answers, and no address of the machine answers that is not offered."""
    paths = find_paths(view.columns, view.states)
    # tests/lab/experiments/columns/test_neighbour.py requests the paths from the neighbour, which has no process.
    offered = [path for path in paths if path.address and path.client != NEIGHBOUR and leads_to_program(path)]
    silent = [(path.key, path.target) for path in offered if not await answers(pids[path.client], path)]
    assert silent == [], "offered, but does not answer"
    for key, port in HOST_PORTS.items():
        known = {path.address for path in offered if path.server == key and path.client == MACHINE}
        others = [address for address in MACHINE_ADDRESSES if address not in known]
        answering = [address for address in others if await asyncio.to_thread(curl, pids[MACHINE], address, port)]
        assert answering == [], f"{key} is not offered there, but answers"


def check_datagrams(view: View, pids: Mapping[str, int], neighbour: Namespace) -> None:
    """Where a published port is offered over UDP, its UDP port answers; at the addresses of other paths it does not."""
    kinds = {PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY, PathKind.LAN_PUBLISHED}
    paths = [one for one in find_paths(view.columns, view.states) if one.kind in kinds and one.address]
    paths = [path for path in paths if path.server in UDP_PORTS and leads_to_program(path)]
    assert {path.client for path in paths} in ({MACHINE, NEIGHBOUR}, set())  # the tests know which paths there are
    with ExitStack() as stack:
        spaces = {key: stack.enter_context(Namespace.of_pid(pids[key])) for key in (MACHINE, *UDP_PORTS)}
        stack.enter_context(echoes([spaces[key] for key in UDP_PORTS], 80))
        for client, namespace in ((MACHINE, spaces[MACHINE]), (NEIGHBOUR, neighbour)):
            own = [path for path in paths if path.client == client]
            offered = {(path.server, path.address, path.udp_port) for path in own if path.udp_port}
            asked = {(path.server, path.address, UDP_PORTS[path.server]) for path in own}
            answers = answering(namespace, {endpoint[1:] for endpoint in asked})
            assert offered == {endpoint for endpoint in asked if endpoint[1:] in answers}


def check_rules(view: View, kernel_rules: set[tuple[str, int, str]]) -> None:
    """The rules in the state, on paths and in the picture are those of the kernel."""
    rules = view.states[MACHINE].firewall
    assert not isinstance(rules, UnsetType)
    assert rules.unread == ()
    stated = {(str(one.protocol), one.port, format_endpoint(one.to_address, one.to_port)) for one in rules.translations}
    assert stated == kernel_rules
    for path in find_paths(view.columns, view.states):
        if path.kind is PathKind.PUBLISHED_DNAT and path.address:
            assert ("tcp", path.port, path.hops[0].rpartition("→ ")[2]) in kernel_rules
    drawn = [box for box in draw(view.columns, view.states)[0].boxes if box.kind == "dnat"]
    assert len(drawn) == len({rule[:2] for rule in kernel_rules})


def reasons(view: View, key: str) -> str:
    """The reasons for the missing paths to a column."""
    return "\n".join(path.unavailable for path in find_paths(view.columns, view.states) if path.server == key)


def kinds(view: View, key: str) -> set[tuple[str, str]]:
    """Kind and target of each path from the machine to the published port of a column."""
    published = {PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY}
    paths = find_paths(view.columns, view.states)
    return {(str(path.kind), path.target) for path in paths if path.server == key and path.kind in published} - {
        (str(kind), "") for kind in published
    }


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateEngine]:
    """An engine with these options of dockerd."""
    with private_engine(tmp_path, daemon=request.param) as made:
        if made.pid != made.host.pid:
            pytest.skip("RootlessKit's namespace has other addresses than the host's LAN")
        yield made


@pytest.fixture
async def view(host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[View]:
    """An experiment with all arms when it has settled. Paths, picture and state were compared with the referees."""
    async with open_lab_harness(DockerEngine(host.endpoint), tmp_path) as harness:
        identity = await harness.running(arms=ARMS)
        driver = harness.driver(identity)
        await driver.settled()
        settled = driver.view
        pids = {MACHINE: host.pid}
        for column in settled.columns:
            if column.container is not None:
                pids[column.key] = host.container_pid(column.container.id)
        check_rules(settled, rules_of_kernel(host))
        await check_requests(settled, pids)
        neighbour = column_namespace(harness.lab, driver, NEIGHBOUR)
        assert neighbour is not None
        await asyncio.to_thread(check_datagrams, settled, pids, neighbour)
        yield settled


def with_options(**daemon: Any) -> pytest.MarkDecorator:
    """Runs a test on an engine with these options."""
    return pytest.mark.parametrize("host", [daemon], indirect=True, ids=["-".join(daemon) or "default"])


@with_options(iptables=False, ip6tables=False)
async def test_without_iptables_docker_proxy_answers_at_every_address(view: View) -> None:
    assert kinds(view, "bridge") == {
        ("published-proxy", "127.0.0.1:8080"),
        ("published-proxy", "192.0.2.2:8080"),
        ("published-proxy", "[::1]:8080"),
        ("published-proxy", "[2001:db8::2]:8080"),
    }
    assert kinds(view, "outer") == {("published-proxy", "192.0.2.2:8083")}
    assert "no nat rule of the machine translates 192.0.2.2:8080: docker-proxy answers there" in reasons(view, "bridge")


@pytest.mark.slow
@with_options()
async def test_an_ordinary_engine_translates_every_address_except_loopback(view: View) -> None:
    assert kinds(view, "bridge") == {
        ("published-proxy", "127.0.0.1:8080"),
        ("published-dnat", "192.0.2.2:8080"),
        ("published-proxy", "[::1]:8080"),
        ("published-proxy", "[2001:db8::2]:8080"),
    }
    assert kinds(view, "local") == {("published-proxy", "127.0.0.1:8082")}
    assert kinds(view, "outer") == {("published-dnat", "192.0.2.2:8083")}


@pytest.mark.slow
@with_options(**{"userland-proxy": False})
async def test_without_docker_proxy_loopback_is_translated_too(view: View) -> None:
    assert kinds(view, "bridge") == {
        ("published-dnat", "127.0.0.1:8080"),
        ("published-dnat", "192.0.2.2:8080"),
    }
    assert kinds(view, "local") == {("published-dnat", "127.0.0.1:8082")}


@pytest.mark.slow
@with_options(**{"userland-proxy": False, "iptables": False, "ip6tables": False})
async def test_without_docker_proxy_and_rules_no_address_of_the_machine_answers(view: View) -> None:
    assert kinds(view, "bridge") == set()
    assert "no nat rule of the machine translates 192.0.2.2:8080" in reasons(view, "bridge")


@pytest.mark.slow
@with_options(**IPV6, ip6tables=False)
async def test_ipv6_is_translated_only_by_rules_of_ip6tables(view: View) -> None:
    assert ("published-proxy", "[2001:db8::2]:8080") in kinds(view, "bridge")
    assert ("published-dnat", "192.0.2.2:8080") in kinds(view, "bridge")


@pytest.mark.slow
@with_options(**IPV6, **{"userland-proxy": False, "ip6tables": True, "experimental": True})
async def test_ipv6_without_docker_proxy_does_not_leave_loopback(view: View) -> None:
    assert ("published-dnat", "[2001:db8::2]:8080") in kinds(view, "bridge")
    assert "[::1]:8080" not in {target for _, target in kinds(view, "bridge")}


@pytest.mark.slow
@with_options(icc=False)
async def test_an_isolated_bridge_offers_no_path_between_containers(view: View) -> None:
    assert "a filter rule drops what one container on docker0 sends to another" in reasons(view, "bridge")
    assert "a filter rule drops" not in reasons(view, "user")


@pytest.mark.slow
@with_options(**ROUTED)
async def test_a_routed_network_takes_no_port_of_the_machine(view: View) -> None:
    if not any(port.host_port == 0 for column in view.columns for port in column.published):
        pytest.skip("gateway modes exist since Engine 27")
    assert kinds(view, "user") == set()
    assert "user's network is routed: 80/tcp is open at the container's own address" in reasons(view, "user")
    cells = next(row for row in compare(view.columns, view.states) if (row.key, row.field) == ("80/tcp", "published"))
    assert cells.absent["user"] == "not published: routed"
