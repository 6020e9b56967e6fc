"""LANs as pages create, show and remove them; the hosts are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans import lan as lans_module
from dashboard.engine.lans.lan import Lan
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import LABEL_EXPERIMENT
from dashboard.lab.experiments import other_host
from dashboard.lab.experiments.other_host import LABEL_CLIENT
from dashboard.lab.lans import engines as engines_module
from dashboard.lab.lans import named_lans as module
from dashboard.lab.lans import restarts
from dashboard.lab.lans.named_lans import OWN, REMOVED, NamedLans
from dashboard.lab.lans.states import LanStage, LanState
from dashboard.lab.reconciler import WorkLocks
from dashboard.lab.training import group_labs
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from dashboard.store import experiments as experiment_store
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.specs import make_spec

OFFICE = LanPlace("office")
ROOM = Capacity(0, 8, "memory")


class Machine:
    """The LANs of the machine: what the module finds and does there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lans: dict[str, Lan] = {}
        self.swarm = False
        self.failure: Exception | None = None
        self.proceed = asyncio.Event()
        self.proceed.set()
        self.looks = 0
        #: The starts of ended hosts: the host, and the one that it joined.
        self.starts: list[tuple[str, str]] = []
        self.start_failure = ""

    def add(self, name: str, count: int = 2, place: LanPlace = OFFICE) -> Lan:
        (self.folder / "netns-neighbour").write_text("7")
        hosts = tuple(
            PrivateHost(
                f"{name}{n}", 1, 1, f"/run/{name}{n}", 1.0, self.folder, 1, lan=replace(place, name=name, number=n)
            )
            for n in range(1, count + 1)
        )
        self.lans[name] = Lan(name, hosts)
        return self.lans[name]

    async def create(self, _folder: Path, place: LanPlace, count: int, limits: HostLimits) -> Lan:
        assert limits == HostLimits()
        await self.proceed.wait()
        if self.failure is not None:
            raise self.failure
        return self.add(place.name, count, place)

    def look(self, _folder: Path) -> tuple[Lan, ...]:
        self.looks += 1
        return tuple(self.lans.values())

    def end(self, *numbers: int, name: str = "office") -> None:
        """Ends the engines of hosts."""
        lan = self.lans[name]
        ended = [host for host in lan.hosts if host.lan.number in numbers]
        left = tuple(host for host in lan.hosts if host.lan.number not in numbers)
        self.lans[name] = replace(lan, hosts=left, ended=(*lan.ended, *ended))

    async def start_again(self, host: PrivateHost, *, ready_s: float, joined: PrivateHost | None) -> PrivateHost:
        assert ready_s == engines_module.READY_S
        self.starts.append((host.id, joined.id if joined else ""))
        await self.proceed.wait()
        if self.start_failure:
            raise PrivateHostError(self.start_failure)
        lan = self.lans[host.lan.name]
        started = replace(host, pid=host.pid + 1)
        ended = tuple(one for one in lan.ended if one.id != host.id)
        self.lans[lan.name] = replace(lan, hosts=(*lan.hosts, started), ended=ended)
        return started

    async def stop(self, hosts: Sequence[PrivateHost]) -> None:
        await self.proceed.wait()
        for host in hosts:
            self.lans.pop(host.lan.name, None)

    async def set_swarm(self, formed: bool) -> None:
        if self.failure is not None:
            raise self.failure
        self.swarm = formed


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)

    async def is_member(_host: PrivateHost) -> bool:
        return made.swarm

    async def add_image(*_: object) -> None:
        """Does nothing."""

    monkeypatch.setattr(restarts, "list_lans", made.look)
    monkeypatch.setattr(lans_module, "list_lans", made.look)
    monkeypatch.setattr(engines_module, "start_with_containers", made.start_again)
    monkeypatch.setattr(module, "create_lan", made.create)
    monkeypatch.setattr(module, "stop_hosts", made.stop)
    monkeypatch.setattr(module, "remove_lan", lambda _folder, lan: made.stop(lan.all_hosts))
    monkeypatch.setattr(module, "add_image", add_image)
    monkeypatch.setattr(module, "is_member", is_member)
    monkeypatch.setattr(engines_module, "form_new_swarm", lambda _folder, _lan: made.set_swarm(True))
    monkeypatch.setattr(module, "leave_swarm", lambda _hosts: made.set_swarm(False))
    monkeypatch.setattr(module, "missing_requirement", lambda _root: None)
    monkeypatch.setattr(module, "PASS_S", 0.02)
    monkeypatch.setattr(module, "ENGINES_S", 0.02)
    return made


