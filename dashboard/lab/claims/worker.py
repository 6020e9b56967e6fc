"""Runs of claims that are wanted: driven one at a time, each step written down, ended when somebody asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Claim
from dashboard.core.claims.run import ClaimsRun, Executed, Step
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import EngineError
from dashboard.lab.claims.executor import Runner, Tell, open_grounds
from dashboard.lab.context import Context
from dashboard.store import claim_runs
from dashboard.store.claim_runs import Asked
from dashboard.store.telemetry import counted

log = logging.getLogger(__name__)
LOOK_S = 0.3


class _Notes:
    """Writes steps in their order, without keeping the claims waiting."""

    def __init__(self, context: Context, run: str, tell: Tell | None) -> None:
        self._context = context
        self._run = run
        self._tell = tell
        self._queue: asyncio.Queue[tuple[str, Step, Executed | None] | None] = asyncio.Queue()

    def tell(self, claim: str, step: Step, found: Executed | None) -> None:
        """A step of a claim."""
        self._queue.put_nowait((claim, step, found))
        if found is not None:
            counted.claims[str(found.verdict)] += 1
        if self._tell is not None:
            self._tell(claim, step, found)

    async def write(self) -> None:
        """Until ``end``."""
        while (item := await self._queue.get()) is not None:
            await self._context.database.run(claim_runs.note, self._run, *item)

    def end(self) -> None:
        """No more steps."""
        self._queue.put_nowait(None)


async def execute_run(
    context: Context,
    run: str,
    claims: Sequence[Claim],
    *,
    tell: Tell | None = None,
    say: Callable[[str], None] = lambda _text: None,
    mine: bool = False,
) -> ClaimsRun | None:
    """Executes a run that is written down, and writes down what becomes of it; None if it was cancelled.

    ``mine``: the engine is a private host that nobody else uses. EngineError where it fails; the run says so then.
    """
    database = context.database
    await database.run(claim_runs.begin, run)
    began = time.monotonic()
    notes = _Notes(context, run, tell)
    writing = asyncio.create_task(notes.write())
    state, problem, engines = claim_runs.CANCELLED, "", tuple[str, ...]()
    try:
        work = asyncio.create_task(_executed(context, run, claims, notes.tell, say, mine=mine))
        found = await _until_done(context, run, work)
        if found is not None:
            state, engines = claim_runs.FINISHED, found.engines
    except Exception as error:
        state, problem = claim_runs.FAILED, str(error) or type(error).__name__
        raise
    finally:
        notes.end()
        await writing
        await database.run(claim_runs.finish, run, state, time.monotonic() - began, engines, problem)
    return found


async def _executed(
    context: Context, run: str, claims: Sequence[Claim], tell: Tell, say: Callable[[str], None], *, mine: bool
) -> ClaimsRun:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        await private_host.adopt(context.data_dir)
        grounds = await open_grounds(stack, context, claims, say, mine=mine)
        found = await Runner(grounds, context.installation, run, tell).execute(claims)
        return ClaimsRun(found.results, round(time.monotonic() - began, 3), found.engines)


async def _until_done(context: Context, run: str, work: asyncio.Task[ClaimsRun]) -> ClaimsRun | None:
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=LOOK_S)
            if not work.done() and await context.database.run(claim_runs.is_cancelled, run):
                await _end(work)
                return None
        return work.result()
    except asyncio.CancelledError:
        await _end(work)
        raise


async def _end(work: asyncio.Task[ClaimsRun]) -> None:
    """Cancels and waits until everything that was made is removed."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled() and (error := work.exception()) is not None:
        log.warning("a cancelled run of claims ended with %s", error)


class Claimer:
    """One run at a time: two would take each other's cores. ``turn`` is shared with the labs of other hosts."""

    def __init__(self, context: Context, wake: Callable[[], None], turn: asyncio.Lock | None = None) -> None:
        self._turn = turn or asyncio.Lock()
        self._context = context
        self._wake = wake
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Begins the oldest run that waits."""
        database = self._context.database
        await database.run(claim_runs.mark_incomplete)
        if self._task is not None and not self._task.done():
            return
        for asked in await database.run(claim_runs.load_waiting, self._context.host):
            if await database.run(claim_runs.is_cancelled, asked.id):
                await database.run(claim_runs.finish, asked.id, claim_runs.CANCELLED, 0.0)
                continue
            self._task = asyncio.get_running_loop().create_task(self._drive(asked), name=f"claims-{asked.id}")
            return

    async def _drive(self, asked: Asked) -> None:
        try:
            async with self._turn:
                await execute_run(self._context, asked.id, claims_named(asked))
        except EngineError as error:
            log.warning("claims %s could not be executed: %s", asked.id, error)
        except Exception:
            log.exception("claims %s failed", asked.id)
        finally:
            asyncio.get_running_loop().call_soon(self._wake)

    async def close(self) -> None:
        """Ends a run that is under way; what it made is removed, and it is marked as cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


def claims_named(asked: Asked) -> tuple[Claim, ...]:
    """The claims of a run; one that does not exist any more is left out."""
    known = {claim.id: claim for claim in all_claims()}
    return tuple(known[one] for one in asked.claims if one in known)
