"""Containers of one experiment, in situations that only a fake engine can produce."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.lifecycle import container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.protocol import ContainerFacts, EngineError
from dashboard.lab import reconciler
from dashboard.lab.experiments.actions import inspect, try_paths
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.netns.namespace_ids import namespaces
from tests.netns.namespaces import Netns
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually, others_run


async def test_a_column_has_the_warnings_except_those_about_limits(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.warnings = (
        "Published ports are discarded when using host network mode",
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted.",
    )
    identity = await fake_lab.running("host")
    assert (await fake_lab.column(identity, "host")).warnings == fake.warnings[:1]


REMOTE = make_info(pid=None, endpoint="tcp://192.0.2.1:2376")


@pytest.mark.parametrize("fake", [FakeEngine(info=REMOTE)])
async def test_a_pid_of_another_machine_is_never_entered(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host", "bridge")
    view = await fake_lab.view(identity)
    assert view.states == {}
    assert view.columns[0].title == "the engine's machine"
    assert {column.key: column.invisible for column in view.columns} == dict.fromkeys(
        ("machine", "host", "bridge"), "the engine is reached over TCP"
    )
    assert view.head is not None
    assert view.head.problem == ""
    assert view.head.notice.endswith("only what the Engine's API reports: the engine is reached over TCP.")
    bridge = await fake_lab.column(identity, "bridge")
    assert (bridge.status, bridge.container and bridge.container.name) == (
        ArmStatus.RUNNING,
        container_name(identity, "bridge"),
    )


@pytest.mark.parametrize("fake", [FakeEngine(info=REMOTE)])
async def test_a_pass_on_a_remote_engine_adds_nothing_to_the_journal(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("bridge")
    driver = fake_lab.driver(identity)
    await driver.settled()
    before = await fake_lab.entries(identity)
    record = next(record for record in await fake_lab.lab._load() if record.id == identity)
    await driver.settle(record)
    assert await fake_lab.entries(identity) == before


@pytest.mark.parametrize("fake", [FakeEngine(info=REMOTE)])
async def test_actions_on_a_remote_engine_give_the_reason(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host", "bridge")
    attempts = await try_paths(fake_lab.lab, identity)
    assert {attempt.unavailable for attempt in attempts} == {"not visible: the engine is reached over TCP"}
    with pytest.raises(ValueError, match="the engine is reached over TCP"):
        await inspect(fake_lab.lab, identity, "bridge", "ip-addr")


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A file that is a network namespace, as RootlessKit's with --detach-netns, and the inode of the namespace."""
    place = tmp_path / "netns"
    place.touch()
    subprocess.run(["unshare", f"--net={place}", "true"], check=True)
    yield place, place.stat().st_ino
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_detached_namespace_takes_the_place_of_the_machine(
    fake_lab: LabHarness, fake: FakeEngine, detached: tuple[Path, int]
) -> None:
    (place, inode), own = detached, await asyncio.to_thread(os.stat, "/proc/self/ns/net")
    fake_lab.context.info = fake.facts = make_info(version="29.5.0", rootless=True, netns=str(place))
    identity = await fake_lab.running("host", "bridge")
    view = await fake_lab.view(identity)
    assert view.columns[0].title == "RootlessKit's namespace"
    assert view.states["machine"].netns == inode
    assert view.states["host"].netns == own.st_ino, "host mode shares the machine's own"


async def test_a_name_in_use_is_refused_by_docker(fake_lab: LabHarness, fake: FakeEngine) -> None:
    await fake_lab.lab.close()
    identity = await fake_lab.launch("host", "none")
    name = container_name(identity, "host")
    host_config = {"NetworkMode": "none", "PortBindings": {}}
    config = {"Image": "nginx", "Labels": {}, "Hostname": "", "HostConfig": host_config}
    foreign = await fake.create_container(name, config)
    await fake_lab.restart()
    await fake_lab.reaches(identity, Phase.RUNNING)
    column = await fake_lab.column(identity, "host")
    assert column.status is ArmStatus.REFUSED
    assert "already in use" in (column.error or "")
    await fake_lab.stop(identity)
    assert list(fake.made) == [foreign.id]


