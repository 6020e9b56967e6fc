"""Every claim on a real engine, original and mutated; nothing is left over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds
from dashboard.core.claims.run import ClaimsRun, ClaimState, ExecutedClaim
from dashboard.core.claims.testbed import NotTestableError, Testbed
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.claims import executor as claims
from dashboard.lab.claims.engines import ClaimEngine, open_engine, start_private_engine
from dashboard.lab.claims.executor import ClaimEngines, ClaimRunner, open_engines
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.context import LABEL
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.private_engine import CACHE, PrivateEngine

pytestmark = pytest.mark.engine
INSTALLATION = "claims-test"
EVERY = pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: claim.id)


@dataclass(frozen=True, slots=True)
class Both:
    """The results of both runs, by claim; ``left`` is what the engines still had afterwards."""

    original: dict[str, ExecutedClaim]
    mutated: dict[str, ExecutedClaim]
    left: tuple[object, ...]
    steps: list[tuple[str, ClaimState]]


def _measures(claim: Claim) -> bool:
    return Need.MEASURE in claim.needs


def _foreign_lines(engine: ClaimEngine) -> list[str]:
    """Lines that claims write into the files of a machine and remove again."""
    assert engine.host is not None
    lines = (engine.host.resolv_conf.read_text() + engine.host.hosts_file.read_text()).splitlines()
    return [line for line in lines if re.search(r"192\.0\.2\.(53|77)\b", line)]


async def _run_both(host: PrivateEngine, folder: Path) -> Both:
    """Concurrently, each on its own host, with a third one for claims that change the machine; then timings alone."""
    engine, watches = DockerEngine(host.endpoint, timeout_s=30), WatchPool()
    steps: list[tuple[str, ClaimState]] = []
    found: dict[bool, dict[str, ExecutedClaim]] = {False: {}, True: {}}
    timings = Timings()

    def on_progress(claim: str, step: ClaimState, _result: ExecutedClaim | None) -> None:
        steps.append((claim, step))

    async def run(runner: ClaimRunner, claims: Sequence[Claim]) -> None:
        ran = await runner.execute(claims)
        assert ran.left == ()
        found[runner.mutated] |= {one.id: one for one in ran.results}

    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        stack.push_async_callback(watches.close)
        one = await open_engine(engine, CACHE, watches, host.host)
        two, alone = await asyncio.gather(*(start_private_engine(stack, folder, watches) for _ in range(2)))
        runners = [
            ClaimRunner(
                ClaimEngines(engine, engine, alone), INSTALLATION, "both", on_progress, mutated=mutated, timings=timings
            )
            for engine, mutated in ((one, False), (two, True))
        ]
        others = [claim for claim in all_claims() if not _measures(claim)]
        await asyncio.gather(*(run(runner, others) for runner in runners))
        for runner in runners:
            await run(runner, [claim for claim in all_claims() if _measures(claim)])
        left: list[object] = []
        for engine in (one, two, alone):
            left += await engine.engine.containers({LABEL: INSTALLATION})
            left += await engine.engine.networks({LABEL: INSTALLATION})
            left += _foreign_lines(engine)
    return Both(found[False], found[True], tuple(left), steps)


@pytest.fixture(scope="session")
def both(request: pytest.FixtureRequest) -> Both:
    """Both runs, once for all tests. Requests the host here: leftovers are not checked after every test."""
    folders = (request.getfixturevalue(name) for name in ("engine_host", "class_folder"))
    return asyncio.run(_run_both(*folders))


def is_inconclusive(claim: Claim, found: ExecutedClaim) -> bool:
    """Whether the machine was too busy for a timing: it has a reason and no verdict."""
    return Need.MEASURE in claim.needs and "are inconclusive" in found.reason


@EVERY
def test_a_claim_holds_here(both: Both, claim: Claim) -> None:
    found = both.original[claim.id]
    if is_inconclusive(claim, found):
        return
    assert found.verdict is ClaimVerdict.HOLDS, (found.reason, found.evidence)
    assert found.evidence
    assert found.engine.startswith("Docker Engine ")


@EVERY
def test_a_mutated_claim_differs(both: Both, claim: Claim) -> None:
    found = both.mutated[claim.id]
    if is_inconclusive(claim, found):
        return
    assert found.verdict is ClaimVerdict.DIFFERS, (found.reason, found.evidence)
    assert found.reason
    assert found.evidence


def test_nothing_is_left_over_and_the_machines_are_unchanged(both: Both) -> None:
    assert both.left == ()
    assert set(both.steps) >= {
        (claim.id, step) for claim in all_claims() for step in (ClaimState.RUNNING, ClaimState.DONE)
    }


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
    return await ClaimRunner(engines, INSTALLATION, "run", lambda *_told: None, **more).execute(asked)


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


async def test_without_a_private_host_the_others_still_run(engine: ClaimEngine) -> None:
    async def observe(testbed: Testbed) -> str:
        return (await testbed.run("docker run -d IMAGE")).status

    harmless, alone = claim_of(observe), claim_of(observe, frozenset({Need.ALONE}), "two")
    quiet = claim_of(observe, frozenset({Need.MEASURE}), "three")
    engines = ClaimEngines(engine, private_problem="It needs a private host: no root.")
    found = (await run(engine, harmless, alone, quiet, engines=engines)).results
    assert [one.verdict for one in found] == [ClaimVerdict.HOLDS, *(2 * [ClaimVerdict.NOT_TESTABLE])]
    assert {one.reason for one in found[1:]} == {"It needs a private host: no root."}


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


async def test_what_the_engine_refuses_to_remove_is_reported(engine: ClaimEngine, fake: FakeEngine) -> None:
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
