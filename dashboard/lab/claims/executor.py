"""Executes claims: harmless ones on the reader's own engine, the others on private hosts that live for the run only.

Side by side where they cannot disturb one another, timings alone at the end. Whatever happens, nothing stays behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from dashboard.core.claims.model import Claim, Judgement, NotTestableError, not_testable
from dashboard.core.claims.run import ClaimsRun, Executed, Step, executed, make_plan, ports_of
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.claims.engines import UNAVAILABLE, Ground, open_ground, start_ground
from dashboard.lab.claims.testbed import open_stage
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.context import LABEL, LABEL_ARM, LABEL_EXPERIMENT, Context
from dashboard.netns.namespace import NamespaceGone
from dashboard.store.claim_runs import results

__all__ = ["Grounds", "Runner", "Tell", "open_grounds", "results"]

log = logging.getLogger(__name__)
AT_ONCE = 3
LIMIT_S = 30.0
MEASURE_LIMIT_S = 60.0

Tell = Callable[[str, Step, Executed | None], None]


@dataclass(slots=True)
class Grounds:
    """Where claims run. ``own`` takes harmless ones; ``shared`` many at once, ``alone`` those that change the machine;
    both are None with ``why_not`` where no private host can be had. They may be one and the same ground."""

    own: Ground
    shared: Ground | None = None
    alone: Ground | None = None
    why_not: str = ""


@dataclass(slots=True)
class Runner:
    """One run. ``tell`` hears of every step; ``counters`` turns claims round, to prove that they can fail."""

    grounds: Grounds
    installation: str
    run_id: str
    tell: Tell
    turned: bool = False
    timings: Timings = field(default_factory=Timings)
    results: dict[str, Executed] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def execute(self, claims: Sequence[Claim]) -> ClaimsRun:
        """All of them; if cancelled, what runs is cleared and the rest never begins."""
        began = time.monotonic()
        plan = make_plan(claims)
        async with asyncio.TaskGroup() as group:
            for claim in plan.harmless:
                group.create_task(self._beside(claim, self.grounds.own))
            for claim in plan.shared:
                group.create_task(self._beside(claim, self.grounds.shared))
            for claim in plan.alone:
                group.create_task(self._alone(claim, self.grounds.alone))
        for claim in plan.quiet:
            await self._alone(claim, self.grounds.shared)
        found = tuple(self.results[claim.id] for claim in claims)
        engines = tuple(dict.fromkeys(one.engine for one in found if one.engine))
        return ClaimsRun(found, round(time.monotonic() - began, 3), engines)

    async def _beside(self, claim: Claim, ground: Ground | None) -> None:
        if ground is None:
            self._done(claim, not_testable(self.grounds.why_not))
            return
        async with ground.turns.among_others(ports_of(claim)), self._slots:
            await self._run(claim, ground)

    async def _alone(self, claim: Claim, ground: Ground | None) -> None:
        if ground is None:
            self._done(claim, not_testable(self.grounds.why_not))
            return
        async with ground.turns.alone(), self._slots:
            await self._run(claim, ground)

    def _done(self, claim: Claim, judgement: Judgement, **more: object) -> None:
        found = executed(claim, judgement, **more)  # type: ignore[arg-type]
        self.results[claim.id] = found
        self.tell(claim.id, Step.DONE, found)

    async def _run(self, claim: Claim, ground: Ground) -> None:
        missing = next((ground.lacks[need] for need in sorted(claim.needs) if need in ground.lacks), "")
        if missing:
            self._done(claim, not_testable(missing), engine=ground.title)
            return
        self.tell(claim.id, Step.RUNNING, None)
        labels = {LABEL: self.installation, LABEL_EXPERIMENT: self.run_id, LABEL_ARM: claim.id}
        prefix = f"nm-{self.run_id[:6]}-{claim.id}{'-turned' if self.turned else ''}"
        left: list[str] = []
        began = time.monotonic()
        counter: Mapping[str, str] = claim.counter if self.turned else {}
        judgement = await self._judged(claim, ground, labels, prefix, counter, left)
        self._done(claim, judgement, engine=ground.title, seconds=time.monotonic() - began, left=left)

    async def _judged(
        self,
        claim: Claim,
        ground: Ground,
        labels: Mapping[str, str],
        prefix: str,
        counter: Mapping[str, str],
        left: list[str],
    ) -> Judgement:
        limit = MEASURE_LIMIT_S if claim in make_plan([claim]).quiet else LIMIT_S
        try:
            async with (
                asyncio.timeout(limit),
                open_stage(ground, labels, prefix, counter=counter, timings=self.timings, left=left) as stage,
            ):
                seen = await claim.observe(stage)
            return claim.judge(seen)
        except NotTestableError as error:
            return not_testable(str(error))
        except (EngineUnreachable, EngineError) as error:
            return not_testable(f"The engine did not do its part: {error}")
        except (NamespaceGone, PermissionError) as error:
            return not_testable(f"The machine could not be read: {error}.")
        except TimeoutError:
            return not_testable(f"It was not done within {limit:g} s.")
        except Exception as error:
            log.exception("claim %s failed", claim.id)
            return not_testable(f"Netmodes itself failed at it ({type(error).__name__}: {error}).")


async def open_grounds(
    stack: AsyncExitStack,
    context: Context,
    claims: Sequence[Claim],
    say: Callable[[str], None] = lambda _text: None,
    *,
    mine: bool = False,
) -> Grounds:
    """The reader's engine, and private hosts where claims need them: one that they share, one that is changed.

    They live until ``stack`` closes. With ``mine`` the engine is a private host that nobody else uses, and is shared.
    """
    plan = make_plan(claims)
    host = next(
        (one for one in private_host.list_hosts(context.data_dir) if one.endpoint == context.info.endpoint), None
    )
    number = int(bool(plan.alone)) + int(bool(plan.shared or plan.quiet) and not mine)
    if number:
        say("Starting private hosts for claims that need ports or files of a machine to themselves.")
    found = await asyncio.gather(
        open_ground(context.engine, context.data_dir, context.watches, host),
        *(start_ground(stack, context.data_dir, context.watches) for _ in range(number)),
        return_exceptions=True,
    )
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, UNAVAILABLE):
            raise one
    own, *others = found
    if isinstance(own, BaseException):
        raise own
    grounds = Grounds(own, own if mine else None)
    for one in others:
        if isinstance(one, BaseException):
            grounds.why_not = f"It needs a private host: {one}"
        elif plan.alone and grounds.alone is None:
            grounds.alone = one
        else:
            grounds.shared = one
    return grounds
