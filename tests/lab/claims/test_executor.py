"""Every claim on a real engine, original and mutated. No container or network is left on the engines."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.engine_facts import PODMAN, EngineFacts
from dashboard.core.claims.lines import mutate
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds
from dashboard.core.claims.questions import all_questions
from dashboard.core.claims.run import NOT_HARMLESS, ClaimsRun, ClaimState, ExecutedClaim, make_plan
from dashboard.core.claims.testbed import NotTestableError, Testbed
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.firewalls.ufw import unpacked_package
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.claims import executor as claims
from dashboard.lab.claims.engines import ClaimEngine, EngineLock, open_engine, start_private_engine
from dashboard.lab.claims.executor import ClaimEngines, ClaimRunner, open_engines
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.context import LABEL
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.private_engine import CACHE, PrivateEngine
from tests.support.python_values import python_values
from tests.support.workers import outside

pytestmark = pytest.mark.engine
INSTALLATION = "claims-test"
CLAIMS = all_claims()
#: The first claim of each topic that is harmless or starts an engine of its own. The gate mutates only these; ``--all``
#: mutates every claim.
MUTATED_IN_GATE = {
    claim.topic: claim for claim in reversed(CLAIMS) if not claim.needs & (NOT_HARMLESS - {Need.OWN_HOST})
}
#: The claims that the gate executes: the most direct one of every fifth question, one of each topic, and one that
#: measures. ``--all`` executes every claim; ``tests/engine/facts`` proves some of them with other means.
IN_GATE = {
    *(question.claims[0] for question in all_questions()[::5]),
    *(claim.id for claim in MUTATED_IN_GATE.values()),
    *[claim.id for claim in CLAIMS if Need.MEASURE in claim.needs][:1],
}
EVERY = pytest.mark.parametrize(
    "claim",
    [pytest.param(claim, marks=[pytest.mark.slow] * (claim.id not in IN_GATE)) for claim in CLAIMS],
    ids=lambda claim: claim.id,
)
EVERY_MUTATED = pytest.mark.parametrize(
    "claim",
    [pytest.param(claim, marks=[pytest.mark.slow] * (claim not in MUTATED_IN_GATE.values())) for claim in CLAIMS],
    ids=lambda claim: claim.id,
)


@dataclass(frozen=True, slots=True)
class Executed:
    """A run on real engines: the results by claim. ``left`` are the objects that the engines still had afterwards;
    ``obstacles`` are why they cannot run a claim, by claim."""

    results: dict[str, ExecutedClaim]
    left: tuple[object, ...]
    steps: list[tuple[str, ClaimState]]
    obstacles: dict[str, str]


def _foreign_lines(engine: ClaimEngine) -> list[str]:
    """Lines that claims write into the files of a machine and remove again."""
    assert engine.host is not None
    etc = engine.host.folder / "etc"
    lines = (etc / "resolv.conf").read_text() + (etc / "hosts").read_text()
    return [line for line in lines.splitlines() if re.search(r"192\.0\.2\.(53|77)\b", line)]


def _share_ufw(folder: Path) -> None:
    """Puts ufw into a data folder: workers have no network to download it from."""
    with outside(), suppress(LabImageUnavailableError):
        package = unpacked_package(CACHE / "cache")
        (folder / "cache").mkdir(exist_ok=True)
        if not (link := folder / "cache" / package.name).is_symlink():
            link.symlink_to(package)


async def _execute(
    claims: Sequence[Claim], host: PrivateEngine, folder: Path, timings: Timings, *, mutated: bool
) -> Executed:
    """Executes claims on the suite's host; those that change the machine run on a separate host, removed at the end."""
    engine, watches = DockerEngine(host.endpoint, timeout_s=30), WatchPool()
    steps: list[tuple[str, ClaimState]] = []

    def on_progress(claim: str, step: ClaimState, _result: ExecutedClaim | None) -> None:
        steps.append((claim, step))

    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        stack.push_async_callback(watches.close)
        shared = alone = await open_engine(engine, CACHE, watches, host.host)
        # Where claims start hosts of their own, and look for ufw.
        shared.data_dir = folder
        _share_ufw(folder)
        if make_plan(claims).alone:
            alone = await start_private_engine(stack, folder, watches)
        engines = ClaimEngines(shared, shared, alone)
        runner = ClaimRunner(engines, INSTALLATION, "real", on_progress, mutated=mutated, timings=timings)
        run = await runner.execute(claims)
        left: list[object] = [*run.left]
        for used in (shared, alone):
            left += await used.engine.containers({LABEL: INSTALLATION})
            left += await used.engine.networks({LABEL: INSTALLATION})
            left += _foreign_lines(used)
    # All engines run the same dockerd with the same options.
    expected = [claim.on(shared.facts) for claim in claims]
    obstacles = {claim.id: _obstacle(shared, claim, mutated=mutated) for claim in expected}
    return Executed({result.id: result for result in run.results}, tuple(left), steps, obstacles)


