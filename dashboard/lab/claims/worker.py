"""Executes queued runs of claims, one at a time. Records every change of a claim's state, and cancels runs on
request."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Claim
from dashboard.core.claims.run import ClaimsRun, ClaimState, ExecutedClaim
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import EngineError
from dashboard.lab.claims.executor import ClaimRunner, OnProgress, open_engines
from dashboard.lab.context import Context
from dashboard.store import claim_runs
from dashboard.store.claim_runs import QueuedRun
from dashboard.store.database import LAST_WRITES_S
from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)
CANCEL_POLL_S = 0.3


class _ProgressWriter:
    """Writes the states of claims, and the end of the run, to the database, in order. The states are written in a
    separate task, so that claims do not wait for the database. Create the writer in the task that executes the run."""

    def __init__(self, context: Context, run: str, on_progress: OnProgress | None) -> None:
        self._context = context
        self._run = run
        self._on_progress = on_progress
        self._queue: asyncio.Queue[tuple[str, ClaimState, ExecutedClaim | None] | None] = asyncio.Queue()
        self._runner = asyncio.current_task()
        self._deadline = math.inf

    def record(self, claim: str, state: ClaimState, result: ExecutedClaim | None) -> None:
        """Queues the new state of a claim for writing."""
        self._queue.put_nowait((claim, state, result))
        if result is not None:
            telemetry.claims[str(result.verdict)] += 1
        if self._on_progress is not None:
            self._on_progress(claim, state, result)

    async def write(self) -> None:
        """Writes queued states until ``end`` is called."""
        while (item := await self._queue.get()) is not None:
            await self.store(claim_runs.record_state, self._run, *item)

    async def store[**P](self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Calls a function of the store, and repeats the call while the database does not answer. Raises
        one of ``DATABASE_UNAVAILABLE`` ``LAST_WRITES_S`` after ``end``, or if the run's task is cancelled."""
        await self._context.database.retry(lambda: self._deadline, self._runner, function, *args, **kwargs)

    def end(self) -> None:
        """Makes ``write`` return after it has written the states that are already queued."""
        self._deadline = time.monotonic() + LAST_WRITES_S
        self._queue.put_nowait(None)


async def execute_run(
    context: Context,
    run: str,
    claims: Sequence[Claim],
    *,
    on_progress: OnProgress | None = None,
    say: Callable[[str], None] = lambda _text: None,
    exclusive_host: bool = False,
) -> ClaimsRun | None:
    """Executes the claims of the recorded run ``run`` and stores their results.

    Returns the results, or None if the run was cancelled. An error that ends the run, such as EngineError, is stored in
    the run and then raised. If ``exclusive_host`` is true, the engine runs on a private host without other users.
    ``on_progress`` is called at each change of a claim's state. ``say`` is called with messages for the user.
    """
    database = context.database
    await database.run(claim_runs.mark_running, run)
    started = time.monotonic()
    progress = _ProgressWriter(context, run, on_progress)
    writing = asyncio.create_task(progress.write())
    state, problem, engines = claim_runs.CANCELLED, "", tuple[str, ...]()
    try:
        work = asyncio.create_task(_execute(context, run, claims, progress.record, say, exclusive_host=exclusive_host))
        try:
            finished = await _finish_or_cancel(context, run, work)
        finally:
            progress.end()
            await writing
        if finished is not None:
            state, engines = claim_runs.FINISHED, finished.engines
    except Exception as error:
        state, problem = claim_runs.FAILED, str(error) or type(error).__name__
        raise
    finally:
        await progress.store(claim_runs.finish, run, state, time.monotonic() - started, engines, problem)
    return finished


async def _execute(
    context: Context,
    run: str,
    claims: Sequence[Claim],
    on_progress: OnProgress,
    say: Callable[[str], None],
    *,
    exclusive_host: bool,
) -> ClaimsRun:
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        await private_host.adopt(context.data_dir)
        engines = await open_engines(stack, context, claims, say, exclusive_host=exclusive_host)
        finished = await ClaimRunner(engines, context.installation, run, on_progress).execute(claims)
        return ClaimsRun(finished.results, round(time.monotonic() - started, 3), finished.engines)


async def _finish_or_cancel(context: Context, run: str, work: asyncio.Task[ClaimsRun]) -> ClaimsRun | None:
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=CANCEL_POLL_S)
            if not work.done() and await context.database.run_or(False, claim_runs.is_cancelled, run):
                return None
        return work.result()
    finally:
        if not work.done():
            await _cancel(work)


async def _cancel(work: asyncio.Task[ClaimsRun]) -> None:
    """Cancels the execution of a run, and waits until everything that the run created is removed."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled() and (error := work.exception()) is not None:
        log.warning("a cancelled run of claims ended with %s", error)


class ClaimWorker:
    """Executes queued runs of claims, one at a time, because two runs would compete for the processor. ``lock`` is held
    during a run; the labs of other hosts in this process share it."""

    def __init__(self, context: Context, wake: Callable[[], None], lock: asyncio.Lock | None = None) -> None:
        self._lock = lock or asyncio.Lock()
        self._context = context
        self._wake = wake
        self._task: asyncio.Task[None] | None = None
        self._run = ""
        self._closed = False

    async def start_next(self) -> None:
        """Cancels queued runs on request, and starts the oldest other one in the background, unless this worker is
        executing a run, waits for that of another host, or is closed."""
        database = self._context.database
        await database.run(claim_runs.mark_incomplete)
        await database.run(claim_runs.cancel_queued, self._context.host)
        if self._task is not None:
            if not self._task.done():
                return
            await database.run(claim_runs.fail_unstored, self._run)
            self._task = None
        queued = await database.run(claim_runs.load_queued, self._context.host)
        if queued and not self._closed:
            self._run = queued[0].id
            self._task = asyncio.get_running_loop().create_task(self._drive(queued[0]), name=f"claims-{self._run}")

    async def _drive(self, queued: QueuedRun) -> None:
        try:
            known = {claim.id: claim for claim in all_claims()}
            # Claims that no longer exist are skipped.
            claims = tuple(known[claim] for claim in queued.claims if claim in known)
            async with self._lock:
                # The run may have been cancelled while it waited for the lock; the next pass stores that.
                if not await self._context.database.run(claim_runs.is_cancelled, queued.id):
                    await execute_run(self._context, queued.id, claims)
        except EngineError as error:
            log.warning("claims %s could not be executed: %s", queued.id, error)
        except Exception:
            log.exception("claims %s failed", queued.id)
        finally:
            asyncio.get_running_loop().call_soon(self._wake)

    async def close(self) -> None:
        """Cancels the current run, waits until everything that the run created is removed, and marks the run as
        cancelled. Later runs stay queued."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
