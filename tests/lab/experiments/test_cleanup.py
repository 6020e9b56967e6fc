"""A stop ends when nothing is left, and the cleanup check shows this."""

from __future__ import annotations

import errno
import os

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.launching.ports import HostPort
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.modes import MACHINE
from dashboard.engine.protocol import EngineError
from dashboard.lab import reconciler
from dashboard.lab.experiments.cleanup import host_ports, verify_cleanup
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.netns.watch.namespace_watch import Watch
from tests.core.builders import make_column, make_ports
from tests.lab.experiments.conftest import networks_of_experiments
from tests.netns.namespaces import Netns, wanted
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness, troubled
from tests.support.polling import eventually


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", ["remove_container", "remove_network"])
@pytest.mark.parametrize("wanted", [Wanted.STOPPED, Wanted.REMOVED])
async def test_what_the_engine_refuses_to_remove_is_shown_and_tried_again(
    fake_lab: LabHarness, fake: FakeEngine, caplog: pytest.LogCaptureFixture, call: str, wanted: Wanted
) -> None:
    identity = await fake_lab.running("user-bridge")
    fake.refuse[call] = EngineError("it has active endpoints", 403)
    await fake_lab.want(identity, wanted)
    problem = (await troubled(fake_lab, identity)).problem
    assert problem.startswith(f"The Engine refuses to remove {call.removeprefix('remove_')} ")
    assert problem.endswith(": it has active endpoints")
    tries = fake.calls.count(call)
    await eventually(lambda: fake.calls.count(call) > tries + 1)
    assert (await fake_lab.record(identity)).phase is Phase.STOPPING
    assert [record.message for record in caplog.records] == [f"experiment {identity}: {problem}"]
    del fake.refuse[call]
    if wanted is Wanted.STOPPED:
        head = await fake_lab.reaches(identity, Phase.STOPPED)
        assert (head.problem, [check.ok for check in head.proof]) == ("", [True, True])
    await eventually(lambda: fake_lab.lab.driver_of(identity) is None)
    assert fake.made == {}
    assert await networks_of_experiments(fake) == set()


@pytest.mark.usefixtures("impatient")
async def test_a_launch_without_a_running_arm_fails_when_nothing_is_left(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.refuse |= dict.fromkeys(("create_container", "remove_network"), EngineError("no", 403))
    identity = await fake_lab.launch("user-bridge")
    assert (await troubled(fake_lab, identity)).problem.startswith("The Engine refuses to remove network ")
    fake.refuse.clear()
    assert (await fake_lab.reaches(identity, Phase.FAILED)).problem == ""
    assert await networks_of_experiments(fake) == set()


async def test_the_cleanup_check_reads_no_namespace_of_another_experiment(
    fake_lab: LabHarness, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches, read_again = fake_lab.context.watches, Watch.resync
    inode, _ = await watches.subscribe("another experiment", netns.pid, lambda _view: None, lambda: None)
    closing = watches._shared[inode].watch

    async def resync(watch: Watch) -> None:
        if watch is closing:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        await read_again(watch)

    monkeypatch.setattr(Watch, "resync", resync)
    observer = Observer(watches, lambda: None, lambda _states: None)
    await observer.add(ObservationTarget(MACHINE, os.getpid(), MACHINE, "", ""))
    checks = await verify_cleanup(fake_lab.context, "stopped", observer, 1, (HostPort(1),))
    assert [(check.name, check.ok) for check in checks] == [("containers", True), ("networks", True), ("port 1", True)]
    await observer.close()
    await watches.unsubscribe("another experiment", inode)


async def test_a_port_is_free_although_others_use_its_number_on_another_address_or_protocol(
    fake_lab: LabHarness, netns: Netns
) -> None:
    netns.ip("link", "set", "lo", "up")
    others = (("udp", "0.0.0.0", 5353), ("udp", "127.0.0.53", 53), ("tcp", "127.0.0.1", 8080))
    netns.hold([wanted(protocol, "inet", address, port) for protocol, address, port in others])
    observer = Observer(fake_lab.context.watches, lambda: None, lambda _states: None)
    await observer.add(ObservationTarget(MACHINE, netns.pid, MACHINE, "", ""))
    ports = (
        HostPort(53, "udp", "127.0.0.1"),
        HostPort(5353, "tcp", "0.0.0.0"),
        HostPort(8080, "tcp", "0.0.0.0"),
        HostPort(8080, "tcp", "::"),
    )
    checks = await verify_cleanup(fake_lab.context, "stopped", observer, 1, ports)
    assert [check.detail for check in checks[2:]] == [
        "port 53/udp of the machine is free again",
        "port 5353 of the machine is free again",
        "port 8080 of the machine is still in use",
    ]
    assert [check.ok for check in checks[2:]] == [True, True, False]
    await observer.close()


def test_ports_of_the_machine_are_checked_once_and_routed_ones_are_none() -> None:
    columns = [
        make_column("bridge", published=(*make_ports(8081), *make_ports(8080))),
        make_column("user-bridge", published=(*make_ports(8081), *make_ports(0))),
    ]
    assert host_ports(columns) == tuple(
        HostPort(port, "tcp", address) for port in (8080, 8081) for address in ("0.0.0.0", "::")
    )


async def test_podman_keeps_nothing_of_containers_that_shared_a_namespace(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.facts = fake_lab.context.info = make_info(kind=EngineKind.PODMAN)
    identity = await fake_lab.running("host", "bridge", "container:bridge")
    head = await fake_lab.stop(identity)
    assert [check.detail for check in head.proof if not check.ok] == []
    assert fake.made == {}