def _obstacle(engine: ClaimEngine, claim: Claim, *, mutated: bool) -> str:
    """Why the engine cannot run the claim or its mutation; empty on an ordinary engine."""
    if mutated:
        lines = tuple(mutate(line, claim.mutation) for line in claim.lines)
        return engine.obstacle(claim) or engine.obstacle(replace(claim, lines=lines))
    return engine.obstacle(claim)


def selected_claims(request: pytest.FixtureRequest, fixture: str) -> list[Claim]:
    """The claims whose tests with this fixture were selected."""
    tests = [item for item in request.session.items if fixture in getattr(item, "fixturenames", ())]
    ids = {test.callspec.params["claim"].id for test in tests if hasattr(test, "callspec")}
    return [claim for claim in CLAIMS if claim.id in ids]


@pytest.fixture(scope="session")
def timings() -> Timings:
    """Measurements that original and mutated claims share."""
    return Timings()


@pytest.fixture(scope="session")
def original(request: pytest.FixtureRequest, timings: Timings) -> Executed:
    """The selected claims, executed once. The host is requested here and not by tests, each of which would then be
    checked for leftovers."""
    host, folder = (request.getfixturevalue(name) for name in ("engine_host", "session_hosts_folder"))
    return asyncio.run(_execute(selected_claims(request, "original"), host, folder, timings, mutated=False))


@pytest.fixture(scope="session")
def mutated(request: pytest.FixtureRequest, timings: Timings) -> Executed:
    """The selected claims, mutated and executed once."""
    host, folder = (request.getfixturevalue(name) for name in ("engine_host", "session_hosts_folder"))
    return asyncio.run(_execute(selected_claims(request, "mutated"), host, folder, timings, mutated=True))


def is_inconclusive(claim: Claim, found: ExecutedClaim) -> bool:
    """Whether the machine was too busy for a timing: it has a reason and no verdict."""
    return Need.MEASURE in claim.needs and "are inconclusive" in found.reason


@EVERY
def test_a_claim_holds_here(original: Executed, claim: Claim) -> None:
    found = original.results[claim.id]
    if is_inconclusive(claim, found):
        return
    if reason := original.obstacles[claim.id]:
        assert (found.verdict, found.reason) == (ClaimVerdict.NOT_TESTABLE, reason)
        return
    assert found.verdict is ClaimVerdict.HOLDS, (found.reason, found.evidence)
    assert found.evidence
    assert python_values((found.reason, *found.evidence)) == []
    assert found.engine.startswith("Docker Engine ")


@EVERY_MUTATED
def test_a_mutated_claim_differs(mutated: Executed, claim: Claim) -> None:
    found = mutated.results[claim.id]
    if is_inconclusive(claim, found):
        return
    if mutated.obstacles[claim.id]:
        # Without the mode that the mutation uses, it proves nothing.
        return
    assert found.verdict is ClaimVerdict.DIFFERS, (found.reason, found.evidence)
    assert python_values((found.reason, *found.evidence)) == []
    assert found.reason
    assert found.evidence


@pytest.mark.parametrize("run", ["original", "mutated"])
def test_nothing_is_left_over_and_the_machines_are_unchanged(request: pytest.FixtureRequest, run: str) -> None:
    executed: Executed = request.getfixturevalue(run)
    assert executed.left == ()
    ran = [result.id for result in executed.results.values() if result.seconds]
    assert set(executed.steps) >= {(claim, step) for claim in ran for step in (ClaimState.RUNNING, ClaimState.DONE)}
    assert ran


# The runner, on a fake engine.


def claim_of(observe: Callable[[Testbed], Any], needs: frozenset[Need] = frozenset(), name: str = "one") -> Claim:
    def judge(observed: Any) -> Judgement:
        return holds(f"observed: {observed}")

    return Claim(name, Topic.BRIDGE, "It is so.", "here", observe, judge, needs=needs)


@pytest.fixture
async def engine(fake: FakeEngine, tmp_path: Path) -> ClaimEngine:
    """A fake engine that has the lab image."""
    fake.add_image("netmodes-lab:1")
    return ClaimEngine(fake, fake.facts, "netmodes-lab:1", WatchPool())


async def run(engine: ClaimEngine, *asked: Claim, **more: Any) -> ClaimsRun:
    engines = more.pop("engines", ClaimEngines(engine, engine, engine))
    return await ClaimRunner(engines, INSTALLATION, "run", lambda *_progress: None, **more).execute(asked)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotTestableError("It is unavailable here."), "It is unavailable here."),
        (EngineUnreachable("Nobody answers.", 503), "Nobody answers."),
        (RuntimeError("boom"), "Netmodes itself failed (RuntimeError: boom)."),
    ],
)
async def test_a_claim_that_fails_is_not_testable_and_its_containers_are_removed(
    engine: ClaimEngine, fake: FakeEngine, error: Exception, reason: str
) -> None:
    async def observe(testbed: Testbed) -> None:
        await testbed.run("docker run -d IMAGE")
        raise error

    found = (await run(engine, claim_of(observe))).results[0]
    assert found.verdict is ClaimVerdict.NOT_TESTABLE
    assert reason in found.reason
    assert "start_container" in fake.calls
    assert fake.made == {}


