"""Removes containers, networks and private hosts of this installation that no living process drives."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dashboard.core.experiments.journal import Cause, Source, stopped
from dashboard.core.operations.machines import place_of
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import folders, group_hosts, is_starting
from dashboard.engine.lans.lan import list_lans
from dashboard.engine.protocol import Engine, EngineError
from dashboard.lab.context import LABEL, Context
from dashboard.lab.experiments.columns.other_host import remove_clients
from dashboard.lab.experiments.journal_writer import JournalWriter
from dashboard.lab.lab_lock import LabBusyError, LabLock
from dashboard.lab.machines.swarm import leave_without_lab
from dashboard.lab.orphans import kept_ids, remove_objects, remove_orphans
from dashboard.store import claim_runs, unsettled
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.experiments import Record
from dashboard.store.machines import here
from dashboard.store.operations.advisory_lock import AdvisoryLock, is_shared, lab_of
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.saved import UNDO_DAYS

#: Reported on a machine that joined with a version that did not store the id of the installation.
UNKNOWN = (
    "the containers and networks: this machine joined with an earlier version and does not know the id of its "
    f"installation. docker ps --all --filter label={LABEL} and docker network ls --filter label={LABEL} list them."
)


@dataclass(frozen=True, slots=True)
class Reaped:
    """The result of a cleanup, as descriptions of objects. ``removed`` is what was removed. ``kept`` is what a living
    process uses or is starting. ``refused`` is what could not be removed, with the error."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    refused: tuple[str, ...] = ()
    schema: str = "reap/1"


async def _acquire_lab_locks(stack: AsyncExitStack, data_dir: Path) -> bool:
    """Acquires the locks of this machine's lab, so that no lab starts until ``stack`` is closed. Returns False if a lab
    runs and holds them. With PostgreSQL, this lab may have another data folder, or run on another machine. Raises
    OperationalError if PostgreSQL does not answer."""
    lock = LabLock(data_dir)
    try:
        lock.acquire()
    except LabBusyError:
        return False
    stack.callback(lock.release)
    if not is_shared():
        return True
    shared = AdvisoryLock(lab_of(here()))
    stack.push_async_callback(asyncio.to_thread, shared.release)
    return await asyncio.to_thread(shared.acquire)


async def reap(context: Context) -> Reaped:
    """Removes containers and networks with this installation's label that no living process drives. Marks the
    experiments of dead processes as stopped. If a lab runs, keeps them all, because it takes over those of other
    processes that have ended. Removes the client containers of ended experiments from the hosts of LANs.

    On the installation's own machine, also deletes permanently the reports that users deleted more than ``UNDO_DAYS``
    days ago.
    """
    purged = await context.database.run(saved_reports.purge_deleted, context.clock()) if here() is None else 0
    driven: list[Record] = []
    left: list[Record] = []
    async with AsyncExitStack() as stack:
        is_lab_running = not await _acquire_lab_locks(stack, context.data_dir)

        async def driven_ids() -> set[str]:
            for record in await context.database.run(experiment_store.load_unsettled, context.host):
                is_driven = is_lab_running or experiment_store.is_alive(record.driver)
                (driven if is_driven else left).append(record)
            runs = await context.database.run(claim_runs.driven_runs)
            # This engine may also be that of a machine that has joined the installation, with a lab of its own.
            return kept_ids(driven) | runs | await context.database.run(unsettled.load_ids_elsewhere)

        removed, refused = await remove_orphans(context, driven_ids)
        for record in left:
            await mark_stopped(context, record, "Removed by reap.")
        for host in (host for lan in await asyncio.to_thread(list_lans, context.data_dir) for host in lan.hosts):
            try:
                removed = (*removed, *await remove_clients(context, host))
            except EngineError as error:
                refused = (*refused, f"clients on the private host {host.id}: {error}")
    if purged:
        removed = (*removed, f"{purged} report{'' if purged == 1 else 's'} deleted more than {UNDO_DAYS} days ago")
    return Reaped(removed, tuple(f"experiment {record.id} ({record.title})" for record in driven), refused)