class Engines(dict[str, FakeEngine]):
    """The engines of hosts by endpoint."""

    def __missing__(self, endpoint: str) -> FakeEngine:
        self[endpoint] = FakeEngine()
        return self[endpoint]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    made = Engines()
    for module_with_engines in (group_labs, other_host):
        monkeypatch.setattr(module_with_engines, "DockerEngine", made.__getitem__)
    return made


@pytest.fixture
async def labs(fake_lab: LabHarness, engines: Engines) -> AsyncIterator[GroupLabs]:
    made = GroupLabs(fake_lab.context, WorkLocks())
    yield made
    await made.close()


@pytest.fixture
async def lans(fake_lab: LabHarness, labs: GroupLabs, machine: Machine) -> AsyncIterator[NamedLans]:
    made = NamedLans(fake_lab.context, labs)
    await made.open()
    yield made
    await made.close(stop=True)


async def reaches(lans: NamedLans, name: str, stage: LanStage = LanStage.READY) -> LanState:
    async def found() -> LanState | None:
        return next((lan for lan in lans.states() if (lan.name, lan.stage) == (name, stage)), None)

    state: LanState = await eventually(found)
    return state


async def test_a_lan_is_created_shown_and_removed(lans: NamedLans, machine: Machine) -> None:
    machine.proceed.clear()
    assert await lans.create(OFFICE, 2, ROOM) == ""
    await reaches(lans, "office", LanStage.CREATING)
    assert await lans.create(OFFICE, 2, ROOM) == (
        "The LAN office already exists: choose another name, or remove it first."
    )
    machine.proceed.set()
    state = await reaches(lans, "office")
    assert [(host.id, host.addresses[0]) for host in state.hosts] == [
        ("office1", "192.0.2.2"),
        ("office2", "192.0.2.3"),
    ]
    assert state.neighbours == (("192.0.2.10", "2001:db8::10"),)
    lans.remove("office")

    async def is_gone() -> bool:
        return lans.states() == ()

    await eventually(is_gone)
    assert machine.lans == {}


async def test_a_refused_lan_is_not_created(lans: NamedLans) -> None:
    assert (await lans.create(replace(OFFICE, name="No"), 2, ROOM)).startswith("The name of a LAN")
    assert await lans.create(OFFICE, 99, ROOM) == "The hosts of a LAN: from 1 to 8, not 99."
    assert lans.states() == ()


async def test_delay_is_refused_where_the_kernel_has_no_netem(
    lans: NamedLans, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "netem_refusal", lambda: "This kernel cannot delay packets.")
    assert await lans.create(replace(OFFICE, delay_ms=5), 2, ROOM) == "This kernel cannot delay packets."
    assert await lans.create(replace(OFFICE, mtu=1400), 2, ROOM) == ""
    await reaches(lans, "office")


async def test_the_links_of_a_lan_are_created_as_the_page_requests_them(
    lans: NamedLans, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "netem_refusal", lambda: "")
    place = LanPlace("office", neighbours=3, mtu=1400, delay_ms=5, loss_percent=2)
    assert await lans.create(place, 2, ROOM) == ""
    state = await reaches(lans, "office")
    assert (state.mtu, state.delay_ms, state.loss_percent) == (1400, 5, 2)
    assert [host.lan for host in machine.lans["office"].hosts] == [replace(place, number=1), replace(place, number=2)]


async def test_a_lan_that_does_not_fit_on_the_machine_is_refused(lans: NamedLans, machine: Machine) -> None:
    problem = await lans.create(OFFICE, 3, Capacity(7, 2, "memory"))
    assert problem.startswith(
        "This machine has capacity for 2 more private hosts (limited by memory), and 7 are running."
    )
    assert await lans.create(OFFICE, 2, Capacity(0, 0, problem="No root.")) == "No root."
    assert lans.states() == ()
    machine.proceed.clear()
    assert await lans.create(OFFICE, 2, Capacity(7, 2, "memory")) == ""
    await eventually(lambda: lans.count_hosts() == 2)
    machine.add("cellar", 3)
    await eventually(lambda: lans.count_hosts() == 5)
    machine.proceed.set()
    await reaches(lans, "office")
    assert lans.count_hosts() == 5


async def test_a_lan_that_cannot_be_created_shows_why_until_it_is_dismissed(lans: NamedLans, machine: Machine) -> None:
    machine.failure = PrivateHostError("No memory.")
    assert await lans.create(OFFICE, 2, ROOM) == ""
    state = await reaches(lans, "office")
    assert (state.problem, state.hosts) == ("No memory.", ())
    lans.remove("office")
    assert lans.states() == ()