async def test_a_start_that_is_refused_leaves_no_container(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.refuse["start_container"] = EngineError("driver failed programming external connectivity", 500)
    identity = await fake_lab.launch("host")
    await fake_lab.reaches(identity, Phase.FAILED)
    column = await fake_lab.column(identity, "host")
    assert (column.status, column.error) == (
        ArmStatus.REFUSED,
        "driver failed programming external connectivity",
    )
    assert fake.made == {}


async def test_the_exit_code_of_an_arm_that_ends_at_once_is_collected(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.add_image("short")
    fake.exits["short"] = (3, ("one", "\x1b[31mtwo"))
    identity = await fake_lab.running(arms=[{"mode": "host", "image": "short"}, {"mode": "host"}])
    column = await fake_lab.ends_as(identity, "host", ArmStatus.EXITED)
    assert (column.exit_code, column.logs) == (3, ("one", "\x1b[31mtwo"))
    assert len(fake.made) == 1


async def test_an_arm_is_collected_if_the_kernel_reports_its_end_before_the_engine(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect = fake.inspect_container
    looks = iter(range(3))

    async def without_process(container: str) -> ContainerFacts:
        facts = await inspect(container)
        if next(looks, None) is not None:
            return replace(facts, pid=0)
        return replace(facts, running=False, status="exited", pid=0, exit_code=4)

    monkeypatch.setattr(fake, "inspect_container", without_process)
    identity = await fake_lab.launch("bridge")
    await fake_lab.reaches(identity, Phase.FAILED)
    column = await fake_lab.column(identity, "bridge")
    assert (column.status, column.exit_code) == (ArmStatus.EXITED, 4)


async def test_an_arm_that_ends_while_others_are_still_being_launched_is_not_missed(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.hold["create_network"] = asyncio.Event()
    identity = await fake_lab.launch("host", "user-bridge")

    async def observed() -> bool:
        return (await fake_lab.view(identity)).states.keys() >= {"host"}

    await eventually(observed)
    fake.kill(container_name(identity, "host"), 9)
    await others_run()
    fake.hold.pop("create_network").set()
    column = await fake_lab.ends_as(identity, "host", ArmStatus.EXITED)
    assert column.exit_code == 9


async def test_an_arm_that_is_being_removed_is_lost(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host", "host")
    facts = next(one for one in fake.made.values() if one.name == container_name(identity, "host"))
    fake.made[facts.id] = replace(facts, running=False, status="removing", pid=0, exit_code=None)
    fake.emit("container", "die", facts.id)
    await fake_lab.ends_as(identity, "host", ArmStatus.LOST)
    del fake.made[facts.id]


class Middle:
    """Changes the engine between the two inspections of a container, before and after its namespace is read."""

    def __init__(self, fake: FakeEngine, then: Callable[[ContainerFacts], None]) -> None:
        self._inspect = fake.inspect_container
        self._then = then
        self._looks = 0

    async def inspect(self, container: str) -> ContainerFacts:
        self._looks += 1
        if self._looks == 2:
            self._then(await self._inspect(container))
        return await self._inspect(container)


async def test_a_container_that_is_removed_while_it_is_read_is_lost(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(facts: ContainerFacts) -> None:
        del fake.made[facts.id]

    monkeypatch.setattr(fake, "inspect_container", Middle(fake, remove).inspect)
    identity = await fake_lab.launch("host")
    await fake_lab.reaches(identity, Phase.FAILED)
    assert (await fake_lab.column(identity, "host")).status is ArmStatus.LOST
    assert "host" not in (await fake_lab.view(identity)).states


async def test_a_container_with_a_reused_pid_is_read_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)
    netns = Netns()

    def restart(facts: ContainerFacts) -> None:
        fake.made[facts.id] = replace(facts, pid=netns.pid, started_at="later")

    try:
        monkeypatch.setattr(fake, "inspect_container", Middle(fake, restart).inspect)
        identity = await fake_lab.running("bridge")
        states = (await fake_lab.view(identity)).states
        assert states["bridge"].netns == namespaces(netns.pid)["net"]
        assert not any("restarted while it was read" in entry.text for entry in await fake_lab.entries(identity))
    finally:
        netns.close()


async def test_an_arm_that_is_restarted_while_its_end_is_awaited_is_read_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", DEADLINE_S * 10)
    netns, ended = Netns(), Netns()
    ended.close()
    inspect, looks = fake.inspect_container, iter(range(3))

    async def restarting(container: str) -> ContainerFacts:
        """Reports the ended process three times, then the new one."""
        facts = await inspect(container)
        return replace(facts, pid=netns.pid if next(looks, None) is None else ended.pid) if facts.running else facts

    try:
        monkeypatch.setattr(fake, "inspect_container", restarting)
        identity = await fake_lab.running("bridge")
        assert (await fake_lab.view(identity)).states["bridge"].netns == namespaces(netns.pid)["net"]
        assert not any("has ended" in entry.text for entry in await fake_lab.entries(identity))
    finally:
        netns.close()


async def test_a_lack_of_file_descriptors_is_shown_and_the_namespace_is_entered_later(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)
    add = Observer.add
    left = iter(range(3))

    async def exhausted(observer: Observer, subject: ObservationTarget, *more: Any) -> NamespaceState:
        if subject.key == "host" and next(left, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return await add(observer, subject, *more)

    monkeypatch.setattr(Observer, "add", exhausted)
    identity = await fake_lab.running("host")
    assert any("Too many open files" in entry.text for entry in await fake_lab.entries(identity))
    assert len(fake.made) == 1


async def test_a_column_that_is_not_isolated_has_an_error(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("bridge", "host")
    assert "do not trust" in ((await fake_lab.column(identity, "bridge")).error or "")
    assert (await fake_lab.column(identity, "host")).error is None


async def test_containers_are_created_while_the_machine_is_read_and_start_afterwards(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Observer.add
    calls_before_start: list[str] = []

    async def slow(observer: Observer, subject: ObservationTarget, *more: Any) -> NamespaceState:
        if subject.key == "machine":
            await eventually(lambda: len(fake.made) == 2)
            calls_before_start.extend(fake.calls)
        return await add(observer, subject, *more)

    monkeypatch.setattr(Observer, "add", slow)
    await fake_lab.running("host", "bridge")
    assert calls_before_start.count("create_container") == 2
    assert "start_container" not in calls_before_start
