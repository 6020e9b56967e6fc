"""What is true on any engine: on the suite's and on the newest, judged by ss, iptables-save, nft and requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES, EngineFacts
from dashboard.core.experiments.messages import Column
from dashboard.core.measurements.measurement import Probe
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import format_endpoint, primary_addresses
from dashboard.core.namespaces.forwarders import is_rootless_forwarder
from dashboard.core.namespaces.state import Listener, NamespaceState
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import LOOPBACK_ADDRESSES, Path, PathKind, family_of
from dashboard.core.paths.outside import leads_to_program
from dashboard.core.reports.model import ClaimVerdict
from dashboard.lab.claims.engines import open_engine, read_facts
from dashboard.lab.claims.executor import ClaimEngines, ClaimRunner
from dashboard.lab.doctor import modes_of
from dashboard.lab.experiments.actions import column_namespace
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.measurements.run import plan_series
from dashboard.netns.request import request
from tests.netns.namespaces import parse_listener
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, PrivateEngine

pytestmark = pytest.mark.engine
#: The numbers of launches and of plans; with ``--all`` they add up to ten and twenty.
LAUNCHES = pytest.mark.parametrize("launches", [1, pytest.param(9, marks=pytest.mark.slow)])
PLANS = pytest.mark.parametrize("plans", [1, pytest.param(19, marks=pytest.mark.slow)])
ARMS = (
    {
        "mode": "bridge",
        "publish": ["18080:80", "18081:53/udp", "127.0.0.1:18082:80", "127.0.0.1:18083:53/udp"],
    },
    {"mode": "bridge", "key": "all", "publish_all": True},
    {"mode": "bridge", "key": "loopback", "publish": ["127.0.0.1:18086:80"]},
    {"mode": "user-bridge", "publish": ["18084:80", "18085:80/tcp"]},
    {"mode": "pasta", "publish": ["18087:80", "127.0.0.1:18088:53/udp"]},
    {"mode": "slirp4netns", "publish": ["18089:80"]},
    {"mode": "private", "publish": ["18090:80"]},
    {"mode": "macvlan"},
    {"mode": "host"},
    {"mode": "none"},
    {"mode": "container:user-bridge", "command": "sleep 600"},
)


async def launched(lab: LabHarness, arms: Iterable[dict[str, Any]] = ARMS) -> str:
    """A running experiment of those arms whose modes the engine offers."""
    reports = await modes_of(lab.context.engine, lab.context.info)
    lacking = {report.mode for report in reports if not report.available}
    return await lab.running(arms=[arm for arm in arms if arm["mode"].partition(":")[0] not in lacking])


async def settled(lab: LabHarness, identity: str) -> ExperimentDriver:
    """The driver of a running experiment when every owner is known."""
    driver = lab.driver(identity)
    await driver.settled()
    return driver


def rules_of(host: PrivateEngine) -> str:
    """The nat rules of both families; those of Podman's netavark are in a table of nftables."""
    saved = [host.on_machine(tool, "-t", "nat") for tool in ("iptables-save", "ip6tables-save")]
    return "\n".join((*saved, host.on_machine("nft", "list", "table", "inet", "netavark")))


def owners(listeners: Iterable[Listener]) -> set[tuple[str, ...]]:
    return {(x.protocol, x.family, x.address, str(x.port), x.process or "") for x in listeners}


def listening(host: PrivateEngine) -> list[Listener]:
    """What ss shows in the namespaces of the machine."""
    return [parse_listener(line) for line in host.on_machine("ss", "-Hltnupe").encode().splitlines()]


async def assert_owners_are_those_of_ss(lab: LabHarness, host: PrivateEngine, identity: str) -> None:
    """Since Engine 28 the socket of a published port is dockerd's for some milliseconds, then docker-proxy's."""

    async def difference() -> set[tuple[str, ...]]:
        machine = (await settled(lab, identity)).view.states[MACHINE]
        return owners(machine.listeners) ^ owners(listening(host))

    async def both_agree() -> bool:
        """Whether the listeners are those of ss. It is repeated: programs of containers begin to listen at any time."""
        return not await difference()

    with suppress(AssertionError):
        await eventually(both_agree)
    assert await difference() == set()


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


