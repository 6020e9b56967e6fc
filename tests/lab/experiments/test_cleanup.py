"""The cleanup check shows leftovers."""

from __future__ import annotations

import errno
import os

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.modes import MACHINE
from dashboard.engine.protocol import EngineError
from dashboard.lab.experiments.cleanup import host_ports, verify_cleanup
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.netns.watch.namespace_watch import Watch
from tests.core.builders import make_column, make_ports
from tests.netns.namespaces import Netns
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness


@pytest.mark.parametrize("call", ["containers", "networks"])
async def test_the_cleanup_check_shows_what_is_left(fake_lab: LabHarness, fake: FakeEngine, call: str) -> None:
    identity = await fake_lab.running("host", "user-bridge")
    method = "remove_container" if call == "containers" else "remove_network"
    fake.refuse[method] = EngineError("it is in use", 409)
    head = await fake_lab.stop(identity)
    assert {check.name: check.ok for check in head.proof} == {
        "containers": call != "containers",
        "networks": call != "networks",
    }
    del fake.refuse[method]


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
    checks = await verify_cleanup(fake_lab.context, "stopped", observer, 1, (1,))
    assert [(check.name, check.ok) for check in checks] == [("containers", True), ("networks", True), ("port 1", True)]
    await observer.close()
    await watches.unsubscribe("another experiment", inode)


def test_ports_of_the_machine_are_checked_once_and_routed_ones_are_none() -> None:
    columns = [
        make_column("bridge", published=(*make_ports(8081), *make_ports(8080))),
        make_column("user-bridge", published=(*make_ports(8081), *make_ports(0))),
    ]
    assert host_ports(columns) == (8080, 8081)


async def test_podman_keeps_nothing_of_containers_that_shared_a_namespace(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.facts = fake_lab.context.info = make_info(kind=EngineKind.PODMAN)
    identity = await fake_lab.running("host", "bridge", "container:bridge")
    head = await fake_lab.stop(identity)
    assert [check.detail for check in head.proof if not check.ok] == []
    assert fake.made == {}
