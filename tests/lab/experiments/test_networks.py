"""Networks that the arms of an experiment need."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineFacts
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.networks import free_subnet, missing_feature
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.finder import measured_paths
from dashboard.engine.protocol import EngineError
from dashboard.lab import reconciler
from dashboard.lab.context import LABEL_PLACE
from dashboard.lab.experiments import networks
from dashboard.lab.experiments.columns.other_host import OtherHost
from dashboard.lab.experiments.containers import remove_all
from dashboard.lab.experiments.networks import MAX_CREATIONS, ExperimentNetworks
from dashboard.lab.experiments.observer import Observer
from tests.core.builders import make_interface, make_route
from tests.lab.experiments.conftest import create_whole, networks_of_experiments, run_part
from tests.support import engine_api
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine
from tests.support.specs import make_spec


async def test_macvlan_waits_until_the_routes_of_the_machine_are_read(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, create_networks, created = Observer.add, ExperimentNetworks.create, asyncio.Event()
    subnets: list[str] = []

    async def add_later(observer: Observer, *arguments: Any) -> NamespaceState:
        await created.wait()
        return await add(observer, *arguments)

    async def create(experiment: ExperimentNetworks, *arguments: Any) -> None:
        created.set()
        await create_networks(experiment, *arguments)

    def place(taken: list[str]) -> str:
        subnets.append(free_subnet(taken))
        return subnets[-1]

    monkeypatch.setattr(Observer, "add", add_later)
    monkeypatch.setattr(ExperimentNetworks, "create", create)
    monkeypatch.setattr(networks, "free_subnet", place)
    await fake_lab.running("macvlan", "none")
    assert len(subnets) == 1


async def test_the_parent_of_macvlan_has_the_default_route_with_the_lowest_metric(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed, create_network = Observer.state, fake.create_network
    routes = (make_route(gateway="10.0.0.1", metric=20100), make_route(interface="eth1", metric=100))
    parents: list[str] = []

    def with_two_uplinks(observer: Observer, key: str) -> NamespaceState:
        state = observed(observer, key)
        links = (make_interface(), make_interface("eth1", 3))
        return replace(state, interfaces=links, routes=routes) if key == MACHINE else state

    async def created(name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        parents.append(options["parent"])
        return await create_network(name, driver, labels, options)

    monkeypatch.setattr(Observer, "state", with_two_uplinks)
    monkeypatch.setattr(fake, "create_network", created)
    await fake_lab.running("macvlan", "none")
    assert parents == ["eth1"]


async def test_few_networks_are_created_at_the_same_time(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_network = fake.create_network
    running = 0
    counts: list[int] = []

    async def counted(*arguments: Any) -> str:
        nonlocal running
        running += 1
        counts.append(running)
        try:
            return await create_network(*arguments)
        finally:
            running -= 1

    monkeypatch.setattr(fake, "create_network", counted)
    names = [f"n{number}" for number in range(8)]
    await fake_lab.running(arms=[{"mode": "user-bridge", "networks": names}])
    assert len(counts) == len(names) + 1
    assert max(counts) == MAX_CREATIONS


async def test_a_restart_keeps_the_lines_that_created_the_networks(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("user-bridge", "none")
    before = {column.key: column.setup for column in (await fake_lab.view(identity)).columns}
    assert before["user-bridge"] == f"docker network create nm-{identity}"
    created = fake.calls.count("create_network")
    await fake_lab.want(identity, Wanted.RUNNING, again=True)

    async def second() -> bool:
        head = (await fake_lab.view(identity)).head
        return head is not None and (head.round, head.phase) == (2, Phase.RUNNING)

    await eventually(second)
    assert fake.calls.count("create_network") == created
    assert {column.key: column.setup for column in (await fake_lab.view(identity)).columns} == before


async def test_parts_share_an_overlay_which_the_last_one_removes(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)
    whole = await fake_lab.database.run(create_whole)
    part = await run_part(fake_lab, whole, "overlay", "user-bridge")
    assert await networks_of_experiments(fake) == {f"nm-{whole}-overlay", f"nm-{part}"}
    (overlay,) = await fake.networks(fake_lab.context.labels(whole))
    assert overlay.labels[LABEL_PLACE] == fake_lab.context.place == ""
    assert f"--network nm-{whole}-overlay" in (await fake_lab.column(part, "overlay")).command
    fake.refuse["remove_network"] = EngineError(f"network nm-{whole}-overlay is in use by task t", 400)
    stopping = asyncio.ensure_future(fake_lab.stop(part))
    await eventually(lambda: fake.calls.count("remove_network") > 2)
    del fake.refuse["remove_network"]  # a moment later the part on the other machine has left it
    await stopping
    assert await networks_of_experiments(fake) == set()


async def test_a_part_uses_the_overlay_that_another_one_has_created(fake_lab: LabHarness, fake: FakeEngine) -> None:
    whole = await fake_lab.database.run(create_whole)
    labels = fake_lab.context.labels(whole) | {LABEL_PLACE: "@lab2"}
    await fake.create_network(f"nm-{whole}-overlay", "overlay", labels, {})
    part = await run_part(fake_lab, whole, "overlay")
    assert (await fake_lab.column(part, "overlay")).networks.keys() == {f"nm-{whole}-overlay"}
    assert await networks_of_experiments(fake) == {f"nm-{whole}-overlay"}


async def test_an_overlay_that_another_part_removes_before_it_is_used_is_created_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await fake_lab.database.run(create_whole)
    name, start_container = f"nm-{whole}-overlay", fake.start_container
    await fake.create_network(name, "overlay", fake_lab.context.labels(whole) | {LABEL_PLACE: "@lab2"}, {})
    removed: list[str] = []

    async def start(container: str, _deadline_s: float | None = None) -> None:
        if not removed:
            removed.extend(network.id for network in await fake.networks({}) if network.name == name)
            await fake.remove_network(removed[0])
        if name not in await networks_of_experiments(fake):
            raise EngineError(f"network {name} not found", 404)
        await start_container(container)

    monkeypatch.setattr(fake, "start_container", start)
    part = await run_part(fake_lab, whole, "overlay")
    assert (await fake_lab.column(part, "overlay")).status is ArmStatus.RUNNING
    assert removed
    assert await networks_of_experiments(fake) == {name}


async def test_an_overlay_that_another_machine_creates_at_the_same_moment_is_used(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Engine 28.5.2 answered: 500, not 409."""
    whole, create_network = await fake_lab.database.run(create_whole), fake.create_network

    async def create(name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        await create_network(name, driver, labels | {LABEL_PLACE: "@lab2"}, options)
        raise EngineError("rpc error: code = Unknown desc = name conflicts with an existing object", 500)

    monkeypatch.setattr(fake, "create_network", create)
    part = await run_part(fake_lab, whole, "overlay")
    assert (await fake_lab.column(part, "overlay")).status is ArmStatus.RUNNING


async def test_a_network_that_is_being_created_is_removed_with_the_experiment(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database cannot be used, so the removal does not wait for the launch."""
    create_network, asked, answered = fake.create_network, asyncio.Event(), asyncio.Event()

    async def create(*arguments: Any) -> str:
        asked.set()
        await answered.wait()
        return await create_network(*arguments)

    monkeypatch.setattr(fake, "create_network", create)
    identity = await fake_lab.launch("user-bridge")
    async with asyncio.timeout(DEADLINE_S):
        await asked.wait()
        driver = fake_lab.driver(identity)
        before = fake.calls.count("networks")
        removal = asyncio.ensure_future(driver.remove_unrecorded())
        await eventually(lambda: fake.calls.count("networks") > before)
        answered.set()
        await removal
        await driver.settled()
    assert await networks_of_experiments(fake) == set()


async def test_a_client_that_is_being_started_on_another_host_is_removed_with_the_experiment(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    clients: list[str] = []
    removals: list[int] = []

    async def observe(_other: OtherHost) -> None:
        asked.set()
        await answered.wait()
        clients.append("client")

    async def remove(_other: OtherHost) -> None:
        removals.append(len(clients))
        clients.clear()

    monkeypatch.setattr(OtherHost, "observe", observe)
    monkeypatch.setattr(OtherHost, "remove", remove)
    identity = await fake_lab.launch("user-bridge")
    async with asyncio.timeout(DEADLINE_S):
        await asked.wait()
        driver = fake_lab.driver(identity)
        removal = asyncio.ensure_future(driver.remove_unrecorded())
        await eventually(lambda: removals)
        answered.set()
        await removal
        await driver.settled()
    assert clients == []


async def test_the_last_part_of_a_removed_experiment_removes_the_overlay_that_another_one_has_created(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    """After a restart of the lab the record of the part does not name the whole experiment, which no longer exists."""
    whole = await fake_lab.database.run(create_whole)
    for identity in (whole, "another"):
        labels = fake_lab.context.labels(identity) | {LABEL_PLACE: "@lab2"}
        await fake.create_network(f"nm-{identity}-overlay", "overlay", labels, {})
    part = await run_part(fake_lab, whole, "overlay")
    record = await fake_lab.record(part)
    await remove_all(fake_lab.context, replace(record, parent=None))
    assert await networks_of_experiments(fake) == {"nm-another-overlay"}


#: Arms with what engines support since different versions.
ARMS = [
    {"key": "plain", "mode": "user-bridge"},
    {"key": "dual", "mode": "user-bridge", "ipv6": "yes"},
    {"key": "two", "mode": "user-bridge", "networks": "back"},
    {"key": "first", "mode": "user-bridge", "networks": "back,gw-priority=1,ifname=eth7"},
    {"key": "only", "mode": "user-bridge", "ipv6": "only"},
]


async def test_arms_have_the_networks_that_this_engine_supports(
    lab_harness: LabHarness, engine_host: PrivateEngine, facts: EngineFacts
) -> None:
    spec = make_spec(arms=ARMS)
    lacks = {arm.key: missing_feature(arm, lab_harness.context.info.api) for arm in spec.arms}
    identity = await lab_harness.running(arms=ARMS)
    view = await lab_harness.view(identity)
    columns = {column.key: column for column in view.columns}
    assert {key: columns[key].error for key in lacks} == lacks
    texts = [entry.text for entry in await lab_harness.entries(identity)]
    assert not any("The Engine refuses" in text for text in texts), texts
    dual = {a.address for link in view.states["dual"].interfaces for a in link.addresses if a.scope != "link"}
    assert any(address.startswith("fd") for address in dual)
    assert any("." in address for address in dual), "an IPv4 address of any pool"
    rows = {(row.section, row.key, row.field): row for row in compare(view.columns, view.states)}
    gateway = rows["routes", "default", "inet"]
    back = f"nm-{identity}-net-back"
    if lacks["two"] is None:
        assert set(columns["two"].networks) == {f"nm-{identity}", back}
        one = f"of the 2 networks of two, nm-{identity} provides the gateway: no gateway priority"
        sets_all = facts.kind is EngineKind.PODMAN
        assert ("2 networks of two have a default route each" if sets_all else one) in gateway.why
        both = f"networks nm-{identity} and {back}"
        assert gateway.notes["two"] in (
            {both, f"networks {back} and nm-{identity}"} if sets_all else {f"network nm-{identity}"}
        )
        measured = {path.key for path in measured_paths(view.columns, view.states) if path.address}
        from_machine = {key for key in measured if key.startswith("two/bridge-address")}
        # No route leads from the machine to the bridges of a rootless Podman.
        reachable = set() if ROOTLESS_PODMAN.matches(facts) else {"two/bridge-address", "two/bridge-address.2"}
        assert from_machine == reachable
        assert ("two/container-to-container.2" in measured) is (lacks["first"] is None)
        assert columns["two"].setup.splitlines()[-1] == f"docker network create {back}"
    if lacks["first"] is None:
        assert "eth7" in {link.name for link in view.states["first"].interfaces}
        assert gateway.notes["first"] == f"network {back}"
        assert f"of the 2 networks of first, {back} provides the gateway: its gateway priority is the" in gateway.why
    if lacks["only"] is None:
        assert columns["only"].networks[f"nm-{identity}.ipv6-only"].startswith("fd")
        assert gateway.cells["only"] is None
        assert rows["routes", "default", "inet6"].cells["only"] is not None
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof), head.proof
    assert engine_api.networks(engine_host.endpoint) == []