async def answers(
    lab: LabHarness, driver: ExperimentDriver, asked: Iterable[tuple[str, str, int]], expected: Iterable[bool]
) -> list[bool]:
    """Whether requests from a column to an address and a port get a page; eight are sent at a time, because some wait
    for an answer that does not come. One that is expected to get a page is repeated: its program may still start."""
    limit = asyncio.Semaphore(8)

    async def gets_page(client: str, address: str, port: int, *, repeated: bool) -> bool:
        namespace = column_namespace(lab.lab, driver, client)
        assert namespace is not None

        async def page() -> bool:
            return (await request(namespace, address, port)).status == 200

        async with limit:
            if repeated:
                with suppress(AssertionError):
                    return bool(await eventually(page))
            return await page()

    sent = zip(asked, expected, strict=True)
    return await asyncio.gather(*(gets_page(*each, repeated=repeated) for each, repeated in sent))


def describe(path: Path) -> str:
    return f"{path.kind} {path.target}"


async def assert_only_offered_paths_answer(lab: LabHarness, driver: ExperimentDriver, facts: EngineFacts) -> None:
    machine = driver.view.states[MACHINE]
    paths = [path for path in find_paths(driver.view.columns, driver.view.states) if path.address]
    rootless_podman = any(is_rootless_forwarder(listener.process) for listener in machine.listeners)
    reached = PathKind.PUBLISHED_ROOTLESS if rootless_podman else PathKind.BRIDGE_ADDRESS
    assert {reached, PathKind.INSIDE} <= {path.kind for path in paths}
    # No gateway leads from the network of the macvlan container to the neighbour; rules decide about paths to a
    # container's address.
    kinds = {PathKind.LAN_CONTAINER, PathKind.TO_LAN}
    filtered = {describe(path) for path in paths if path.kind in kinds}
    dropped = {describe(path) for path in paths if facts.firewalld and arrives_at_a_program(path)} - filtered
    # Paths from the neighbour are listed even if nothing leads to the program.
    dropped |= {describe(path) for path in paths if not leads_to_program(path)}
    asked_paths = [(path.client, path.address, path.port) for path in paths]
    answered = await answers(lab, driver, asked_paths, [describe(path) not in filtered | dropped for path in paths])
    silent = {describe(path) for path, answer in zip(paths, answered, strict=True) if not answer}
    assert silent - filtered == dropped
    offered = {(path.address, path.port) for path in paths if path.client == MACHINE}
    # Of several ports for one program, the paths use the first.
    ports = {path.port for path in paths if path.fixed} | {18086} & host_ports(driver.view.columns)
    asked = [(address, port) for address in addresses_to_ask(machine) for port in ports]
    pages = await answers(lab, driver, [(MACHINE, *each) for each in asked], [each in offered for each in asked])
    answering = {each for each, page in zip(asked, pages, strict=True) if page}
    assert answering == offered & set(asked)


def arrives_at_a_program(path: Path) -> bool:
    """Whether a request from another machine is for a program of the machine: firewalld's zone drops it."""
    through_proxy = any(hop.startswith("docker-proxy") for hop in path.hops)
    return path.kind is PathKind.LAN_ADDRESS or (path.kind is PathKind.LAN_PUBLISHED and through_proxy)


def is_proved(path: Path, server: NamespaceState, rules: Iterable[str]) -> bool:
    """Whether one of the rules translates as the DNAT path requires."""
    addresses = [each.address for link in server.interfaces for each in link.addresses]
    ends = [format_endpoint(each, path.server_port) for each in addresses if family_of(each) is path.family]
    return any(re.search(rf"dport {path.port} ", rule) and rule.endswith(tuple(ends)) for rule in rules)


def dnat_rules(host: PrivateEngine) -> list[str]:
    """The rules that translate packets. Where OUTPUT excludes loopback, no packet reaches a rule for 127.0.0.1: the
    engine publishes there if RootlessKit forwards ports."""
    rules = rules_of(host).splitlines()
    excluded = any(rule.startswith("-A OUTPUT ! -d 127.0.0.0/8 ") for rule in rules)
    translating = [rule for rule in rules if re.search("-j DNAT|dnat ip6? to", rule)]
    return [rule for rule in translating if not (excluded and " -d 127." in rule)]


