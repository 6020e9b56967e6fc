"""Private hosts of groups: requested, queued, adopted, restarted, reset, stopped, and removed with the session."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import DatabaseError

from dashboard.core.experiments.messages import Phase
from dashboard.core.training.capacity import Machine
from dashboard.core.training.host_plan import ActionKind, HostAction, HostRecord, HostStage, plan_actions
from dashboard.core.workshops.commands import parse_command
from dashboard.engine.hosts import private_host, registry
from dashboard.engine.hosts.cleanup import cgroup_folders
from dashboard.engine.hosts.disk import DamagedDiskError
from dashboard.engine.hosts.private_host import PrivateHost, PrivateHostError
from dashboard.engine.hosts.registry import group_hosts
from dashboard.lab.remote.experiment_calls import expect_hosts
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.training.host_actions import INTERRUPTED, HostActions
from dashboard.lab.training.hosts import GroupHosts, HostState
from dashboard.lab.workshops.commands import CommandResult, run_command
from dashboard.models import GroupHost
from dashboard.store import experiments as experiment_store
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store
from tests.lab.hosts_harness import ROOMY, HostsHarness, hosts_harness, record_stops
from tests.support.engines.container_starts import start_containers_with
from tests.support.escapes.remains import clock_ticks, leave_everything, remains
from tests.support.polling import eventually
from tests.support.specs import make_spec

SERVE = "docker run -d --name web --network host nginx"


@pytest.fixture
async def harness(session_hosts_folder: Path, transactional_db: None) -> AsyncIterator[HostsHarness]:
    """A session with real hosts."""
    async with hosts_harness(session_hosts_folder) as made:
        yield made
    assert group_hosts(session_hosts_folder) == ()


@pytest.fixture
async def no_dockerd(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HostsHarness]:
    """A session in which no host can start."""

    async def refuse(*_args: object) -> None:
        raise PrivateHostError("There is no dockerd today.")

    monkeypatch.setattr("dashboard.lab.training.host_actions.host_template", refuse)
    async with hosts_harness(tmp_path) as made:
        yield made


async def left_by_killed_server(harness: HostsHarness, **fields: object) -> tuple[str, HostRecord]:
    """The group of a host that a killed server has left with these fields, and the record of the host."""
    await harness.close(stop_hosts=False)
    await harness.request(1)
    group = harness.group(1)
    await GroupHost.objects.filter(pk=group).aupdate(**fields)
    (record,) = await harness.context.database.run(group_host_store.load_all, harness.context.clock())
    return group, record


async def run(harness: HostsHarness, number: int, line: str) -> CommandResult:
    """Runs a command of a workshop on a group's host."""
    command = parse_command(line)
    return await run_command(await harness.hosts.workshop_host_of(harness.group(number)), line, command)


async def names(harness: HostsHarness, number: int) -> list[str]:
    """The running containers of a group's host."""
    context = await harness.hosts.context_of(harness.group(number))
    return [one.name for one in await context.engine.containers({}) if one.running]


@pytest.mark.engine
async def test_every_group_has_port_80_and_sees_only_its_own_containers_until_the_session_ends(
    harness: HostsHarness,
) -> None:
    states = await asyncio.gather(harness.ready(1), harness.ready(2))
    assert len({state.host for state in states}) == 2
    for number in (1, 2):
        done = await run(harness, number, SERVE)
        assert not done.failed
        answer = await run(harness, number, "curl -s http://localhost/")
        assert f"netmodes-{states[number - 1].host}" in answer.output
    experiment = await harness.context.database.run(
        group_runs.launch, make_spec("bridge", "none"), None, harness.group(1)
    )
    harness.labs.wake()

    async def phase() -> Phase:
        found = await harness.context.database.run(experiment_store.load, experiment)
        assert found is not None
        return found.phase

    async def is_running() -> bool:
        return await phase() is Phase.RUNNING

    await eventually(is_running, 20)
    assert len(await names(harness, 1)) == 3
    assert await names(harness, 2) == ["web"]
    await harness.change(closed_at=1.0)
    for number in (1, 2):
        await harness.reaches(number, HostStage.STOPPED, "session is over")
    assert await phase() is Phase.STOPPED
    assert not any(cgroup_folders(f"netmodes-{state.host}") for state in states)
    with pytest.raises(HostUnavailableError, match="session is over"):
        await harness.hosts.context_of(harness.group(1))


