"""Launch, changes and end of experiments on a real engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import pytest

from dashboard.core.experiments.journal import Source, View, replay
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import MACHINE, OBSERVERS, Mode
from dashboard.core.namespaces.state import Listener, Origin
from dashboard.core.reports.replay.recording import build_recording, encode_recording
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.store import experiments as experiment_store
from tests.core.replay_reader import Reader
from tests.core.replay_vectors import shown
from tests.core.reports.replay.test_recording import assert_shows
from tests.netns.namespaces import parse_listener
from tests.support import engine_api
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine

ALL = {"machine", "host", "bridge", "user-bridge", "none", "container", "neighbour"}


def names(host: PrivateEngine) -> set[str]:
    return set(engine_api.containers(host.endpoint))


def add_link(host: PrivateEngine, pid: str, name: str) -> None:
    """Adds a link in the network namespace of a container."""
    done = host.try_on_machine("nsenter", "-t", pid, "-n", "ip", "link", "add", name, "type", "bridge")
    assert done.returncode == 0, done.stderr


def has_address(view: View, address: str) -> bool:
    """Whether the machine has this address."""
    links = view.states[MACHINE].interfaces
    return any(one.address == address for link in links for one in link.addresses)


@pytest.mark.usefixtures("docker")
async def test_every_mode_of_the_workshop_runs_side_by_side_and_leaves_nothing(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    shares = {"mode": "container", "target": "bridge", "command": "sleep 1000"}
    modes = ("host", "bridge", "user-bridge", "none")
    identity = await lab_harness.running(*modes, publish="18080:80", arms=[shares])
    view = await lab_harness.view(identity)
    assert {column.key for column in view.columns} == ALL
    assert {column.status for column in view.columns} == {ArmStatus.RUNNING}
    assert set(view.states) == ALL
    column = {one.key: one for one in view.columns}
    states = view.states
    assert states["host"].netns == states["machine"].netns
    assert states["container"].netns == states["bridge"].netns
    assert len({state.netns for key, state in states.items() if key != "neighbour"}) == 4
    assert column["host"].warnings == ("Published ports are discarded when using host network mode",)
    assert column["host"].published == ()
    assert {one.host_port for one in column["host"].asked} == {18080}
    assert {one.host_port for one in column["bridge"].published} == {18080}
    assert column["bridge"].networks["bridge"].startswith("172.17.")
    assert network_name(identity, Mode.USER_BRIDGE) in column["user-bridge"].networks
    assert [link.name for link in states["none"].interfaces] == ["lo"]
    veths = {key: {x.peer_netns for x in state.interfaces if x.kind == "veth"} for key, state in states.items()}
    assert veths["bridge"] == veths["user-bridge"] == {states["machine"].netns}
    assert veths["machine"] == {0}, "eth0 of a private host is a veth, too"
    resolvers = {key: state.resolver.origin for key, state in states.items() if state.resolver}
    assert resolvers["machine"] is Origin.MACHINE
    assert resolvers["host"] is Origin.COPY
    assert resolvers["user-bridge"] is Origin.DOCKER

    async def serve() -> bool:
        listening = (await lab_harness.view(identity)).states
        return all(
            any(one.port == 80 and one.process for one in listening[key].listeners)
            for key in ALL - {"machine", "neighbour"}
        )

    await eventually(serve)
    head = await lab_harness.stop(identity)
    # On routed networks no port of the machine is published.
    published = sorted({port.host_port for key in ("bridge", "user-bridge") for port in column[key].published} - {0})
    assert [check.name for check in head.proof] == ["containers", "networks", *(f"port {one}" for one in published)]
    assert all(check.ok for check in head.proof), head.proof
    assert names(engine_host) == set()
    assert engine_api.networks(engine_host.endpoint) == []
    assert {one.status for one in (await lab_harness.view(identity)).columns if one.key not in OBSERVERS} == {
        ArmStatus.GONE
    }


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
    entries = await lab_harness.database.run(experiment_store.entries, identity, until=live.seq)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert replay(entries) == live
    await lab_harness.stop(identity)
    assert replay(await lab_harness.database.run(experiment_store.entries, identity, until=live.seq)) == live
    assert any(entry.cause.source is Source.KERNEL and "bridge" in entry.facts.changes for entry in entries)
    record = await lab_harness.record(identity)
    assert record.phase is Phase.STOPPED


async def test_another_round_is_a_fresh_launch(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("host", "bridge", "user-bridge")
    first = (await lab_harness.column(identity, "bridge")).container
    await lab_harness.stop(identity)
    await lab_harness.want(identity, Wanted.RUNNING, again=True)
    head = await lab_harness.reaches(identity, Phase.RUNNING)
    assert (head.round, head.proof, head.stopped_at) == (2, (), None)
    second = (await lab_harness.column(identity, "bridge")).container
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert names(engine_host) == {container_name(identity, key) for key in ("host", "bridge", "user-bridge")}


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


async def test_a_refusal_shows_docker_s_message_and_the_other_arms_run(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    arms = [
        {"mode": "host", "sysctls": "net.ipv4.ip_forward=1"},
        {"mode": "bridge"},
        {"mode": "container", "target": "bridge", "dns": "192.0.2.53"},
        {"mode": "overlay"},
        {"mode": "none", "image": "no/such-image:1"},
    ]
    identity = await lab_harness.running(arms=arms)
    columns = {one.key: one for one in (await lab_harness.view(identity)).columns}
    assert columns["bridge"].status is ArmStatus.RUNNING
    for key, words in (
        ("host", "net.ipv4.ip_forward"),
        ("container", "conflicting options: dns and the network mode"),
        ("overlay", "swarm"),
        ("none", "no/such-image:1"),
    ):
        assert columns[key].status is ArmStatus.REFUSED, key
        assert words in (columns[key].error or ""), columns[key].error
    assert names(engine_host) == {container_name(identity, "bridge")}


async def test_an_experiment_without_a_running_arm_fails_and_leaves_nothing(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.launch("overlay")
    head = await lab_harness.reaches(identity, Phase.FAILED)
    assert "No container is running" in head.notice
    assert names(engine_host) == set()
    await lab_harness.want(identity, Wanted.RUNNING, again=True)
    assert (await lab_harness.reaches(identity, Phase.FAILED)).round in {1, 2}


async def test_an_image_that_ends_at_once_shows_its_exit_code_and_last_log_lines(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    words = 'sh -c \'echo first; printf "not \\377\\376 text\\n"; printf "\\033[31mred\\n" >&2; exit 7\''
    identity = await lab_harness.running(arms=[{"mode": "bridge", "command": words}, {"mode": "none"}])
    column = await lab_harness.ends_as(identity, "bridge", ArmStatus.EXITED)
    assert column.exit_code == 7
    assert {"first", "not \ufffd\ufffd text"} <= set(column.logs)
    assert any("red" in line for line in column.logs), column.logs
    assert "bridge" not in (await lab_harness.view(identity)).states
    assert names(engine_host) == {container_name(identity, "none")}
    assert any("exited with code 7" in entry.text for entry in await lab_harness.entries(identity))


async def test_an_exit_during_the_launch_of_others_is_not_missed(lab_harness: LabHarness) -> None:
    arms = [{"mode": "none", "command": "sh -c 'sleep 0.3; exit 3'"}, *[{"mode": "bridge"} for _ in range(4)]]
    identity = await lab_harness.running(arms=arms)
    column = await lab_harness.ends_as(identity, "none", ArmStatus.EXITED)
    assert column.exit_code == 3


async def test_a_port_in_use_is_refused_by_docker(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    holder = engine_host.docker("run", "-d", "--name", "e-holder", "-p", "18090:80", "nginx")
    try:
        identity = await lab_harness.running("bridge", "none", publish="18090:80")
        column = await lab_harness.ends_as(identity, "bridge", ArmStatus.REFUSED)
        assert "port is already allocated" in (column.error or "")
        head = await lab_harness.stop(identity)
        assert all(check.ok for check in head.proof)
    finally:
        engine_host.docker("rm", "-f", holder)


async def test_two_host_mode_servers_on_one_port_end_with_the_program_s_error(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running(arms=[{"mode": "host"}, {"mode": "host"}])

    async def one_has_ended() -> bool:
        columns = (await lab_harness.view(identity)).columns
        return sorted(str(one.status) for one in columns if one.key not in OBSERVERS) == ["exited", "running"]

    await eventually(one_has_ended)
    ended = next(one for one in (await lab_harness.view(identity)).columns if one.status is ArmStatus.EXITED)
    assert ended.exit_code == 1
    assert any("Address already in use" in line for line in ended.logs), ended.logs


async def test_a_container_removed_outside_netmodes_is_lost_and_the_others_run_on(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    # A program in host mode may not open port 80 of a rootless Podman.
    identity = await lab_harness.running(
        arms=[{"mode": "host", "command": "sleep 600"}, {"mode": "bridge"}, {"mode": "none"}]
    )
    for key in ("bridge", "none"):
        engine_host.docker("rm", "-f", container_name(identity, key))
        column = await lab_harness.ends_as(identity, key, ArmStatus.LOST)
        assert "removed outside Netmodes" in (column.error or "")
        assert key not in (await lab_harness.view(identity)).states
    assert (await lab_harness.column(identity, "host")).status is ArmStatus.RUNNING
    assert "host" in (await lab_harness.view(identity)).states
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof)


async def test_a_killed_container_has_exited(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    engine_host.docker("kill", container_name(identity, "bridge"))
    column = await lab_harness.ends_as(identity, "bridge", ArmStatus.EXITED)
    assert column.exit_code == 137


async def test_a_restarted_container_is_observed_again(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    seen = (await lab_harness.view(identity)).seq
    engine_host.docker("restart", "-t", "0", container_name(identity, "bridge"))

    async def told() -> bool:
        texts = [entry.text for entry in await lab_harness.entries(identity) if entry.seq > seen]
        return any("bridge started" in text or "bridge exited" in text for text in texts)

    await eventually(told)
    column = await lab_harness.column(identity, "bridge")
    if column.status is ArmStatus.RUNNING:  # it was up again before it was asked about
        assert "bridge" in (await lab_harness.view(identity)).states
    else:
        assert column.status is ArmStatus.EXITED


async def test_the_experiment_fails_when_the_last_arm_ends(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    engine_host.docker("rm", "-f", *names(engine_host))
    head = await lab_harness.reaches(identity, Phase.FAILED)
    assert "No container is running" in head.notice
    assert engine_api.networks(engine_host.endpoint) == []


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


async def test_an_experiment_that_is_removed_is_forgotten_with_everything(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    await lab_harness.want(identity, Wanted.REMOVED)

    async def forgotten() -> bool:
        return await lab_harness.database.run(experiment_store.load, identity) is None

    await eventually(forgotten)
    assert names(engine_host) == set()
    assert await lab_harness.entries(identity) == ()
    assert lab_harness.lab.driver_of(identity) is None


async def test_a_stop_during_a_launch_ends_it(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.launch(*["bridge"] * 5)
    await lab_harness.reaches(identity, Phase.LAUNCHING, Phase.RUNNING)
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof), head.proof
    assert names(engine_host) == set()
    record = await lab_harness.record(identity)
    assert record.phase is Phase.STOPPED


async def test_a_stop_before_the_launch_creates_nothing(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    await lab_harness.lab.close()
    identity = await lab_harness.launch("bridge")
    assert await lab_harness.database.run(experiment_store.set_wanted, identity, Wanted.STOPPED)
    await lab_harness.restart()
    head = await lab_harness.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert names(engine_host) == set()


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


async def test_an_experiment_that_is_stopped_during_an_outage_does_not_keep_the_outage(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("bridge")
    fake.lose("The engine ended.")

    async def is_away() -> bool:
        head = (await fake_lab.view(identity)).head
        return head is not None and head.engine_away

    await eventually(is_away)
    await fake_lab.want(identity, Wanted.STOPPED)
    fake.come_back()
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert (head.problem, head.engine_away, head.startable) == ("", False, False)