def assert_dnat_is_a_rule_and_a_proxy_listens(host: PrivateEngine, driver: ExperimentDriver) -> None:
    rules = dnat_rules(host)
    proxied = {x.port for x in listening(host) if (x.protocol, x.process) == ("tcp", "docker-proxy")}
    paths = [path for path in find_paths(driver.view.columns, driver.view.states) if path.address]
    translated = [path for path in paths if path.kind is PathKind.PUBLISHED_DNAT]
    states = driver.view.states
    unproved = [path.target for path in translated if not is_proved(path, states[path.server], rules)]
    assert unproved == []
    assert bool(translated) == bool(rules)
    through_proxy = {path.port for path in paths if path.kind is PathKind.PUBLISHED_PROXY}
    assert through_proxy <= proxied
    assert bool(through_proxy) == bool(proxied)
    forwarded = {x.port for x in listening(host) if x.protocol == "tcp" and is_rootless_forwarder(x.process)}
    through_rootless = {path.port for path in paths if path.kind is PathKind.PUBLISHED_ROOTLESS}
    assert through_rootless <= forwarded
    assert bool(through_rootless) == bool(forwarded)


@LAUNCHES
async def test_owners_are_those_of_ss_dnat_is_a_rule_and_only_offered_paths_answer(
    any_lab: LabHarness, any_host: PrivateEngine, launches: int
) -> None:
    facts = await read_facts(any_lab.context.engine, any_lab.context.info)
    for _ in range(launches):
        identity = await launched(any_lab)
        await assert_owners_are_those_of_ss(any_lab, any_host, identity)
        driver = await settled(any_lab, identity)
        await assert_only_offered_paths_answer(any_lab, driver, facts)
        assert_dnat_is_a_rule_and_a_proxy_listens(any_host, driver)
        await any_lab.stop(identity)


@PLANS
async def test_a_measurement_has_a_proxy_path_exactly_where_a_proxy_runs(
    any_lab: LabHarness, any_host: PrivateEngine, plans: int
) -> None:
    """What ``measure host bridge --publish 9080:8080`` measures: the plan that the command itself makes."""
    planned: list[bool] = []
    running: list[bool] = []
    arms = [
        {"mode": mode, "command": "sleep 600", "port": 8080, "publish": ["9080:8080"]} for mode in ("host", "bridge")
    ]
    for _ in range(plans):
        identity = await launched(any_lab, arms)
        driver = any_lab.driver(identity)
        await driver.observer.settle()
        plan = plan_series(driver, [Probe.TCP_RR])
        planned.append(PathKind.PUBLISHED_PROXY in {each.path.kind for each in plan.series})
        running.append(any((x.port, x.process) == (9080, "docker-proxy") for x in listening(any_host)))
        await any_lab.stop(identity)
    assert planned == running
    assert len(set(running)) == 1


async def test_the_claims_about_the_default_bridge_hold_where_it_is_the_machine_s(
    any_lab: LabHarness, any_host: PrivateEngine
) -> None:
    claims = [claim for claim in all_claims() if claim.id in {"bridge-veth", "bridge-gateway", "bridge-mtu"}]
    assert len(claims) == 3
    context = any_lab.context
    engine = await open_engine(context.engine, CACHE, context.watches, any_host.host)
    run = await ClaimRunner(
        ClaimEngines(engine, engine, engine), context.installation, "any-engine", lambda *_: None
    ).execute(claims)
    others = {
        result.id: (result.verdict, result.reason) for result in run.results if result.verdict is not ClaimVerdict.HOLDS
    }
    elsewhere = ROOTLESS_PODMAN.matches(await read_facts(context.engine, context.info))
    verdict = (ClaimVerdict.NOT_TESTABLE, ROOTLESS_PODMAN_BRIDGES)
    assert others == (dict.fromkeys((claim.id for claim in claims), verdict) if elsewhere else {})
