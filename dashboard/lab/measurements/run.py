"""Measures the paths of a running experiment and stores every block."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Block, Environment, Probe, Stop, check_series, no_path_sentence
from dashboard.core.measurements.responder_experiment import needs_responder_experiment
from dashboard.core.measurements.schedule import Series, make_series, missing_paths
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.finder import measured_paths, resolver_paths
from dashboard.core.paths.model import Path
from dashboard.core.paths.published import userland_proxy
from dashboard.lab.context import Context
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.machines.client_line import ClientLines
from dashboard.latency.environment import load_average, read_environment, read_offloads
from dashboard.latency.runner import Outcome, Progress, run_measurement
from dashboard.netns.namespace import Namespace
from dashboard.store.database import LAST_WRITES_S
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import clients as client_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import RequestedRun
from dashboard.store.telemetry import telemetry

CANCEL_LOOK_S = 0.25
EXPIRED = f"The measurement waited for more than {client_store.WAIT_S / 3600:g} h: measure from {{0}} again."


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures. ``series``: the combinations of a path and a probe to measure. ``missing``: those that
    cannot be measured, with the reason."""

    series: tuple[Series, ...]
    missing: tuple[tuple[Path, Probe, str], ...]


def plan_series(driver: ExperimentDriver, probes: Sequence[Probe], machines: Sequence[MachineClient] = ()) -> Plan:
    """Returns the plan for all paths that the experiment has now, including those from clients on other ``machines``,
    with each of the ``probes`` that suits the path."""
    view = driver.view
    responder = needs_responder_experiment(tuple(probes))
    paths = measured_paths(view.columns, view.states, machines, responder=responder)
    request = [probe for probe in probes if probe is not Probe.DNS]
    resolvers = resolver_paths(view.columns, view.states) if Probe.DNS in probes else ()
    series = (*make_series(paths, request), *make_series(resolvers, [Probe.DNS] if resolvers else []))
    return Plan(series, (*missing_paths(paths, request), *missing_paths(resolvers, [Probe.DNS] if resolvers else [])))


def _namespaces(context: Context, driver: ExperimentDriver) -> dict[str, Namespace]:
    found = {}
    for key in driver.observer.keys:
        inode = driver.observer.inode(key)
        namespace = context.watches.namespace(inode) if inode is not None else None
        if namespace is not None:
            found[key] = namespace.duplicate()
    return found


async def _environment(
    context: Context, driver: ExperimentDriver, namespaces: Mapping[str, Namespace], conditions: Conditions
) -> Environment:
    info = context.info
    machine = driver.view.states.get("machine")
    names = [interface.name for interface in machine.interfaces] if machine is not None else []
    offloads: dict[str, tuple[str, ...]] = {}
    if "machine" in namespaces:
        opened = await namespaces["machine"].arun(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with opened:
            offloads = read_offloads(opened, names)
    observed = userland_proxy(driver.view.columns, machine)
    return replace(
        await asyncio.to_thread(read_environment, conditions),
        engine=info.version,
        engine_api=info.api,
        engine_kind=info.kind,
        machine_title=info.machine_title,
        userland_proxy=observed if info.userland_proxy is None else info.userland_proxy,
        firewall_backend=info.firewall_backend,
        mtu={interface.name: interface.mtu for interface in machine.interfaces} if machine is not None else {},
        offloads=offloads,
        load_before=load_average(),
    )


async def measure_paths(
    context: Context,
    driver: ExperimentDriver,
    request: RequestedRun,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    lines: ClientLines | None = None,
) -> None:
    """Measures the paths of an experiment until the confidence intervals are narrow.

    Ends earlier if the time is up or the run is cancelled in the database. If the task is cancelled, marks the run as
    cancelled. Stores every block before the next one starts, and waits for at most ``LAST_WRITES_S`` if the database
    does not answer. ``on_progress`` is called with the progress. ``lines`` hands out the blocks for clients on other
    machines. A run with more than ``MAX_SERIES`` series fails, because no report could contain it.
    """
    database, identity, options, info = context.database, request.id, request.options, context.info
    await driver.observer.settle()
    names = await database.run(client_store.load_clients, identity) if lines is not None else ()
    is_valid = bool(names) and await database.run(client_store.are_valid, identity)
    line = lines.open(identity, names) if lines is not None and is_valid else None
    namespaces: dict[str, Namespace] = {}
    try:
        expired = tuple(MachineClient(name, problem=EXPIRED.format(name)) for name in names)
        plan = plan_series(driver, request.probes, await line.clients() if line is not None else expired)
        if too_many := check_series(len(plan.series) + len(plan.missing)):
            plan = Plan((), ())
        namespaces = _namespaces(context, driver)
        environment = await _environment(context, driver, namespaces, options.conditions)
        modes = {column.key: column.mode for column in driver.view.columns}
        await database.run(measurement_store.begin_run, identity, plan.series, plan.missing, environment, modes)
        context.publisher.measured(identity)
        if not plan.series:
            reasons = [reason for _path, _probe, reason in plan.missing]
            sentence = too_many or no_path_sentence(reasons, info.invisible)
            await database.run(measurement_store.finish_run, identity, Stop.FAILED, sentence, 0.0, environment, {})
            return

        async def keep(block: Block) -> None:
            await _store(context, block_store.add_block, identity, block)
            telemetry.blocks["failed" if block.error else "measured"] += 1
            context.publisher.measured(identity)

        refused: dict[str, str] = {}
        work = asyncio.create_task(
            run_measurement(
                plan.series,
                {key: one.fd for key, one in namespaces.items()},
                options,
                seed=request.seed,
                on_block=keep,
                on_progress=on_progress,
                remote_clients=line,
                refused=refused,
            )
        )
        outcome = await _until_done(context, identity, work, refused)
        await _store(
            context,
            measurement_store.finish_run,
            identity,
            outcome.stopped,
            outcome.reason,
            outcome.elapsed_s,
            replace(environment, load_after=load_average()),
            outcome.refused,
        )
        await _store(context, measurement_store.save_headline, identity)
    finally:
        if lines is not None and line is not None:
            lines.close(identity)
        for namespace in namespaces.values():
            namespace.close()
        context.publisher.measured(identity)


async def _until_done(context: Context, identity: str, work: asyncio.Task[Outcome], refused: dict[str, str]) -> Outcome:
    """Waits for the end of a run, or ends it if it is cancelled. ``refused`` are the reasons for abandoned series, by
    key, which a cancelled run does not return."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    cancelled = Outcome(Stop.CANCELLED, "It was cancelled.", 0.0, 0, refused)
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=CANCEL_LOOK_S)
            if not work.done() and await context.database.run_or(False, measurement_store.is_cancelled, identity):
                await _end(work)
                return replace(cancelled, elapsed_s=loop.time() - began)
        return work.result()
    except asyncio.CancelledError:
        await _end(work)
        return replace(cancelled, elapsed_s=loop.time() - began)
    except Exception:
        await _end(work)
        raise


async def _store[**P](context: Context, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Calls a function of the store. Waits for at most ``LAST_WRITES_S`` while the database does not answer."""
    deadline = time.monotonic() + LAST_WRITES_S
    await context.database.retry(lambda: deadline, asyncio.current_task(), function, *args, **kwargs)


async def _end(work: asyncio.Task[Outcome]) -> None:
    work.cancel()
    await asyncio.wait({work})