@pytest.mark.engine
async def test_a_host_survives_its_server_and_its_engine_but_not_a_reset_or_idling(harness: HostsHarness) -> None:
    first = await harness.ready(1)
    await run(harness, 1, SERVE)
    await harness.close(stop_hosts=False)
    await harness.open()
    assert (await harness.reaches(1, HostStage.READY)).host == first.host
    assert await names(harness, 1) == ["web"]

    machine: PrivateHost = await harness.hosts.private_host_of(harness.group(1))
    os.kill(machine.pid, signal.SIGKILL)
    again = await harness.reaches(1, HostStage.READY, "was restarted")
    assert again.host == first.host
    assert await names(harness, 1) == ["web"]

    async def serves() -> bool:
        return bool((await run(harness, 1, "curl -s http://localhost/")).output)

    await eventually(serves)  # its program has just been started

    await harness.reset(1)
    await eventually(lambda: harness.is_replaced(1, first.host), 60)
    assert await names(harness, 1) == []
    assert not cgroup_folders(f"netmodes-{first.host}")

    await harness.change(idle_s=600)
    harness.later = 601.0
    await harness.reaches(1, HostStage.STOPPED, "after 10 minutes without use")


@pytest.mark.engine
@pytest.mark.parametrize("is_engine_left", [False, True])
async def test_a_host_keeps_its_containers_if_its_server_ends_while_it_restarts_the_engine(
    harness: HostsHarness, *, is_engine_left: bool
) -> None:
    first = await harness.ready(1)
    await run(harness, 1, SERVE)
    host = await harness.hosts.private_host_of(harness.group(1))
    await harness.close(stop_hosts=False)
    if not is_engine_left:
        os.kill(host.pid, signal.SIGKILL)
    # What the server has recorded when it is killed after it has started the engine, before the engine answers.
    registry.note_starter(host)
    registry.note_failed_start(host)
    registry.remember(replace(host, netns=0), ready=False)
    await harness.open()
    assert (await harness.reaches(1, HostStage.READY, "was restarted")).host == first.host
    assert (await harness.hosts.private_host_of(harness.group(1))).pid != host.pid
    assert await names(harness, 1) == ["web"]


@pytest.mark.engine
async def test_nothing_remains_of_an_attacked_host_after_its_reset(harness: HostsHarness) -> None:
    first = await harness.ready(1)
    host = await harness.hosts.private_host_of(harness.group(1))
    shell, namespaces = await asyncio.to_thread(leave_everything, host)
    before = clock_ticks()
    await harness.reset(1)
    await eventually(lambda: harness.is_replaced(1, first.host), 60)
    await asyncio.to_thread(shell.end)
    await eventually(lambda: remains(host, namespaces, before) == [])
    assert await names(harness, 1) == []


async def test_groups_queue_when_the_machine_has_no_capacity(no_dockerd: HostsHarness) -> None:
    no_dockerd.machine = Machine(900, 32_768, 2)
    for number in (1, 2, 3):
        await no_dockerd.request(number)
    state = await no_dockerd.hosts.state_of(no_dockerd.group(3))
    assert state.stage is HostStage.QUEUED
    assert "You are third in the queue; this machine has no capacity" in state.message
    with pytest.raises(HostUnavailableError, match="third in the queue"):
        await no_dockerd.hosts.context_of(no_dockerd.group(3))
    assert no_dockerd.hosts.capacity().more == 0


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (HostStage.QUEUED, "is starting. Wait a moment."),
        (HostStage.STARTING, "is starting. Wait a moment."),
        (HostStage.STOPPED, "is not running. Start it first."),
    ],
)
async def test_a_command_on_a_host_that_starts_is_refused_with_the_advice_to_wait(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch, stage: HostStage, sentence: str
) -> None:
    async def state_of(_hosts: GroupHosts, _group: str) -> HostState:
        return HostState(stage)

    monkeypatch.setattr(GroupHosts, "state_of", state_of)
    with pytest.raises(HostUnavailableError, match=sentence):
        await no_dockerd.hosts.workshop_host_of(no_dockerd.group(1))


