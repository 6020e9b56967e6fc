"""Removes what is ours on an engine and driven by nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboard.core.journal import Cause, Facts, Source
from dashboard.core.lifecycle import Wanted
from dashboard.core.messages import ArmStatus
from dashboard.core.stream import Phase
from dashboard.lab import store
from dashboard.lab.context import Context
from dashboard.lab.journal import JournalWriter
from dashboard.lab.reconciler import LabBusyError, LabLock, remove_orphans
from dashboard.lab.store import Record


@dataclass(frozen=True, slots=True)
class Reaped:
    """What was removed, and what was left alone because a living process drives it."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    schema: str = "reap/1"


async def reap(context: Context) -> Reaped:
    """Removes containers and networks with exactly our label that no living process drives.

    Experiments that were driven by a process that died are marked stopped, so that the next start
    does not look for them.
    """
    lock = LabLock(context.data_dir)
    server = False
    try:
        lock.acquire()
    except LabBusyError:
        server = True
    try:
        records = await context.database.run(store.load_unsettled)
        driven = [one for one in records if (store.is_alive(one.driver) if one.driver else server)]
        removed = await remove_orphans(context, {one.id for one in driven})
        for record in records:
            if record not in driven:
                await _mark_stopped(context, record)
    finally:
        lock.release()
    return Reaped(removed, tuple(f"experiment {one.id} ({one.title})" for one in driven))


async def _mark_stopped(context: Context, record: Record) -> None:
    view = await context.database.run(store.view, record.id)
    await context.database.run(store.set_wanted, record.id, Wanted.STOPPED)
    await context.database.run(store.release, record.id)
    if view.head is None:
        return
    head = replace(view.head, phase=Phase.STOPPED, stopped_at=context.clock(), notice="Removed by reap.")
    columns = tuple(replace(c, status=ArmStatus.GONE, published=()) for c in view.columns if c.container is not None)
    journal = JournalWriter(record.id, view, context.database, context.publisher, context.clock)
    journal.append(Cause(Source.LAB, "reap"), Facts(head=head, columns=columns), "Removed by reap")
    await journal.flush()
    await context.database.run(store.save_head, record.id, head, view.seq)
