"""One experiment from the command line: launched, observed, compared, cleaned up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Column, Comparison, Phase
from dashboard.core.modes import ExperimentSpec
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.bootstrap import open_context
from dashboard.lab.context import Context
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.reconciler import Lab
from dashboard.store import experiments as experiment_store

SETTLE_S = 3.0
LOOK_S = 0.02


def _is_serving(column: Column, states: dict[str, NamespaceState]) -> bool:
    """Whether the program behind the column has opened its port (or does not run)."""
    if column.container is None or column.status is not ArmStatus.RUNNING:
        return column.status is not ArmStatus.WAITING
    state = states.get(column.key)
    return state is not None and any(one.port == column.port for one in state.listeners)


async def compare_once(
    data_dir: Path,
    spec: ExperimentSpec,
    say: Callable[[str], None],
    *,
    keep: bool = False,
    launching: Callable[[str], None] | None = None,
) -> Comparison:
    """Launches, waits until every arm serves or has failed, compares, and removes everything unless ``keep``.

    A program that opens no port is waited for ``SETTLE_S`` seconds. EngineError if no engine answers, or no more.
    On a private host that ends with this process nothing can be kept. ``launching`` is told the experiment's id.
    """
    async with launched(data_dir, spec, say, keep=keep) as (context, run):
        if launching is not None:
            launching(run.id)
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_S
        while loop.time() < end and not all(_is_serving(c, run.view.states) for c in run.view.columns):
            await asyncio.sleep(LOOK_S)
        await run.settled()
        view = run.view
        return Comparison(context.ref, view.columns, view.states, compare(view.columns, view.states))


@asynccontextmanager
async def launched(
    data_dir: Path, spec: ExperimentSpec, say: Callable[[str], None], *, keep: bool = False
) -> AsyncIterator[tuple[Context, ExperimentDriver]]:
    """One experiment, launched and observed, driven by this process.

    Removed at the end; with ``keep`` only if something went wrong.
    """
    async with AsyncExitStack() as stack:
        context = await open_context(stack, data_dir, say)
        database = context.database
        identity = await database.run(experiment_store.create_experiment, spec, None, experiment_store.this_process())
        lab = Lab(context, only=identity)
        stack.push_async_callback(lab.close)
        await lab.start()
        kept = False
        try:
            yield context, await _launched(lab, identity)
            kept = keep and not context.temporary
        finally:
            if kept:
                await database.run(experiment_store.release, identity)
            else:
                await asyncio.shield(_clean_up(lab, identity))


async def _clean_up(lab: Lab, identity: str) -> None:
    await lab.stop_all()
    await lab.context.database.run(experiment_store.release, identity)


async def _launched(lab: Lab, identity: str) -> ExperimentDriver:
    run = await _run_of(lab, identity)
    while (run.view.head is None) or run.view.head.phase in {Phase.WAITING, Phase.PREPARING, Phase.LAUNCHING}:
        if run.view.head is not None and run.view.head.problem:
            raise EngineUnreachable(run.view.head.problem, 503)
        await asyncio.sleep(LOOK_S)
    return run


async def _run_of(lab: Lab, identity: str) -> ExperimentDriver:
    while (run := lab.driver_of(identity)) is None:
        await asyncio.sleep(LOOK_S)
    return run
