"""Runs one experiment for a command: launches its arms, observes and compares them, and removes them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from django.db import DatabaseError

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import STARTING, ArmStatus, Column, Comparison
from dashboard.core.modes import ExperimentSpec
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.protocol import EngineUnreachable
from dashboard.interrupts import uninterrupted
from dashboard.lab.bootstrap import open_context
from dashboard.lab.context import Context
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.reconciler import Lab
from dashboard.store import experiments as experiment_store

SETTLE_S = 3.0
POLL_S = 0.02


def _is_serving(column: Column, states: dict[str, NamespaceState]) -> bool:
    """Returns whether the program of a column listens on the column's port. Also True if the program has ended or
    failed, because waiting for it is then useless."""
    if column.container is None or column.status is not ArmStatus.RUNNING:
        return column.status is not ArmStatus.WAITING
    state = states.get(column.key)
    return state is not None and any(listener.port == column.port for listener in state.listeners)


async def compare_once(
    data_dir: Path,
    spec: ExperimentSpec,
    say: Callable[[str], None],
    *,
    keep: bool = False,
    on_launch: Callable[[str], None] | None = None,
) -> Comparison:
    """Launches an experiment, waits until every arm serves or has failed, and compares the arms. Removes everything
    unless ``keep`` is true.

    Waits at most ``SETTLE_S`` seconds for programs to open their ports. ``keep`` has no effect on a private host that
    ends with this process. ``say`` is called with messages for the user. ``on_launch`` is called with the experiment's
    id. Raises EngineError if the engine does not answer.
    """
    async with launched(data_dir, spec, say, keep=keep) as (context, driver):
        if on_launch is not None:
            on_launch(driver.id)
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_S
        while loop.time() < end and not all(_is_serving(c, driver.view.states) for c in driver.view.columns):
            await asyncio.sleep(POLL_S)
        await driver.settled()
        view = driver.view
        return Comparison(context.ref, view.columns, view.states, compare(view.columns, view.states))


@asynccontextmanager
async def launched(
    data_dir: Path, spec: ExperimentSpec, say: Callable[[str], None], *, keep: bool = False
) -> AsyncIterator[tuple[Context, ExperimentDriver]]:
    """Launches an experiment and drives it in this process while the body of the ``with`` statement runs. Yields the
    lab's context and the experiment's driver.

    At the end, removes the experiment. If ``keep`` is true, removes it only if the body has failed, or if the engine's
    private host ends with this process. ``say`` is called with messages for the user.
    """
    async with AsyncExitStack() as stack:
        context = await open_context(stack, data_dir, say)
        if keep and context.temporary:
            say("Nothing can be kept: the private host ends with this command. Start an engine, or set DOCKER_HOST.")
        database = context.database
        identity = await database.run(experiment_store.create_experiment, spec, None, experiment_store.this_process())
        lab = Lab(context, only=identity)
        stack.push_async_callback(lab.close)
        kept = False
        try:
            await lab.start()
            yield context, await _launched(lab, identity)
            kept = keep and not context.temporary
        finally:
            if kept:
                await database.run(experiment_store.release, identity)
            else:
                await uninterrupted(_clean_up(lab, identity))


async def _clean_up(lab: Lab, identity: str) -> None:
    await lab.stop_all()
    # If this fails, the server adopts the experiment anyway, after this process has ended.
    with suppress(DatabaseError):
        await lab.context.database.run(experiment_store.release, identity)


async def _launched(lab: Lab, identity: str) -> ExperimentDriver:
    driver = await _driver_of(lab, identity)
    while driver.view.head is None or driver.view.head.phase in STARTING:
        if driver.view.head is not None and driver.view.head.problem:
            raise EngineUnreachable(driver.view.head.problem, 503)
        await asyncio.sleep(POLL_S)
    return driver


async def _driver_of(lab: Lab, identity: str) -> ExperimentDriver:
    while (driver := lab.driver_of(identity)) is None:
        await asyncio.sleep(POLL_S)
    return driver
