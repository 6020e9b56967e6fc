"""An experiment on an engine of another machine, in another pid namespace, over TLS and over SSH."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Relation
from dashboard.core.measurements.measurement import Probe
from dashboard.core.modes import MACHINE
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.claims.engines import open_engine
from dashboard.lab.claims.executor import ClaimEngines, ClaimRunner
from dashboard.lab.doctor import examine
from dashboard.lab.experiments.actions import try_paths
from dashboard.lab.measurements.run import plan_series
from dashboard.lab.watch_pool import WatchPool
from tests.support.engines.remote import RemoteEngine, has_sshd, remote_engine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.private_engine import CACHE

pytestmark = [pytest.mark.engine, pytest.mark.slow]
REASONS = {"tls": "the engine is reached over TCP", "ssh": "the engine is reached over SSH"}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEngine]:
    with remote_engine(tmp_path_factory.mktemp("remote")) as engine:
        yield engine


@pytest.fixture(params=["tls", "ssh"])
def transport(request: pytest.FixtureRequest) -> str:
    if request.param == "ssh" and not has_sshd():
        pytest.skip("no sshd here: apt-get install openssh-server")
    name: str = request.param
    return name


@pytest.fixture
async def engine(
    remote: RemoteEngine, transport: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[DockerEngine]:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(remote.certs))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {remote.ssh_config} "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    connection = DockerEngine(remote.tls_endpoint if transport == "tls" else remote.ssh_endpoint)
    yield connection
    await connection.close()


@pytest.fixture
async def lab(engine: DockerEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    async with open_lab_harness(engine, tmp_path) as made:
        yield made


async def test_an_experiment_shows_what_the_api_says_and_nothing_of_the_kernel(
    lab: LabHarness, remote: RemoteEngine, transport: str
) -> None:
    identity = await lab.running("host", "bridge", "user-bridge", "none", publish=["8080:80"])
    view = await lab.view(identity)
    columns = {column.key: column for column in view.columns}
    assert view.states == {}
    assert {column.invisible for column in view.columns} == {REASONS[transport]}
    assert {columns[key].status for key in columns if key != MACHINE} == {ArmStatus.RUNNING}
    inspected = remote.docker(
        "inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", f"nm-{identity}-bridge"
    )
    assert columns["bridge"].networks == {"bridge": inspected}
    assert {port.host_port for port in columns["bridge"].published} == {8080}
    assert columns["host"].warnings == ("Published ports are discarded when using host network mode",)
    rows = compare(view.columns, view.states)
    kernel = [row for row in rows if row.section not in {"published", "identity"}]
    assert {row.relation for row in kernel} == {Relation.UNKNOWN}
    assert {word for row in kernel for word in row.absent.values()} == {f"not visible: {REASONS[transport]}"}
    attempts = await try_paths(lab.lab, identity)
    assert all(attempt.unavailable == f"not visible: {REASONS[transport]}" for attempt in attempts)
    driver = lab.driver(identity)
    plan = plan_series(driver, [Probe.TCP_RR])
    assert not plan.series
    assert plan.missing
    head = await lab.stop(identity)
    assert [check.name for check in head.proof] == ["containers", "networks"]
    assert all(check.ok for check in head.proof)


async def test_an_arm_that_ends_is_collected_with_its_log(lab: LabHarness) -> None:
    arms = [{"mode": "bridge", "command": ["sh", "-c", "echo bye; exit 3"]}, {"mode": "none"}]
    identity = await lab.running(arms=arms)
    column = await lab.ends_as(identity, "bridge", ArmStatus.EXITED)
    assert (column.exit_code, column.logs) == (3, ("bye",))


async def test_claims_that_need_the_kernel_are_not_testable_and_others_are_judged(
    engine: DockerEngine, transport: str
) -> None:
    chosen = [one for one in all_claims() if one.id in {"bridge-veth", "bridge-own-stack", "warning-only-at-create"}]
    watches = WatchPool()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(watches.close)
        target = await open_engine(engine, CACHE, watches)
        run = await ClaimRunner(ClaimEngines(target), "test", "remote", lambda *_: None).execute(chosen)
    verdicts = {result.id: result for result in run.results}
    assert verdicts["warning-only-at-create"].verdict is ClaimVerdict.HOLDS
    for name in ("bridge-veth", "bridge-own-stack"):
        assert verdicts[name].verdict is ClaimVerdict.NOT_TESTABLE
        assert REASONS[transport] in verdicts[name].reason
    assert run.left == ()


async def test_the_doctor_says_what_is_not_visible_and_why(engine: DockerEngine, transport: str) -> None:
    report = await examine(engine, private=False)
    machine = next(check for check in report.checks if check.name == "machine")
    assert not machine.ok
    assert REASONS[transport] in machine.detail
    modes = {mode.mode: mode for mode in report.modes}
    assert modes["host"].available
    assert REASONS[transport] in modes["macvlan"].reason