async def test_a_swarm_is_formed_and_ended(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    assert not (await reaches(lans, "office")).swarm
    for wanted in (True, False):
        lans.set_swarm("office", wanted=wanted)

        async def is_as_wanted(wanted: bool = wanted) -> bool:
            (state,) = lans.states()
            return (state.swarm, state.stage) == (wanted, LanStage.READY)

        await eventually(is_as_wanted)
    machine.failure = EngineError("No manager.", 500)
    lans.set_swarm("office", wanted=True)

    async def has_failed() -> bool:
        (state,) = lans.states()
        return state.problem == "No manager."

    await eventually(has_failed)


async def test_an_experiment_runs_on_a_host_and_is_marked_stopped_when_the_lan_is_removed(
    fake_lab: LabHarness, lans: NamedLans, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")  # as the command line does
    await reaches(lans, "office")
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    labs.wake()
    await fake_lab.reaches(identity, Phase.RUNNING)
    assert (await labs.context_of("office1")).host == "office1"
    lans.remove("office")
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert head.notice == REMOVED


async def test_experiments_of_a_lan_that_was_removed_meanwhile_are_stopped(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    lost = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "gone")
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    record = await fake_lab.database.run(experiment_store.load, lost)
    assert record is not None
    assert record.wanted is Wanted.STOPPED
    await lans.close(stop=True)


async def test_the_end_of_the_server_stops_experiments_and_keeps_the_lan(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    labs.wake()
    await fake_lab.reaches(identity, Phase.RUNNING)
    await lans.close(stop=True)
    await fake_lab.reaches(identity, Phase.STOPPED)
    assert list(machine.lans) == ["office"]


async def test_the_host_of_the_servers_own_engine_gets_no_second_lab(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    own, other = machine.add("office").hosts
    earlier = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", own.id)
    context = replace(fake_lab.context, info=replace(fake_lab.context.info, endpoint=own.endpoint))
    lans = NamedLans(context, labs)
    await lans.open()
    try:
        state = await reaches(lans, "office")
        assert [host.own for host in state.hosts] == [True, False]
        with pytest.raises(HostUnavailableError):
            await labs.context_of(own.id)
        assert (await labs.context_of(other.id)).host == other.id
        record = await fake_lab.database.run(experiment_store.load, earlier)
        assert record is not None
        assert record.wanted is Wanted.STOPPED
        head = (await fake_lab.view(earlier)).head
        assert head is not None
        assert head.notice == OWN
    finally:
        await lans.close(stop=True)


async def test_the_state_of_a_lan_is_shown_without_reading_files(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    state = await reaches(lans, "office")
    file = machine.folder / "netns-neighbour"
    file.unlink()
    file.mkdir()  # cannot be read
    assert lans.states() == (state,)


async def test_hosts_that_are_missing_are_counted(lans: NamedLans, machine: Machine) -> None:
    lan = machine.add("office")
    machine.lans["office"] = replace(
        lan, hosts=tuple(replace(host, lan=replace(host.lan, hosts=3)) for host in lan.hosts)
    )
    assert (await reaches(lans, "office")).missing == 1


async def test_a_host_gets_no_new_lab_while_its_lan_is_being_removed(
    lans: NamedLans, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    await reaches(lans, "office")
    assert (await labs.context_of("office1")).host == "office1"
    machine.proceed.clear()
    lans.remove("office")
    looks = machine.looks
    await eventually(lambda: machine.looks > looks + 2)
    assert [state.stage for state in lans.states()] == [LanStage.REMOVING]
    with pytest.raises(HostUnavailableError):
        await labs.context_of("office1")
    machine.proceed.set()
    await eventually(lambda: lans.states() == ())


async def test_an_experiment_that_was_launched_while_its_lan_was_being_removed_is_stopped(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine
) -> None:
    machine.add("office")
    await reaches(lans, "office")
    lans.remove("office")
    await eventually(lambda: lans.states() == ())
    late = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "office1")
    head = await fake_lab.reaches(late, Phase.STOPPED)
    assert head.notice == REMOVED


async def test_a_swarm_that_another_command_formed_or_ended_is_shown(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    await reaches(lans, "office")
    for swarm in (True, False):
        machine.swarm = swarm

        def is_shown(swarm: bool = swarm) -> bool:
            return [state.swarm for state in lans.states()] == [swarm]

        await eventually(is_shown)


async def test_clients_of_ended_experiments_are_removed_when_the_hosts_of_a_lan_change(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine, engines: Engines
) -> None:
    first, second, _third = machine.add("office", 3).hosts
    engine = engines[second.endpoint]
    engine.refuse["containers"] = EngineError("Not now.", 500)  # before the first pass can ask
    # The one was killed with its lab; the other loses its host below.
    lost = await client_of(engine, fake_lab.context.installation, "gone")
    experiment = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", first.id)
    living = await client_of(engine, fake_lab.context.installation, experiment)
    foreign = await client_of(engine, "another", "gone")

    async def remaining() -> set[str]:
        return {container.id for container in await engine.containers({})}

    async def is_tidy() -> bool:
        return lost not in await remaining()

    await reaches(lans, "office")
    await eventually(lambda: engine.calls.count("containers") > 1)
    del engine.refuse["containers"]
    await eventually(is_tidy)
    assert await remaining() == {living, foreign}
    machine.lans["office"] = replace(machine.lans["office"], hosts=machine.lans["office"].hosts[1:])

    async def has_only_foreign() -> bool:
        return await remaining() == {foreign}

    await eventually(has_only_foreign)


def ids(state: LanState, *, running: bool) -> list[str]:
    return [host.id for host in state.hosts if host.running is running]


async def test_the_hosts_of_a_lan_that_ended_with_the_machine_are_started_again_when_the_server_starts(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    machine.end(1, 2)
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    machine.proceed.clear()
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    try:
        state = await reaches(lans, "office", LanStage.STARTING)
        assert (ids(state, running=False), lans.count_hosts()) == (["office1", "office2"], 2)
        await eventually(lambda: machine.starts)
        record = await fake_lab.database.run(experiment_store.load, identity)
        assert record is not None
        assert record.wanted is Wanted.RUNNING, "it goes on when its host is back"
        machine.proceed.set()
        state = await reaches(lans, "office")
        assert (ids(state, running=True), state.problem) == (["office1", "office2"], "")
        assert machine.starts == [("office1", ""), ("office2", "office1")]
        await fake_lab.reaches(identity, Phase.RUNNING)
    finally:
        await lans.close(stop=True)


async def test_a_host_that_ends_while_the_server_runs_is_started_again_on_its_lan(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine
) -> None:
    machine.add("office", 3)
    await reaches(lans, "office")
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "office2")
    machine.end(2)
    await eventually(lambda: machine.starts == [("office2", "office1")])
    await eventually(lambda: ids(lans.states()[0], running=True) == ["office1", "office2", "office3"])
    record = await fake_lab.database.run(experiment_store.load, identity)
    assert record is not None
    assert record.wanted is Wanted.RUNNING


async def test_hosts_that_cannot_be_started_again_wait_for_the_button(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    await reaches(lans, "office")
    machine.start_failure = "The disk is full."
    machine.end(2)

    def problem() -> str:
        return lans.states()[0].problem

    await eventually(lambda: problem() == f"The disk is full. {restarts.RETRY}")
    looks = machine.looks
    await eventually(lambda: machine.looks > looks + 2)
    assert machine.starts == [("office2", "office1")], "it is not tried again by itself"
    machine.start_failure = ""
    lans.start_again("office")
    await eventually(lambda: ids(lans.states()[0], running=True) == ["office1", "office2"])
    assert problem() == ""


async def test_a_problem_disappears_when_another_command_has_started_the_hosts(
    lans: NamedLans, machine: Machine
) -> None:
    lan = machine.add("office")
    machine.start_failure = "The disk is full."
    machine.end(2)
    await eventually(lambda: lans.states() and lans.states()[0].problem.startswith("The disk is full."))
    machine.lans["office"] = lan
    await eventually(lambda: lans.states()[0].problem == "")


async def test_a_lan_of_ended_hosts_is_removed_with_their_files(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    machine.start_failure = "The disk is full."
    machine.end(1, 2)
    await eventually(lambda: lans.states() and lans.states()[0].problem.startswith("The disk is full."))
    assert not lans.states()[0].swarm
    lans.remove("office")
    await eventually(lambda: lans.states() == ())
    assert machine.lans == {}


async def client_of(engine: FakeEngine, installation: str, experiment: str) -> str:
    """The id of a new client."""
    labels = {LABEL_CLIENT: installation, LABEL_EXPERIMENT: experiment}
    config = {"Image": "nginx", "Labels": labels, "HostConfig": {"NetworkMode": "bridge", "PortBindings": {}}}
    return (await engine.create_container(f"{installation}-{experiment}", config)).id
