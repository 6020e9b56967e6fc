"""Changes of a running experiment on a real engine: what its view and its journal record."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from dashboard.core.experiments.journal import Source, View, replay
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Listener, Origin
from dashboard.core.reports.replay.recording import build_recording, encode_recording
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.store import journal as journal_store
from tests.core.replay_reader import Reader
from tests.core.replay_vectors import shown
from tests.core.reports.replay.test_recording import assert_shows
from tests.netns.namespaces import parse_listener
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine


def add_link(host: PrivateEngine, pid: str, name: str) -> None:
    """Adds a link in the network namespace of a container."""
    done = host.try_on_machine("nsenter", "-t", pid, "-n", "ip", "link", "add", name, "type", "bridge")
    assert done.returncode == 0, done.stderr


def has_address(view: View, address: str) -> bool:
    """Whether the machine has this address."""
    links = view.states[MACHINE].interfaces
    return any(one.address == address for link in links for one in link.addresses)


async def test_the_owner_of_each_listener_is_the_one_that_ss_names(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    """Since Engine 28 the socket of a published port is dockerd's for some milliseconds, then docker-proxy's."""

    def owners(listeners: Iterable[Listener]) -> list[tuple[str, ...]]:
        return sorted((x.protocol, x.family, x.address, str(x.port), x.process or "", str(x.pid)) for x in listeners)

    published = ("18080:80", "18081:53/udp", "127.0.0.1:18082:80", "127.0.0.1:18083:53/udp")
    arms = [
        {"mode": "bridge", "publish": published},
        {"mode": "bridge", "key": "all", "publish_all": True},
        {"mode": "user-bridge", "publish": ["18084:80", "18085:80/tcp"]},
    ]
    identity = await lab_harness.running(arms=arms)
    driver = lab_harness.driver(identity)
    await driver.settled()
    machine = driver.view.states["machine"]
    told = engine_host.in_network("ss", "-Hltnupe").encode()
    assert owners(machine.listeners) == owners(map(parse_listener, told.splitlines()))
    assert "docker-proxy" in {listener.process for listener in machine.listeners}
    opened = [text for entry in await lab_harness.entries(identity) if "opens" in (text := entry.text)]
    assert opened
    assert not any("dockerd" in text for text in opened)
    await lab_harness.stop(identity)


async def test_the_journal_replayed_is_what_was_seen_live(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("host", "bridge", "none")
    run = lab_harness.driver(identity)
    inside = engine_host.inspect(container_name(identity, "bridge"), "{{.State.Pid}}")
    add_link(engine_host, inside, "e-link")
    await eventually(lambda: any(link.name == "e-link" for link in run.view.states["bridge"].interfaces))
    engine_host.on_machine("ip", "address", "add", "192.0.2.77/32", "dev", "eth0")
    await eventually(lambda: has_address(run.view, "192.0.2.77"))
    engine_host.on_machine("ip", "address", "del", "192.0.2.77/32", "dev", "eth0")
    await eventually(lambda: not has_address(run.view, "192.0.2.77"))
    await run.settled()
    live = run.view
    entries = await lab_harness.database.run(journal_store.entries, identity, until=live.seq)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert replay(entries) == live
    await lab_harness.stop(identity)
    assert replay(await lab_harness.database.run(journal_store.entries, identity, until=live.seq)) == live
    assert any(entry.cause.source is Source.KERNEL and "bridge" in entry.facts.changes for entry in entries)
    record = await lab_harness.record(identity)
    assert record.phase is Phase.STOPPED


async def test_a_restart_while_it_runs_observes_the_new_containers_and_the_machine(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("host", "bridge")
    before = (await lab_harness.column(identity, "bridge")).container
    await lab_harness.want(identity, Wanted.RUNNING, again=True)

    async def second() -> bool:
        view = await lab_harness.view(identity)
        return view.head is not None and (view.head.round, view.head.phase) == (2, Phase.RUNNING)

    await eventually(second, 20)
    states = (await lab_harness.view(identity)).states
    assert set(states) == {"machine", "host", "bridge", "neighbour"}
    after = (await lab_harness.column(identity, "bridge")).container
    assert before is not None
    assert after is not None
    assert before.id != after.id
    assert any(one.name == "eth0" for one in states["bridge"].interfaces)
    run = lab_harness.driver(identity)
    inside = engine_host.inspect(container_name(identity, "bridge"), "{{.State.Pid}}")
    add_link(engine_host, inside, "e-second")
    await eventually(lambda: any(link.name == "e-second" for link in run.view.states["bridge"].interfaces))
    assert any(link.name == "eth0" for link in run.view.states["bridge"].interfaces), "the old watch still speaks"


async def test_a_connected_network_changes_the_resolver_and_the_answers_to_names(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    network, container = network_name(identity, Mode.USER_BRIDGE), container_name(identity, "bridge")
    own = container_name(identity, "user-bridge")
    run = lab_harness.driver(identity)

    def finds() -> bool:
        lookups = run.view.states["bridge"].lookups
        return any(one.name == own and bool(one.answers) for one in lookups)

    await eventually(lambda: run.view.states["bridge"].lookups)
    assert not finds()
    engine_host.docker("network", "connect", network, container)
    await eventually(finds)
    resolver = run.view.states["bridge"].resolver
    assert resolver is not None
    assert (resolver.nameservers, resolver.origin) == (("127.0.0.11",), Origin.DOCKER)
    engine_host.docker("network", "disconnect", network, container)
    await eventually(lambda: not finds())
    await lab_harness.stop(identity)


async def test_a_removed_network_is_recorded_and_the_arm_runs_on(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("user-bridge", "bridge")
    network, container = network_name(identity, Mode.USER_BRIDGE), container_name(identity, "user-bridge")
    run = lab_harness.driver(identity)
    engine_host.docker("network", "disconnect", "-f", network, container)
    engine_host.docker("network", "rm", network)
    await eventually(lambda: all(one.name == "lo" for one in run.view.states["user-bridge"].interfaces))

    async def told() -> bool:
        return any("leaves network" in entry.text for entry in await lab_harness.entries(identity))

    await eventually(told)

    async def left() -> bool:
        return network not in (await lab_harness.column(identity, "user-bridge")).networks

    await eventually(left)
    assert (await lab_harness.column(identity, "bridge")).status is ArmStatus.RUNNING
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof), head.proof


def _listens(run: ExperimentDriver, key: str, port: int) -> bool:
    return any(one.port == port for one in run.view.states[key].listeners)


async def test_the_machine_s_changes_are_seen_while_it_runs(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("host", "bridge")
    run = lab_harness.driver(identity)
    engine_host.docker("run", "-d", "--name", "e-other", "-p", "18091:80", "nginx")
    try:
        for key in ("machine", "host"):
            await eventually(partial(_listens, run, key, 18091))
        assert not _listens(run, "bridge", 18091)
    finally:
        engine_host.docker("rm", "-f", "e-other")
    await eventually(lambda: not _listens(run, "machine", 18091))


async def test_every_recorded_entry_can_be_replayed(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("host", "bridge", publish="18080:80")
    engine_host.docker("exec", "-d", container_name(identity, "bridge"), "nc", "-l", "-p", "9007")

    async def listens() -> bool:
        return any(one.port == 9007 for one in (await lab_harness.view(identity)).states["bridge"].listeners)

    await eventually(listens)
    await lab_harness.stop(identity)
    entries = await lab_harness.entries(identity)
    track = Reader(encode_recording(build_recording(entries)))
    assert len(track) == len(entries) > 10
    for position, entry in enumerate(entries):
        assert_shows(track, position, shown(replay(entries[: position + 1]), entry, entries[0].at))
