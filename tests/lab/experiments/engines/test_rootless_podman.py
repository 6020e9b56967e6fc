"""An experiment on a rootless Podman: its bridges are in a namespace of its user."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import MACHINE, NEIGHBOUR, ROOTLESS_NETNS
from dashboard.core.namespaces.links import veth_ends
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.programs import engine_root, engine_setup
from dashboard.engine.hosts.variants import VARIANTS
from dashboard.lab.doctor import examine
from tests.support.lab_harness import LabHarness, close_lab_harness, open_lab_harness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, private_engine
from tests.support.specs import HOST_WITHOUT_ROOT, OPEN_PORT

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    if engine_root() is not None and engine_setup() != "rootless-podman":
        pytest.skip("--engine chose another engine")
    with private_engine(tmp_path_factory.mktemp("rootless"), variant=VARIANTS["rootless-podman"]) as engine:
        yield engine


@pytest.fixture
async def lab(host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    made = await open_lab_harness(DockerEngine(host.endpoint, timeout_s=30), tmp_path)
    yield made
    await close_lab_harness(made)
    host.leave_nothing()


def peer_namespace(host: PrivateEngine, container: str) -> int:
    """The inode of the namespace in which the other end of the container's cable is, as a process of the host shows it:
    aardvark-dns runs there."""
    names = host.docker("ps", "--format", "{{.Names}}").split()
    assert container in " ".join(names)
    (found,) = {int((process / "ns/net").stat().st_ino) for process in resolvers(host)}
    return found


def resolvers(host: PrivateEngine) -> list[Path]:
    """The folders in /proc of this host's aardvark-dns."""
    return [process for process in Path("/proc").glob("[0-9]*") if _is_resolver_of(host, process)]


def _is_resolver_of(host: PrivateEngine, process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"aardvark-dns" in words.partition(b"\0")[0] and os.fsencode(host.host.id) in words


async def test_the_column_of_the_bridges_is_the_namespace_in_which_they_are(
    lab: LabHarness, host: PrivateEngine
) -> None:
    identity = await lab.running("host", "user-bridge", publish=["18080:80"])
    view = await lab.view(identity)
    assert [column.key for column in view.columns] == [MACHINE, "host", "user-bridge", ROOTLESS_NETNS, NEIGHBOUR]
    state = view.states[ROOTLESS_NETNS]
    assert state.netns == peer_namespace(host, "user-bridge")
    assert state.netns not in {view.states[MACHINE].netns, view.states["user-bridge"].netns}
    bridges = [link.name for link in state.interfaces if link.kind == "bridge"]
    assert bridges
    assert not [link for link in view.states[MACHINE].interfaces if link.kind == "bridge"]
    await lab.stop(identity)
    after = await lab.view(identity)
    assert ROOTLESS_NETNS not in after.states
    assert next(column for column in after.columns if column.key == ROOTLESS_NETNS).status is ArmStatus.GONE


async def test_the_program_of_host_mode_is_the_arm_s_although_its_container_has_no_cgroup(lab: LabHarness) -> None:
    identity = await lab.running(arms=[HOST_WITHOUT_ROOT])
    driver = lab.lab.driver_of(identity)
    assert driver is not None
    await driver.settled()
    (arm,) = [column for column in driver.view.columns if column.key == "host"]
    assert arm.container is not None
    for key in (MACHINE, "host"):
        served = [one for one in driver.view.states[key].listeners if one.port == OPEN_PORT]
        assert served
        assert {one.container for one in served} == {arm.container.id}
    await lab.stop(identity)


async def test_cables_lead_to_the_bridges_as_the_kernel_numbers_them(lab: LabHarness, host: PrivateEngine) -> None:
    identity = await lab.running("bridge", "user-bridge")
    driver = lab.lab.driver_of(identity)
    assert driver is not None
    await driver.settled()
    view = driver.view
    namespace = resolvers(host)[0]
    listed = ["nsenter", f"--net={namespace}/ns/net", "ip", "-json", "-details", "link", "show", "type", "veth"]
    shown_by_ip = await asyncio.to_thread(subprocess.run, listed, capture_output=True, check=True)
    outer_ends = json.loads(shown_by_ip.stdout)
    bridges = {}
    for key in ("bridge", "user-bridge"):
        inside = view.states[key]
        ((outer, inner),) = veth_ends(view.states[ROOTLESS_NETNS], inside)
        (shown,) = [link for link in outer_ends if link["ifindex"] == outer.index]
        assert (shown["ifname"], shown["master"], shown["link_index"]) == (outer.name, outer.master, inner.index)
        assert inner.peer_netns == view.states[ROOTLESS_NETNS].netns
        bridges[key] = next(link for link in view.states[ROOTLESS_NETNS].interfaces if link.name == outer.master)
    for picture in draw(view.columns, view.states):
        cables = {edge.id.rpartition(":if:")[0] for edge in picture.edges if edge.kind == "veth"}
        assert cables == {f"veth:{ROOTLESS_NETNS}:if:{link.index}>{key}" for key, link in bridges.items()}
    await lab.stop(identity)


async def test_without_a_container_on_a_bridge_the_namespace_is_gone(lab: LabHarness, host: PrivateEngine) -> None:
    identity = await lab.running("host", "bridge")
    assert ROOTLESS_NETNS in (await lab.view(identity)).states
    host.docker("rm", "-f", f"nm-{identity}-bridge")

    async def is_gone() -> bool:
        await lab.want(identity, Wanted.RUNNING)
        return ROOTLESS_NETNS not in (await lab.view(identity)).states

    await eventually(is_gone)
    assert (await lab.view(identity)).head.phase is Phase.RUNNING  # type: ignore[union-attr]


async def test_the_doctor_says_where_the_bridges_are(host: PrivateEngine) -> None:
    engine = DockerEngine(host.endpoint)
    report = await examine(engine, private=False)
    await engine.close()
    podman = next(check for check in report.checks if check.name == "podman")
    assert "bridges of a rootless Podman are in its user's rootless-netns, a column of its own" in podman.detail
