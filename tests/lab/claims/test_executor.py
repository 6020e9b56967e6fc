"""Every claim on a real engine, once as it is and once turned round; nothing stays behind."""

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
from dashboard.core.claims.model import Claim, Judgement, Need, NotTestableError, Stage, Topic, holds
from dashboard.core.claims.run import ClaimsRun, Executed, Step
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.claims import executor as claims
from dashboard.lab.claims.engines import Ground, open_ground, start_ground
from dashboard.lab.claims.executor import Grounds, Runner, open_grounds
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.context import LABEL
from dashboard.lab.watch_pool import WatchPool
from tests.fakes import FakeEngine
from tests.lab_harness import LabHarness
from tests.private_engine import CACHE, PrivateEngine

pytestmark = pytest.mark.engine
INSTALLATION = "claims-test"
EVERY = pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: claim.id)


@dataclass(frozen=True, slots=True)
class Both:
    """What both runs found, by claim; ``left`` is what the engine still had afterwards."""

    straight: dict[str, Executed]
    turned: dict[str, Executed]
    left: tuple[object, ...]
    steps: list[tuple[str, Step]]


def _measures(claim: Claim) -> bool:
    return Need.MEASURE in claim.needs


def _foreign_lines(ground: Ground) -> list[str]:
    """Lines that claims write into the files of a machine, and put back."""
    assert ground.host is not None
    lines = (ground.host.resolv_conf.read_text() + ground.host.hosts_file.read_text()).splitlines()
    return [line for line in lines if re.search(r"192\.0\.2\.(53|77)\b", line)]


async def _run_both(host: PrivateEngine, folder: Path) -> Both:
    """Side by side on a host each, with a third one for what changes its machine; then what is measured, alone."""
    engine, watches = DockerEngine(host.endpoint, timeout_s=30), WatchPool()
    steps: list[tuple[str, Step]] = []
    found: dict[bool, dict[str, Executed]] = {False: {}, True: {}}
    timings = Timings()

    def tell(claim: str, step: Step, _found: Executed | None) -> None:
        steps.append((claim, step))

    async def run(runner: Runner, claims: Sequence[Claim]) -> None:
        ran = await runner.execute(claims)
        assert ran.left == ()
        found[runner.turned] |= {one.id: one for one in ran.results}

    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        stack.push_async_callback(watches.close)
        one = await open_ground(engine, CACHE, watches, host.host)
        two, alone = await asyncio.gather(*(start_ground(stack, folder, watches) for _ in range(2)))
        runners = [
            Runner(Grounds(ground, ground, alone), INSTALLATION, "both", tell, turned=turned, timings=timings)
            for ground, turned in ((one, False), (two, True))
        ]
        others = [claim for claim in all_claims() if not _measures(claim)]
        await asyncio.gather(*(run(runner, others) for runner in runners))
        for runner in runners:
            await run(runner, [claim for claim in all_claims() if _measures(claim)])
        left: list[object] = []
        for ground in (one, two, alone):
            left += await ground.engine.containers({LABEL: INSTALLATION})
            left += await ground.engine.networks({LABEL: INSTALLATION})
            left += _foreign_lines(ground)
    return Both(found[False], found[True], tuple(left), steps)


@pytest.fixture(scope="session")
def both(request: pytest.FixtureRequest) -> Both:
    """Both runs, once for all tests. The host is asked for here, so that it is not searched after every test."""
    folders = (request.getfixturevalue(name) for name in ("engine_host", "class_folder"))
    return asyncio.run(_run_both(*folders))


def undecided(claim: Claim, found: Executed) -> bool:
    """A machine that is too busy for a timing: said, and no verdict."""
    return Need.MEASURE in claim.needs and "do not decide" in found.reason


@EVERY
def test_a_claim_holds_here(both: Both, claim: Claim) -> None:
    found = both.straight[claim.id]
    if undecided(claim, found):
        return
    assert found.verdict is ClaimVerdict.HOLDS, (found.reason, found.evidence)
    assert found.evidence
    assert found.engine.startswith("Docker Engine ")


@EVERY
def test_a_claim_turned_round_differs(both: Both, claim: Claim) -> None:
    found = both.turned[claim.id]
    if undecided(claim, found):
        return
    assert found.verdict is ClaimVerdict.DIFFERS, (found.reason, found.evidence)
    assert found.reason
    assert found.evidence


def test_nothing_is_left_over_and_the_machines_are_as_they_were(both: Both) -> None:
    assert both.left == ()
    assert set(both.steps) >= {(claim.id, step) for claim in all_claims() for step in (Step.RUNNING, Step.DONE)}


# The runner, on an engine in memory.


def claim_of(observe: Callable[[Stage], Any], needs: frozenset[Need] = frozenset(), name: str = "one") -> Claim:
    def judge(seen: Any) -> Judgement:
        return holds(f"seen: {seen}")

    return Claim(name, Topic.BRIDGE, "It is so.", "here", observe, judge, needs=needs)