async def reap_everything(data_dir: Path, installation: str, open_engine: Callable[[], Awaitable[Engine]]) -> Reaped:
    """Removes everything of the installation from this machine, even if the database can no longer be accessed.

    Removes all private hosts of the data folder, makes the engine leave the swarm of the machines, and then removes all
    containers and networks. ``open_engine`` connects to the engine. If ``installation`` is empty, the id of the
    installation is unknown, and only the hosts are removed. Raises LabBusyError if a lab runs.
    """

    async def nothing() -> set[str | None]:
        return set()

    lock = LabLock(data_dir)
    lock.acquire()
    try:
        hosts = await _reap_all_hosts(data_dir)
        if not installation:
            return replace(hosts, refused=(*hosts.refused, UNKNOWN))
        try:
            engine = await open_engine()
            hosts = await _leave_swarm(hosts, data_dir, engine)
            removed, refused = await remove_objects(engine, {LABEL: installation}, nothing, place_of(here(), ""))
        except EngineError as error:
            removed, refused = (), (f"the containers and networks: {error}",)
    finally:
        lock.release()
    return Reaped((*hosts.removed, *removed), hosts.kept, (*hosts.refused, *refused))


async def _leave_swarm(found: Reaped, data_dir: Path, engine: Engine) -> Reaped:
    """Makes the engine leave the swarm of the machines, and returns ``found`` with the result added. If the other
    machines have left already, the swarm has no leader, and its networks cannot be removed before the engine leaves."""
    try:
        if await leave_without_lab(data_dir, (await engine.info()).endpoint):
            return replace(found, removed=(*found.removed, "the engine from the swarm of the machines"))
    except EngineError as error:
        return replace(found, refused=(*found.refused, f"the engine from the swarm of the machines: {error}"))
    return found


async def _remove_hosts(found: Collection[Path]) -> Reaped:
    """Removes private hosts, given by their folders, at the same time."""
    failures = await asyncio.gather(*map(private_host.remove, found), return_exceptions=True)
    removed, refused = [], []
    for folder, failure in zip(found, failures, strict=True):
        if failure is None:
            removed.append(f"private host {folder.name}")
        elif isinstance(failure, OSError):
            refused.append(f"private host {folder.name}: {failure}")
        else:
            raise failure
    return Reaped(tuple(removed), (), tuple(refused))


async def _reap_all_hosts(data_dir: Path) -> Reaped:
    """Removes all private hosts except those that a process is starting now."""
    found = folders(data_dir)
    starting = [folder for folder in found if is_starting(folder)]
    reaped = await _remove_hosts([folder for folder in found if folder not in starting])
    return replace(reaped, kept=tuple(f"private host {folder.name}: a process is starting it" for folder in starting))


async def reap_hosts(data_dir: Path) -> Reaped:
    """Removes what is left of private hosts that have ended. If no server runs, also removes the hosts of training
    sessions. Other hosts that run or are being started stay."""
    lock = LabLock(data_dir)
    try:
        lock.acquire()
        of_sessions = {host.folder for host in group_hosts(data_dir)}
    except LabBusyError:
        of_sessions = set()
    try:
        found = [folder for folder in folders(data_dir) if folder in of_sessions or private_host.is_left(folder)]
        return await _remove_hosts(found)
    finally:
        lock.release()


async def mark_stopped(context: Context, record: Record, notice: str) -> None:
    """Records in the database that an experiment without containers has stopped. ``notice`` is the reason, as a
    sentence."""
    view = await context.database.run(journal_store.view, record.id)
    newest = await context.database.run(experiment_store.request_end, record.id)  # its round ends too
    record = newest or record
    # The view has no head if no lab has started the experiment.
    shown = view if view.head is not None else experiment_store.waiting_view(record)
    assert shown.head is not None  # noqa: S101 - waiting_view has one
    head, facts = stopped(shown.head, shown.columns, context.clock(), notice, record.round)
    journal = JournalWriter(record.id, view, context.database, context.publisher, context.clock)
    journal.append(Cause(Source.LAB, "reap"), facts, notice.rstrip("."))
    await journal.flush()
    save = experiment_store.save_head
    await context.database.run(save, record.id, head, view.seq, of_round=record.round)
