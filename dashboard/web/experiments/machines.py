"""Experiments on several machines: notes about machines, and calls to the lab of a column's machine."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from itertools import dropwhile, islice

from django.utils.translation import gettext as _

from dashboard.core.experiments.journal import Attempt, Entry
from dashboard.core.experiments.machines.groups import MachineNote
from dashboard.core.experiments.machines.journals import MergedJournal, shared_attempt
from dashboard.core.experiments.machines.parts import SERVER_NAME, Part
from dashboard.core.modes import ArmSpec
from dashboard.core.operations.machines import place_of, split_place
from dashboard.engine.protocol import EngineError
from dashboard.lab.experiments import actions
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, parts
from dashboard.store.experiments import Record
from dashboard.web.experiments.machine_requests import try_everywhere
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service

#: The errors that prevent every action on an experiment now: no lab or engine responds, or the experiment does not run.
UNAVAILABLE = (LabUnavailableError, EngineError, actions.NotRunningError)


def machine_notes() -> dict[str, MachineNote]:
    """Returns the notes to show about machines, by name: for example that a lab does not respond, or that a machine is
    drained.

    Machines without a note are omitted. Queries the database.
    """
    labs = service.labs
    if labs is None:
        return {}
    records = {record.name: record for record in machines.list_machines()}
    notes = {}
    for name in (SERVER_NAME, *records):
        record = records.get(name)
        lab = labs.of(None if record is None else name)
        if record is not None and record.is_revoked:
            notes[name] = MachineNote(_("This machine's access was revoked: its lab is no longer connected."))
        elif not lab.is_connected and service.nats.problem:  # not marked as absent: its journal may still grow
            notes[name] = MachineNote(
                note=_("This server is not connected to NATS, so it cannot tell whether the lab of this machine runs.")
            )
        elif not lab.is_connected:
            notes[name] = MachineNote(
                _("The lab of this machine does not respond. Its columns show the last known state.")
            )
        elif lab.version_problem:
            notes[name] = MachineNote(note=lab.version_problem)
        elif record is not None and record.is_draining:
            notes[name] = MachineNote(note=_("This machine is drained: nothing new starts on it."))
    return notes


async def _parts_of(experiment: str) -> tuple[Part, ...]:
    record = await to_db_thread(experiment_store.load, experiment)
    return parts.parts_of(record) if record is not None else ()


async def try_paths(experiment: str, *, multicast: bool = False) -> tuple[Attempt, ...]:
    """Sends a request over every path, on all machines at the same time, and returns the results.

    Skips machines that are absent. Raises one of ``UNAVAILABLE`` only if no machine can send requests.
    """
    divided = await _parts_of(experiment)
    if not divided:
        return await try_everywhere(experiment, multicast=multicast)
    calls = (try_everywhere(part.id, multicast=multicast) for part in divided)
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    for error in refused:
        if len(refused) == len(divided) or not isinstance(error, UNAVAILABLE):
            raise error
    return tuple(
        shared_attempt(attempt, part.number)
        for part, attempts in zip(divided, results, strict=True)
        if not isinstance(attempts, BaseException)
        for attempt in attempts
    )


async def inspect(experiment: str, column: str, command: str, name: str) -> AsyncGenerator[str]:
    """Executes a command in the namespaces of a column, on the column's machine, and returns its output piece by piece.

    ``name`` is the argument of commands that take one. Raises one of ``UNAVAILABLE``, or
    ValueError with a message for the user.
    """
    place = await to_db_thread(parts.find_column, experiment, column)
    return await service.ask_about(place.experiment, actions.inspect, place.experiment, place.column, command, name)


def arms_by_place(arms: Iterable[ArmSpec], place: str) -> dict[str, tuple[ArmSpec, ...]]:
    """Groups arms by the place where each runs. Arms that name no machine run at ``place``."""
    found: dict[str, list[ArmSpec]] = {}
    for arm in arms:
        name = None if arm.machine == SERVER_NAME else arm.machine or split_place(place)[0]
        where = place if not arm.machine else place_of(name, "")
        found.setdefault(where, []).append(replace(arm, machine=""))
    return {where: tuple(own) for where, own in found.items()}


def read_page(record: Record, after: int, cursor: str, limit: int) -> tuple[tuple[Entry, ...], str]:
    """Returns one page of an experiment's journal, and the cursor of the next page.

    The page has at most ``limit`` entries, and begins after the entry with the number ``after``. On several machines,
    it begins after ``cursor`` instead, unless that is empty. On one machine, the returned cursor is empty. Raises
    ValueError with a sentence for the user if ``cursor`` is invalid.

    A cursor contains the newest number that was read from each machine, because machines store entries at the same
    time.
    """
    if not record.parts:
        return tuple(islice(parts.read(record, after), limit)), ""
    journal = parts.merged_journal(record)
    if cursor:
        _skip(journal, cursor)
        entries = journal.extend(parts.read_parts(dict(journal.seen)))
    else:
        entries = dropwhile(lambda entry: entry.seq <= after, parts.read_journal(journal))
    page = tuple(islice(entries, limit))
    return page, "-".join(map(str, journal.seen.values()))


def _skip(journal: MergedJournal, cursor: str) -> None:
    """Advances a merged journal to a cursor, without returning the entries in between.

    All these entries are read, because the status of the whole experiment depends on them. Raises ValueError with a
    sentence for the user if the cursor is invalid.
    """
    numbers = cursor.split("-")
    if len(numbers) != len(journal.seen) or not all(
        number.isascii() and number.isdigit() and len(number) < 10 for number in numbers
    ):
        raise ValueError("This is not a cursor of this journal. Follow the links from its first page.")
    until = dict(zip(journal.seen, map(int, numbers), strict=True))
    deque(journal.extend(parts.read_parts(dict(journal.seen), until)), maxlen=0)
