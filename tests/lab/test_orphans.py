"""Only objects with this installation's label that no experiment needs are removed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine.protocol import ContainerFacts, EngineError
from dashboard.lab.context import LABEL_PLACE
from dashboard.lab.orphans import kept_ids, remove_orphans
from tests.lab.test_reconciler import _config
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness


async def test_an_object_that_is_created_during_the_search_is_not_an_orphan(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command of another process launches between the two queries: its row exists before its container."""
    await fake.create_container("old", _config(fake_lab, "gone"))
    rows: set[str] = set()
    listed = fake.containers

    async def launch() -> None:
        if not rows:
            rows.add("young")
            await fake.create_container("new", _config(fake_lab, "young"))

    async def containers(labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        found = await listed(labels)
        await launch()
        return found

    async def wanted() -> set[str]:
        found = set(rows)
        await launch()
        return found

    monkeypatch.setattr(fake, "containers", containers)
    assert await remove_orphans(fake_lab.context, wanted) == (("container old",), ())
    assert [one.name for one in fake.made.values()] == ["new"]


async def test_an_orphan_that_cannot_be_removed_does_not_prevent_the_removal_of_others(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    await fake.create_container("stuck", _config(fake_lab, "gone"))
    await fake.create_network("net", "bridge", fake_lab.context.labels("gone"), {})
    fake.refuse["remove_container"] = EngineError("container is paused", 409)

    async def wanted() -> set[str]:
        return set()

    removed, refused = await remove_orphans(fake_lab.context, wanted)
    assert removed == ("network net",)
    assert refused == ("container stuck: container is paused",)
    del fake.refuse["remove_container"]


async def test_an_orphan_that_shares_a_namespace_goes_before_its_owner(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.facts = make_info(kind=EngineKind.PODMAN)
    owner = await fake.create_container("owner", _config(fake_lab, "gone"))
    joined = _config(fake_lab, "gone") | {"HostConfig": {"NetworkMode": f"container:{owner.id}", "PortBindings": {}}}
    await fake.create_container("joined", joined)

    async def wanted() -> set[str]:
        return set()

    assert await remove_orphans(fake_lab.context, wanted) == (("container joined", "container owner"), ())


async def test_networks_that_labs_on_other_machines_have_created_stay(fake_lab: LabHarness, fake: FakeEngine) -> None:
    """All managers of a swarm see an overlay network."""
    for name, place in (("own", {LABEL_PLACE: ""}), ("other", {LABEL_PLACE: "@lab2"}), ("earlier", {})):
        await fake.create_network(name, "overlay", fake_lab.context.labels("gone") | place, {})

    async def wanted() -> set[str]:
        return set()

    assert await remove_orphans(fake_lab.context, wanted) == (("network own", "network earlier"), ())
    assert [network.name for network in await fake.networks({}) if network.labels] == ["other"]


def test_a_part_keeps_the_network_of_the_whole() -> None:
    part = SimpleNamespace(id="part", parent="whole")
    assert kept_ids([part, SimpleNamespace(id="single", parent=None)]) == {"part", "whole", "single"}  # type: ignore[list-item]