async def test_without_a_private_host_claims_that_need_none_still_run(engine: ClaimEngine) -> None:
    async def observe(testbed: Testbed) -> str:
        return (await testbed.run("docker run -d IMAGE")).status

    harmless, alone = claim_of(observe), claim_of(observe, frozenset({Need.ALONE}), "two")
    quiet = claim_of(observe, frozenset({Need.MEASURE}), "three")
    engines = ClaimEngines(engine, private_problem="It needs a private host: no root.")
    found = (await run(engine, harmless, alone, quiet, engines=engines)).results
    assert [one.verdict for one in found] == [ClaimVerdict.HOLDS, *(2 * [ClaimVerdict.NOT_TESTABLE])]
    assert {one.reason for one in found[1:]} == {"It needs a private host: no root."}


async def test_claims_start_in_the_order_of_the_question(engine: ClaimEngine) -> None:
    """The first one answers it most directly; one that starts an engine of its own takes longer."""
    started: list[str] = []

    def observed(name: str, *needs: Need) -> Claim:
        async def observe(_testbed: Testbed) -> None:
            started.append(name)

        return claim_of(observe, frozenset(needs), name)

    asked = [observed("direct", Need.PRIVATE), observed("own", Need.OWN_HOST), observed("more", Need.PRIVATE)]
    await run(engine, *asked, _slots=asyncio.Semaphore(1))
    assert started == ["direct", "own", "more"]


async def test_claims_that_start_an_engine_expect_what_private_hosts_do(engine: ClaimEngine) -> None:
    """Private hosts run dockerd without the options of the user's engine, which may be Podman."""

    async def observe(_testbed: Testbed) -> None:
        """Observes nothing."""

    elsewhere = (Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),)
    own_host = replace(claim_of(observe, frozenset({Need.OWN_HOST})), otherwise=elsewhere)
    harmless = replace(claim_of(observe, name="two"), otherwise=elsewhere)
    podman = replace(engine, facts=EngineFacts(kind=EngineKind.PODMAN), lock=EngineLock())
    found = (await run(engine, own_host, harmless, engines=ClaimEngines(podman, shared=engine))).results
    assert [(one.verdict, one.condition) for one in found] == [
        (ClaimVerdict.HOLDS, ""),
        (ClaimVerdict.NOT_TESTABLE, "with Podman"),
    ]


async def test_a_missing_feature_is_reported_and_nothing_is_launched(engine: ClaimEngine, fake: FakeEngine) -> None:
    async def observe(testbed: Testbed) -> None:
        raise AssertionError

    engine.lacks = {Need.IPV6: "This machine has no IPv6."}
    found = (await run(engine, claim_of(observe, frozenset({Need.IPV6})))).results[0]
    assert (found.verdict, found.reason) == (ClaimVerdict.NOT_TESTABLE, "This machine has no IPv6.")
    assert fake.made == {}


async def test_a_cancelled_run_removes_what_it_created(engine: ClaimEngine, fake: FakeEngine) -> None:
    launched = asyncio.Event()

    async def observe(testbed: Testbed) -> None:
        await testbed.run("docker run -d IMAGE")
        await testbed.create_network("docker network create lab")
        launched.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(engine, claim_of(observe), claim_of(observe, name="two")))
    await launched.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.made == {}
    assert await fake.networks({LABEL: INSTALLATION}) == ()


async def test_containers_that_the_engine_refuses_to_remove_are_reported(engine: ClaimEngine, fake: FakeEngine) -> None:
    async def observe(testbed: Testbed) -> None:
        await testbed.run("docker run -d IMAGE")
        fake.refuse["remove_container"] = EngineUnreachable("it hangs", 503)

    found = await run(engine, claim_of(observe))
    assert found.left == ("container nm-run-one-1: it hangs",)


async def test_harmless_claims_need_no_private_host(lab_harness: LabHarness, tmp_path: Path) -> None:
    async def observe(testbed: Testbed) -> None:
        """Observes nothing."""

    async with AsyncExitStack() as stack:
        found = await open_engines(stack, lab_harness.context, [claim_of(observe)])
        assert (found.shared, found.alone, found.private_problem) == (None, None, "")
        exclusive = await open_engines(
            stack, lab_harness.context, [claim_of(observe, frozenset({Need.PRIVATE}))], exclusive_host=True
        )
        assert exclusive.shared is exclusive.own
        assert exclusive.own.machine == "192.0.2.2"


async def test_without_private_hosts_the_reason_is_kept(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> ClaimEngine:
        raise PrivateHostError("A private host needs root.")

    async def observe(testbed: Testbed) -> None:
        """Observes nothing."""

    fake.add_image("netmodes-lab:1")
    monkeypatch.setattr(claims, "start_private_engine", refuse)
    needs = [claim_of(observe, frozenset({need})) for need in (Need.ALONE, Need.PORT_80)]
    async with AsyncExitStack() as stack:
        found = await open_engines(stack, fake_lab.context, needs)
    assert (found.shared, found.alone) == (None, None)
    assert found.private_problem == "It needs a private host: A private host needs root."
