"""Executes claims: harmless ones on the user's own engine, all others on private hosts that exist only during the run.

Claims that do not disturb each other run concurrently. Claims about latency run last, one at a time. Everything that a
claim creates is removed, even after an error.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from dashboard.core.claims.model import Claim, Judgement, Need, not_testable
from dashboard.core.claims.run import MAX_CONCURRENT, ClaimsRun, ClaimState, ExecutedClaim, exclusive_ports, make_plan
from dashboard.core.claims.testbed import NotTestableError
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import EngineError
from dashboard.lab.claims.engines import (
    NO_PRIVATE_ENGINE,
    ClaimEngine,
    open_engine,
    private_engine_version,
    start_private_engine,
)
from dashboard.lab.claims.testbed import open_testbed
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.context import LABEL, LABEL_ARM, LABEL_EXPERIMENT, Context
from dashboard.netns.namespace import NamespaceGone

log = logging.getLogger(__name__)
TIMEOUT_S = 30.0
MEASURE_TIMEOUT_S = 60.0

OnProgress = Callable[[str, ClaimState, ExecutedClaim | None], None]


@dataclass(slots=True)
class ClaimEngines:
    """The engines on which claims run.

    ``own`` is the user's engine, for harmless claims. ``shared`` is for claims that can run at the same time; it may be
    the same engine as ``own``. ``alone`` is for claims that change the machine. ``shared`` and ``alone`` are None if no
    claim needs them. If no private host can be started, they are None, too, and ``private_problem`` is the reason.
    """

    own: ClaimEngine
    shared: ClaimEngine | None = None
    alone: ClaimEngine | None = None
    private_problem: str = ""


@dataclass(slots=True)
class ClaimRunner:
    """Executes one run of claims. ``on_progress`` is called at each change of a claim's state. If ``mutated`` is true,
    each claim is executed with its mutation: a change of its commands with which the verdict must be ``differs``."""

    engines: ClaimEngines
    installation: str
    run_id: str
    on_progress: OnProgress
    mutated: bool = False
    timings: Timings = field(default_factory=Timings)
    results: dict[str, ExecutedClaim] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT))

    async def execute(self, claims: Sequence[Claim]) -> ClaimsRun:
        """Executes the claims and returns their results in the given order. If cancelled, removes everything that
        running claims have created, and starts no further claims."""
        started = time.monotonic()
        plan = make_plan(claims)
        targets: dict[str, tuple[ClaimEngine | None, bool]] = {}
        targets |= {claim.id: (self.engines.own, False) for claim in plan.harmless}
        targets |= {claim.id: (self.engines.shared, False) for claim in plan.shared}
        targets |= {claim.id: (self.engines.alone, True) for claim in plan.alone}
        async with asyncio.TaskGroup() as group:
            # Started in the given order, because the first claim of a question answers it most directly.
            for claim in claims:
                if claim.id in targets:
                    target, exclusive = targets[claim.id]
                    group.create_task(self._execute(claim, target, exclusive=exclusive))
        for claim in plan.quiet:
            await self._execute(claim, self.engines.shared, exclusive=True)
        results = tuple(self.results[claim.id] for claim in claims)
        titles = tuple(dict.fromkeys(result.engine for result in results if result.engine))
        return ClaimsRun(results, round(time.monotonic() - started, 3), titles)

    async def _execute(self, claim: Claim, target: ClaimEngine | None, *, exclusive: bool = False) -> None:
        if target is None:
            self._finish(ExecutedClaim.from_judgement(claim, not_testable(self.engines.private_problem)))
            return
        lock = target.lock.exclusive() if exclusive else target.lock.shared(exclusive_ports(claim))
        async with lock, self._slots:
            claim = claim.on(target.facts)
            if obstacle := target.obstacle(claim):
                self._finish(ExecutedClaim.from_judgement(claim, not_testable(obstacle), engine=target.title))
                return
            self.on_progress(claim.id, ClaimState.RUNNING, None)
            left: list[str] = []
            titles = [target.title]
            started = time.monotonic()
            judgement = await self._judge(claim, target, left, titles)
            seconds = time.monotonic() - started
            self._finish(ExecutedClaim.from_judgement(claim, judgement, engine=titles[-1], seconds=seconds, left=left))

    def _finish(self, result: ExecutedClaim) -> None:
        self.results[result.id] = result
        self.on_progress(result.id, ClaimState.DONE, result)

    async def _judge(self, claim: Claim, target: ClaimEngine, left: list[str], titles: list[str]) -> Judgement:
        """Executes the claim on an engine and judges what it has observed. Errors become the verdict "not testable".
        Adds to ``left`` what could not be removed. Adds the titles of the engines that the claim has started to
        ``titles``."""
        timeout_s = MEASURE_TIMEOUT_S if Need.MEASURE in claim.needs else TIMEOUT_S
        labels = {LABEL: self.installation, LABEL_EXPERIMENT: self.run_id, LABEL_ARM: claim.id}
        prefix = f"nm-{self.run_id[:6]}-{claim.id}{'-mutated' if self.mutated else ''}"
        mutation = claim.mutation if self.mutated else {}
        try:
            async with (
                asyncio.timeout(timeout_s),
                open_testbed(target, labels, prefix, mutation=mutation, timings=self.timings, left=left) as testbed,
            ):
                observed = await claim.observe(testbed)
                titles.extend(testbed.started_engines)
            return claim.judge(observed)
        except NotTestableError as error:
            return not_testable(str(error))
        except EngineError as error:
            return not_testable(f"The engine failed: {error}")
        except (NamespaceGone, PermissionError) as error:
            return not_testable(f"The machine could not be read: {error}.")
        except TimeoutError:
            return not_testable(f"It did not finish within {timeout_s:g} s.")
        except Exception as error:
            log.exception("claim %s failed", claim.id)
            return not_testable(f"Netmodes itself failed ({type(error).__name__}: {error}).")


async def open_engines(
    stack: AsyncExitStack,
    context: Context,
    claims: Sequence[Claim],
    say: Callable[[str], None] = lambda _text: None,
    *,
    exclusive_host: bool = False,
) -> ClaimEngines:
    """Prepares the engines for these claims: the user's engine and, if claims need them, up to two private hosts.

    One host is for claims that can run at the same time, the other for claims that change the machine. The hosts are
    removed when ``stack`` is closed. ``say`` is called with messages for the user. If a host cannot be started,
    ``ClaimEngines.private_problem`` is the reason.

    If ``exclusive_host`` is true, the user's engine runs on a private host without other users. It then also runs the
    claims that can run at the same time, so no other host is started for these claims.
    """
    plan = make_plan(claims)
    hosts = private_host.list_hosts(context.data_dir)
    host = next((host for host in hosts if host.endpoint == context.info.endpoint), None)
    number = int(bool(plan.alone)) + int(bool(plan.shared or plan.quiet) and not exclusive_host)
    if number:
        version = await asyncio.to_thread(private_engine_version)
        say(
            "Starting private hosts for claims that need exclusive use of a machine's ports or files, or options of "
            f"dockerd. The hosts run dockerd{f' {version}' if version else ''}; this engine has version "
            f"{context.info.version}."
        )
    own, *others = await asyncio.gather(
        open_engine(context.engine, context.data_dir, context.watches, host),
        *(start_private_engine(stack, context.data_dir, context.watches) for _ in range(number)),
        return_exceptions=True,
    )
    for result in others:
        if isinstance(result, BaseException) and not isinstance(result, NO_PRIVATE_ENGINE):
            raise result
    if isinstance(own, BaseException):
        raise own
    engines = ClaimEngines(own, own if exclusive_host else None)
    for result in others:
        if isinstance(result, BaseException):
            engines.private_problem = f"It needs a private host: {result}"
        elif plan.alone and engines.alone is None:
            engines.alone = result
        else:
            engines.shared = result
    return engines
