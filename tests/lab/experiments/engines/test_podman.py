"""A comparison on a real Podman, with podman, ss and nft as referees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Origin
from dashboard.core.paths.hops import HopKind, HopStatus
from dashboard.core.paths.model import PathKind
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.doctor import examine
from dashboard.lab.experiments.trace import trace, traceable_paths
from tests.support.engines.podman_service import PodmanService, podman_service
from tests.support.lab_harness import LabHarness, open_lab_harness

pytestmark = [pytest.mark.engine, pytest.mark.slow]

#: The program of the last arm listens nowhere: its port is taken in the shared namespace.
ARMS = (
    {"mode": "host"},
    {"mode": "bridge"},
    {"mode": "user-bridge"},
    {"mode": "none"},
    {"mode": "container:user-bridge", "command": "sleep 600"},
)


@pytest.fixture(scope="module")
def podman() -> Iterator[PodmanService]:
    with podman_service() as service:
        yield service


@pytest.fixture
async def podman_lab(podman: PodmanService, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that runs on Podman; it leaves nothing."""
    async with open_lab_harness(DockerEngine(podman.endpoint, timeout_s=30), tmp_path) as made:
        yield made
    assert podman.left() == []


async def test_the_doctor_reports_what_podman_supports(podman: PodmanService) -> None:
    engine = DockerEngine(podman.endpoint)
    try:
        doctor = await examine(engine, private=False)
        bridges = {network.name: network.bridge for network in await engine.networks({})}
    finally:
        await engine.close()
    assert doctor.engine is not None
    assert doctor.engine.kind is EngineKind.PODMAN
    checks = {check.name: check for check in doctor.checks}
    assert checks["engine"].detail == f"Podman {doctor.engine.version} at {podman.endpoint}"
    assert checks["machine"].ok
    assert checks["machine"].detail == f"the engine is process {podman.pid} of this machine"
    assert checks["podman"].detail.startswith("networks by netavark")
    assert bridges["bridge"] == "podman0"
    modes = {mode.mode: mode for mode in doctor.modes}
    assert [name for name in ("host", "bridge", "user-bridge", "none", "container") if not modes[name].available] == []
    assert not modes["overlay"].available
    assert "update" not in modes["overlay"].reason


async def test_rows_say_what_podman_ss_and_nft_say(podman: PodmanService, podman_lab: LabHarness) -> None:
    identity = await podman_lab.running(arms=list(ARMS), publish=["9080:80"])
    driver = podman_lab.driver(identity)
    await driver.settled()
    view = await podman_lab.view(identity)
    assert view.head is not None
    assert view.head.notice.startswith("This is Podman")
    columns = {column.key: column for column in view.columns}
    rows = {(row.section, row.key, row.field): row for row in compare(view.columns, view.states)}

    inspected = {key: podman.inspect(one.container.id) for key, one in columns.items() if one.container is not None}
    assert set(inspected) == {"host", "bridge", "user-bridge", "none", "container"}
    for key in ("bridge", "user-bridge"):
        (network,) = inspected[key]["NetworkSettings"]["Networks"].values()
        assert rows["identity", "address", ""].cells[key] == network["IPAddress"]
        (binding,) = inspected[key]["HostConfig"]["PortBindings"]["80/tcp"]
        assert rows["published", "80/tcp", "published"].cells[key] == f"0.0.0.0:{binding['HostPort']}"
    asked = rows["published", "80/tcp", "asked"].cells
    assert {key: asked[key] for key in ("host", "bridge", "none")} == dict.fromkeys(("host", "bridge", "none"), ":9080")
    published = rows["published", "80/tcp", "published"]
    assert {key: published.absent[key] for key in ("host", "none")} == dict.fromkeys(("host", "none"), "discarded")

    machine = podman.on_machine("readlink", "/proc/self/ns/net").strip()
    assert machine == f"net:[{view.states[MACHINE].netns}]" == f"net:[{view.states['host'].netns}]"
    for key, facts in inspected.items():
        for name in ("user", "cgroup", "uts"):
            path = podman.on_machine("readlink", f"/proc/{facts['State']['Pid']}/ns/{name}").strip()
            assert path == f"{name}:[{view.states[key].namespaces[name]}]"
    if view.states[MACHINE].namespaces["user"] == view.states["none"].namespaces["user"]:
        assert rows["identity", "namespace user", ""].relation is Relation.SAME

    owners = {
        (match["protocol"], int(match["port"])): match["owner"]
        for line in podman.on_machine("ss", "-tulpnH").splitlines()
        if (match := re.match(r'(?P<protocol>\w+) .*?[:\]](?P<port>\d+)\s.*?\(\("(?P<owner>[^"]+)"', line))
        and (int(match["port"]) != 53 and match["owner"] != "aardvark-dns")
    }
    seen = {
        (listener.protocol.value, listener.port): listener.process
        for listener in view.states[MACHINE].listeners
        if listener.process != "aardvark-dns"
    }
    assert seen == owners
    assert rows["listeners", "udp :53", ""].cells[MACHINE] is not None
    program = seen["tcp", 9080]
    if program == "conmon":
        assert all(one.container is None for one in view.states[MACHINE].listeners if one.process == "conmon")
        assert "conmon" in rows["listeners", "tcp :9080", ""].why

    resolvers = {key: state.resolver for key, state in view.states.items() if state.resolver is not None}
    assert resolvers["user-bridge"].origin is resolvers["container"].origin is Origin.AARDVARK
    assert resolvers["none"].origin is Origin.UNREADABLE
    for row in rows.values():
        _no_guess(row)
    head = await podman_lab.stop(identity)
    assert [check.detail for check in head.proof if not check.ok] == []


def _no_guess(row: Row) -> None:
    """Checks that no text of the row attributes a fact to Docker or waits for a reading."""
    texts = (row.why, *row.notes.values(), *row.absent.values(), *(cell for cell in row.cells.values() if cell))
    for text in texts:
        assert "Docker" not in text.replace("Docker's API", ""), row
        assert "docker-proxy" not in text, row
        assert text != "not read yet", row
    if row.section == "dns" and row.key.startswith("lookup") and row.cells["none"] is None:
        assert row.absent["none"].startswith("unknown"), row


async def test_every_path_that_is_offered_answers_and_the_nat_rules_prove_it(
    podman: PodmanService, podman_lab: LabHarness
) -> None:
    identity = await podman_lab.running(arms=list(ARMS), publish=["9080:80"])
    await podman_lab.driver(identity).settled()
    rules = podman.on_machine("nft", "list", "ruleset")
    paths = traceable_paths(podman_lab.lab, identity)
    for key, path in paths.items():
        first = (await trace(podman_lab.lab, identity, key))[0]
        assert first.answer.startswith("HTTP 200"), first
        if path.kind is PathKind.PUBLISHED_DNAT:
            assert re.search(rf"tcp dport {path.port} dnat ip to [0-9.]+:80", rules), key
            rewritten = next(hop for hop in first.hops if hop.kind is HopKind.DNAT)
            assert rewritten.seen is not HopStatus.NOT_SEEN, rewritten
            assert f"dport {path.port}" in rewritten.evidence[-1] or rewritten.seen is HopStatus.TAKEN
    kinds = {path.kind for path in paths.values()}
    assert PathKind.PUBLISHED_DNAT in kinds
    assert PathKind.PUBLISHED_PROXY not in kinds
    await podman_lab.stop(identity)