async def test_a_lab_that_sees_no_session_yet_prepares_when_it_is_asked(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has joined sees a session once one of its hosts is placed there."""
    made = asyncio.Event()

    async def prepare() -> None:
        made.set()

    await no_dockerd.change(closed_at=1.0)
    hosts = GroupHosts(no_dockerd.context, no_dockerd.labs, lambda: ROOMY)
    monkeypatch.setattr(hosts._actions, "prepare_template", prepare)
    await hosts.open()
    try:
        await hosts._pass()
        assert not made.is_set()
        await expect_hosts(hosts)
        async with asyncio.timeout(20):
            await made.wait()
    finally:
        await hosts.close(stop_hosts=False)


async def test_hosts_of_lans_count_as_running(no_dockerd: HostsHarness) -> None:
    hosts = GroupHosts(no_dockerd.context, no_dockerd.labs, lambda: ROOMY, count_others=lambda: 3)
    alone = no_dockerd.hosts.capacity()
    assert (hosts.capacity().running, alone.running) == (3, 0)
    assert hosts.capacity().for_groups == hosts.capacity().more
    assert alone.for_groups == alone.total


async def test_a_failed_start_has_a_reason_and_is_not_repeated_by_a_request(no_dockerd: HostsHarness) -> None:
    await no_dockerd.request(1)
    await no_dockerd.reaches(1, HostStage.FAILED, "no dockerd today")
    await no_dockerd.request(1)
    await no_dockerd.reaches(1, HostStage.FAILED)
    await no_dockerd.stop(1)
    await no_dockerd.reaches(1, HostStage.STOPPED)


async def test_unknown_hosts_of_an_earlier_server_are_removed_at_the_start(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = record_stops(monkeypatch)
    left = no_dockerd.left()
    monkeypatch.setattr("dashboard.lab.training.host_actions.group_hosts", lambda _folder: (left,))
    await no_dockerd.close(stop_hosts=False)
    await no_dockerd.open()
    assert gone == ["left"]


@pytest.mark.parametrize("later_s", [7200.0, -7200.0])
async def test_a_host_starts_by_the_clock_of_its_session_whatever_that_of_the_machine(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch, later_s: float
) -> None:
    async def template(_data_dir: Path) -> None:
        await asyncio.to_thread(int)

    async def start(data_dir: Path, identity: str, *, started: float | None = None, **_more: object) -> PrivateHost:
        await asyncio.to_thread((data_dir / "hosts" / identity).mkdir, parents=True)
        return PrivateHost(
            identity, 1, 1, "/nowhere", time.time() if started is None else started, data_dir / "hosts" / identity, 1
        )

    await no_dockerd.close(stop_hosts=False)
    no_dockerd.later = later_s
    await no_dockerd.change(ttl_s=3600, expires_at=no_dockerd.context.clock() + 3600)
    await no_dockerd.request(1)
    (record,) = await no_dockerd.context.database.run(group_host_store.load_all, no_dockerd.context.clock())
    monkeypatch.setattr("dashboard.lab.training.host_actions.host_template", template)
    monkeypatch.setattr(private_host, "start", start)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    monkeypatch.setattr(no_dockerd.labs, "add", lambda _host: None)
    await actions.perform(HostAction(record.group, ActionKind.START), record)

    async def plan(after_s: float) -> list[ActionKind]:
        now = no_dockerd.context.clock() + after_s
        records = await no_dockerd.context.database.run(group_host_store.load_all, no_dockerd.context.clock())
        hosts = {key: replace(host, running=True) for key, host in actions.observe().items()}
        return [action.kind for action in plan_actions(records, hosts, (), {}, now, capacity=1, slots=1)]

    assert await plan(60.0) == []
    assert await plan(3660.0) == [ActionKind.STOP]


@pytest.mark.parametrize(
    ("kind", "fields", "state", "reason"),
    [
        (ActionKind.ADOPT, {"host": "left", "state": "starting"}, "ready", INTERRUPTED),
        (ActionKind.RESET, {"state": "queued", "wanted": "reset"}, "failed", "There is no dockerd today."),
    ],
)
async def test_steps_are_not_repeated_on_a_later_host(
    no_dockerd: HostsHarness, kind: ActionKind, fields: dict[str, str], state: str, reason: str
) -> None:
    group, record = await left_by_killed_server(no_dockerd, is_moved=True, **fields)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    actions.hosts["left"] = no_dockerd.left(group)
    await actions.perform(HostAction(group, kind), record)
    row = await GroupHost.objects.aget(pk=group)
    assert (row.state, row.reason, row.is_moved) == (state, reason, False)


async def test_containers_that_a_killed_server_did_not_start_are_started_when_the_host_is_adopted(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    group, record = await left_by_killed_server(no_dockerd, host="left", state="starting")
    left = no_dockerd.left(group)
    left.folder.mkdir(parents=True)
    registry.remember(left, ready=True)
    registry.note_containers(left, ["web"])
    start_containers_with(monkeypatch, started.append)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    actions.hosts["left"] = left
    await actions.perform(HostAction(group, ActionKind.ADOPT), record)
    assert started == ["web"]
    assert (await GroupHost.objects.aget(pk=group)).state == "ready"


async def test_a_host_that_cannot_be_removed_delays_neither_the_start_nor_the_end_of_a_server(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, _ = await left_by_killed_server(no_dockerd, host="left", state="ready")
    tried: list[str] = []

    async def refuse(host: PrivateHost) -> None:
        tried.append(host.id)
        raise OSError("processes of netmodes-left cannot be killed")

    monkeypatch.setattr(private_host, "stop", refuse)
    left = no_dockerd.left(group)
    left.folder.mkdir(parents=True)
    registry.remember(left, ready=True)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    await actions.adopt_all(set())
    assert tried == ["left"], "it is not recorded in the database"
    await actions.adopt_all({"left"})
    await actions.stop_all()
    assert tried == ["left", "left"]
    row = await GroupHost.objects.aget(pk=group)
    assert (row.state, row.host) == ("queued", "")


async def test_an_engine_that_hangs_does_not_keep_other_hosts_from_starting(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The containers of a host start when its slot is free for the next host."""
    group, record = await left_by_killed_server(no_dockerd, host="left", state="ready")
    left = no_dockerd.left(group)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    taken: list[tuple[str, bool]] = []

    async def start_again(*_args: object, **_more: object) -> PrivateHost:
        taken.append(("the engine", actions._slots.locked()))
        return left

    left.folder.mkdir(parents=True)
    registry.remember(left, ready=True)
    registry.note_containers(left, ["web"])
    start_containers_with(monkeypatch, lambda identity: taken.append((identity, actions._slots.locked())))
    monkeypatch.setattr(private_host, "start_again", start_again)
    actions._slots = asyncio.Semaphore(1)
    actions.hosts["left"] = left
    await actions.perform(HostAction(group, ActionKind.RESTART), record)
    assert taken == [("the engine", True), ("web", False)]
    assert (await GroupHost.objects.aget(pk=group)).state == "ready"


async def test_a_host_is_stopped_even_if_that_cannot_be_recorded(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = record_stops(monkeypatch)

    async def refuse(*_args: object) -> None:
        raise DatabaseError("new row violates row-level security policy")

    monkeypatch.setattr(no_dockerd.labs, "forget", refuse)
    left = no_dockerd.left()
    with pytest.raises(DatabaseError):
        await HostActions(no_dockerd.context, no_dockerd.labs, 1).remove(left)
    assert gone == ["left"]


@pytest.mark.parametrize(("cause", "is_kept"), [(OSError("no memory"), True), (DamagedDiskError("damaged"), False)])
async def test_a_host_that_cannot_start_again_keeps_its_files_unless_its_disk_is_damaged(
    no_dockerd: HostsHarness, monkeypatch: pytest.MonkeyPatch, cause: OSError, is_kept: bool
) -> None:
    gone = record_stops(monkeypatch)

    async def start_again(*_args: object, **_more: object) -> None:
        raise PrivateHostError(f"The host does not start: {cause}") from cause

    group, record = await left_by_killed_server(no_dockerd, host="left", state="ready")
    monkeypatch.setattr(private_host, "start_again", start_again)
    actions = HostActions(no_dockerd.context, no_dockerd.labs, 1)
    actions.hosts["left"] = no_dockerd.left(group)
    await actions.perform(HostAction(group, ActionKind.RESTART), record)
    row = await GroupHost.objects.aget(pk=group)
    assert (row.state, row.reason) == ("failed", f"The host does not start: {cause}")
    assert gone == ([] if is_kept else ["left"])
    assert not actions.engine_exits[group], "only exits count: after three of them the files are deleted"
