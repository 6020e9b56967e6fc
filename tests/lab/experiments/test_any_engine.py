"""What is true on any engine: on the suite's and on the newest, judged by ss, iptables-save and requests."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.state import Listener, NamespaceState
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import LOOPBACK_ADDRESSES, Path, PathKind, family_of
from dashboard.core.reports.model import ClaimVerdict
from dashboard.lab.claims.engines import open_engine
from dashboard.lab.claims.executor import ClaimEngines, ClaimRunner
from dashboard.lab.experiments.actions import column_namespace
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.netns.request import request
from tests.netns.namespaces import parse_listener
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, PrivateEngine

pytestmark = pytest.mark.engine
LAUNCHES = 3
ARMS = [
    {
        "mode": "bridge",
        "publish": ["18080:80", "18081:53/udp", "127.0.0.1:18082:80", "127.0.0.1:18083:53/udp"],
    },
    {"mode": "bridge", "key": "all", "publish_all": True},
    {"mode": "bridge", "key": "loopback", "publish": ["127.0.0.1:18086:80"]},
    {"mode": "user-bridge", "publish": ["18084:80", "18085:80/tcp"]},
    {"mode": "host"},
    {"mode": "none"},
]


async def settled(lab: LabHarness, identity: str) -> ExperimentDriver:
    """The driver of a running experiment when every owner is known."""
    driver = lab.lab.driver_of(identity)
    assert driver is not None
    await driver.settled()
    return driver


def rules_of(host: PrivateEngine) -> str:
    """The nat rules of both families."""
    return "\n".join(host.on_machine(tool, "-t", "nat") for tool in ("iptables-save", "ip6tables-save"))


async def test_the_owner_of_each_listener_is_the_one_that_ss_names(
    any_lab: LabHarness, any_host: PrivateEngine
) -> None:
    """Since Engine 28 the socket of a published port is dockerd's for some milliseconds, then docker-proxy's."""

    def owners(listeners: Iterable[Listener]) -> list[tuple[str, ...]]:
        return sorted((x.protocol, x.family, x.address, str(x.port), x.process or "") for x in listeners)

    for _ in range(LAUNCHES):
        identity = await any_lab.running(arms=ARMS)

        async def difference() -> set[tuple[str, ...]]:
            machine = (await settled(any_lab, identity)).view.states[MACHINE]  # noqa: B023
            told = any_host.on_machine("ss", "-Hltnupe").encode()
            return set(owners(machine.listeners)) ^ set(owners(map(parse_listener, told.splitlines())))

        async def both_agree() -> bool:
            """Programs of containers begin to listen at any time."""
            return not await difference()

        with suppress(AssertionError):
            await eventually(both_agree)
        assert await difference() == set()
        await any_lab.stop(identity)


def addresses_to_ask(machine: NamespaceState) -> list[str]:
    """Loopback and the machine's primary address, of each family."""
    return [*LOOPBACK_ADDRESSES.values(), *primary_addresses(machine)]


def host_ports(columns: Iterable[Column]) -> set[int]:
    """The published TCP ports that lead to the port of the column's program."""
    return {
        mapping.host_port
        for column in columns
        for mapping in column.published
        if mapping.protocol == "tcp" and mapping.container_port == (column.port or 80)
    }


async def answers(lab: LabHarness, driver: ExperimentDriver, client: str, address: str, port: int) -> bool:
    """Whether a request from the column gets a page."""
    namespace = column_namespace(lab.lab, driver, client)
    assert namespace is not None
    return (await request(namespace, address, port)).status == 200


async def test_every_path_that_is_offered_answers_and_every_address_that_is_not_offered_does_not(
    any_lab: LabHarness, any_host: PrivateEngine
) -> None:
    identity = await any_lab.running(arms=ARMS)
    driver = await settled(any_lab, identity)
    machine = driver.view.states[MACHINE]
    paths = [path for path in find_paths(driver.view.columns, driver.view.states) if path.address]
    assert {PathKind.BRIDGE_ADDRESS, PathKind.LOOPBACK, PathKind.INSIDE} <= {path.kind for path in paths}
    silent = [path for path in paths if not await answers(any_lab, driver, path.client, path.address, path.port)]
    assert [f"{path.kind} {path.target}" for path in silent] == []
    offered = {(path.address, path.port) for path in paths if path.client == MACHINE}
    # Of several ports for one program, the paths use the first.
    ports = {path.port for path in paths if path.fixed} | {18086} & host_ports(driver.view.columns)
    asked = {(address, port) for address in addresses_to_ask(machine) for port in ports}
    answering = {each for each in asked if await answers(any_lab, driver, MACHINE, *each)}
    assert answering == offered & asked
    await any_lab.stop(identity)


def dnat_rule(path: Path, columns: Iterable[Column]) -> tuple[str, str]:
    """The parts of the rule that a DNAT path requires."""
    column = next(column for column in columns if column.key == path.server)
    inner = next(address for address in column.networks.values() if family_of(address) is path.family)
    return f"--dport {path.port} ", f"--to-destination {inner}:{path.server_port}"


async def test_dnat_is_claimed_where_a_rule_translates_and_docker_proxy_where_one_listens(
    any_lab: LabHarness, any_host: PrivateEngine
) -> None:
    identity = await any_lab.running(arms=ARMS)
    driver = await settled(any_lab, identity)
    rules = [line for line in rules_of(any_host).splitlines() if "-j DNAT" in line]
    listeners = [parse_listener(line) for line in any_host.on_machine("ss", "-Hltnupe").encode().splitlines()]
    proxied = {x.port for x in listeners if (x.protocol, x.process) == ("tcp", "docker-proxy")}
    paths = [path for path in find_paths(driver.view.columns, driver.view.states) if path.address]
    translated = [path for path in paths if path.kind is PathKind.PUBLISHED_DNAT]
    unproved = [
        path.target
        for path in translated
        if not any(all(part in rule for part in dnat_rule(path, driver.view.columns)) for rule in rules)
    ]
    assert unproved == []
    assert bool(translated) == bool(rules)
    through_proxy = {path.port for path in paths if path.kind is PathKind.PUBLISHED_PROXY}
    assert through_proxy <= proxied
    assert bool(through_proxy) == bool(proxied)
    await any_lab.stop(identity)


async def test_the_claims_about_the_default_bridge_hold(any_lab: LabHarness, any_host: PrivateEngine) -> None:
    claims = [claim for claim in all_claims() if claim.id in {"bridge-veth", "bridge-gateway", "bridge-mtu"}]
    assert len(claims) == 3
    context = any_lab.context
    engine = await open_engine(context.engine, CACHE, context.watches, any_host.host)
    run = await ClaimRunner(
        ClaimEngines(engine, engine, engine), context.installation, "any-engine", lambda *_: None
    ).execute(claims)
    assert {result.id: result.reason for result in run.results if result.verdict is not ClaimVerdict.HOLDS} == {}