@pytest.fixture
async def ground(fake: FakeEngine, tmp_path: Path) -> Ground:
    """An engine in memory that has the lab image."""
    fake.add_image("netmodes-lab:1")
    return Ground(fake, fake.facts, "netmodes-lab:1", WatchPool())


async def run(ground: Ground, *asked: Claim, **more: Any) -> ClaimsRun:
    grounds = more.pop("grounds", Grounds(ground, ground, ground))
    return await Runner(grounds, INSTALLATION, "run", lambda *_told: None, **more).execute(asked)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotTestableError("It cannot be had here."), "It cannot be had here."),
        (EngineUnreachable("Nobody answers.", 503), "Nobody answers."),
        (RuntimeError("boom"), "Netmodes itself failed at it (RuntimeError: boom)."),
    ],
)
async def test_a_claim_that_fails_is_not_testable_and_what_it_made_is_removed(
    ground: Ground, fake: FakeEngine, error: Exception, reason: str
) -> None:
    async def observe(stage: Stage) -> None:
        await stage.run("docker run -d IMAGE")
        raise error

    found = (await run(ground, claim_of(observe))).results[0]
    assert found.verdict is ClaimVerdict.NOT_TESTABLE
    assert reason in found.reason
    assert "start_container" in fake.calls
    assert fake.made == {}


async def test_without_a_private_host_the_others_still_run(ground: Ground) -> None:
    async def observe(stage: Stage) -> str:
        return (await stage.run("docker run -d IMAGE")).status

    harmless, alone = claim_of(observe), claim_of(observe, frozenset({Need.ALONE}), "two")
    quiet = claim_of(observe, frozenset({Need.MEASURE}), "three")
    grounds = Grounds(ground, why_not="It needs a private host: no root.")
    found = (await run(ground, harmless, alone, quiet, grounds=grounds)).results
    assert [one.verdict for one in found] == [ClaimVerdict.HOLDS, *(2 * [ClaimVerdict.NOT_TESTABLE])]
    assert {one.reason for one in found[1:]} == {"It needs a private host: no root."}


async def test_what_the_machine_lacks_is_said_and_nothing_is_launched(ground: Ground, fake: FakeEngine) -> None:
    async def observe(stage: Stage) -> None:
        raise AssertionError

    ground.lacks = {Need.IPV6: "This machine has no IPv6."}
    found = (await run(ground, claim_of(observe, frozenset({Need.IPV6})))).results[0]
    assert (found.verdict, found.reason) == (ClaimVerdict.NOT_TESTABLE, "This machine has no IPv6.")
    assert fake.made == {}


async def test_a_run_that_is_cancelled_clears_what_it_made(ground: Ground, fake: FakeEngine) -> None:
    launched = asyncio.Event()

    async def observe(stage: Stage) -> None:
        await stage.run("docker run -d IMAGE")
        await stage.network("docker network create lab")
        launched.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(ground, claim_of(observe), claim_of(observe, name="two")))
    await launched.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.made == {}
    assert await fake.networks({LABEL: INSTALLATION}) == ()


async def test_what_the_engine_refuses_to_remove_is_told(ground: Ground, fake: FakeEngine) -> None:
    async def observe(stage: Stage) -> None:
        await stage.run("docker run -d IMAGE")
        fake.refuse["remove_container"] = EngineUnreachable("it hangs", 503)

    found = await run(ground, claim_of(observe))
    assert found.left == ("container nm-run-one-1: it hangs",)


async def test_harmless_claims_need_no_private_host(lab_harness: LabHarness, tmp_path: Path) -> None:
    async def observe(stage: Stage) -> None:
        """Nothing to see."""

    async with AsyncExitStack() as stack:
        found = await open_grounds(stack, lab_harness.context, [claim_of(observe)])
        assert (found.shared, found.alone, found.why_not) == (None, None, "")
        mine = await open_grounds(stack, lab_harness.context, [claim_of(observe, frozenset({Need.PRIVATE}))], mine=True)
        assert mine.shared is mine.own
        assert mine.own.machine == "192.0.2.2"


async def test_where_no_private_host_can_be_had_the_reason_is_kept(
    quick: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Ground:
        raise PrivateHostError("A private host needs root.")

    async def observe(stage: Stage) -> None:
        """Nothing to see."""

    fake.add_image("netmodes-lab:1")
    monkeypatch.setattr(claims, "start_ground", refuse)
    needs = [claim_of(observe, frozenset({need})) for need in (Need.ALONE, Need.PORT_80)]
    async with AsyncExitStack() as stack:
        found = await open_grounds(stack, quick.context, needs)
    assert (found.shared, found.alone) == (None, None)
    assert found.why_not == "It needs a private host: A private host needs root."
