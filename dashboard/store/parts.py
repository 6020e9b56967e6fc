"""Experiments with arms on several machines. Users see one experiment. The lab of each machine drives one part of it. A
part is a row of ``Experiment`` with the arms of that machine.

The functions accept any experiment. For one on a single machine, they read only its own journal.
"""

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import starmap
from typing import NamedTuple

import msgspec
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View, advance
from dashboard.core.experiments.journal import replay as replay_entries
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.groups import machine_number
from dashboard.core.experiments.machines.heads import merge_phases, requested_phase
from dashboard.core.experiments.machines.journals import FIRST, MergedJournal, number_to_show
from dashboard.core.experiments.machines.parts import SERVER_NAME, Part, divide, name_machines
from dashboard.core.experiments.messages import ENDED, Phase
from dashboard.core.modes import ExperimentSpec, is_observer, plain_key
from dashboard.core.operations.machines import place_of
from dashboard.models import Experiment, JournalEntry
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.experiments import Record
from dashboard.store.journal import PAGE
from dashboard.store.machines import MachineClosedError, require_open
from dashboard.store.operations.audit import audited, creates, note
from dashboard.store.operations.database_clock import shared_now
from dashboard.store.operations.storage import require_space

log = logging.getLogger(__name__)
#: The latest time of an entry that pages can show, in seconds since the epoch.
MAX_TIME = 32503680000.0


@creates
def create(spec: ExperimentSpec, owner_id: int | None = None, host: str = "", machine: str | None = None) -> str:
    """Stores an experiment that is to be launched, and returns its id. If its arms are on several machines, also stores
    a part for each machine.

    Arms that name no machine run on ``machine``; None is the installation's own machine. ``host`` is the id of a
    private host, empty for the machine's own engine. Raises NoSpaceError if the disk is too full, and
    MachineClosedError if one of the machines accepts no new work.
    """
    specs = divide(spec, machine)
    for on in specs or (machine,):
        require_open(on)
    if len(specs) < 2:
        ((only, single),) = specs.items() if specs else ((machine, spec),)
        return experiment_store.create_experiment(single, owner_id, host=host, machine=only)
    require_space()
    encoded = msgspec.json.encode(name_machines(spec, machine)).decode()
    with transaction.atomic():
        # Without a machine, so that no machine's role can write the row. Stopped, because a lab launches every
        # experiment that is not, and a lab of an earlier version does not know that this row has parts.
        row = Experiment.objects.create(
            title=spec.title[:200], spec=encoded, owner_id=owner_id, wanted=Wanted.STOPPED, phase=Phase.STOPPED
        )
        note(row.pk)
        ids = {
            on or SERVER_NAME: experiment_store.create_experiment(own, owner_id, machine=on, parent=row.pk)
            for on, own in specs.items()
        }
        # The merged journal begins at this time, so it is by the clock of the entries.
        row.parts, row.created_at = json.dumps(ids), shared_now()
        row.save(update_fields=["parts", "created_at"])
    return row.pk


def ids_of(parts: str) -> dict[str, str]:
    """Decodes ``Experiment.parts``: the ids of an experiment's parts by machine name. Empty if it runs on one
    machine."""
    return msgspec.json.decode(parts, type=dict[str, str]) if parts else {}


def ids_by_place(experiment: str) -> dict[str, str]:
    """The ids of an experiment's parts, by the place where each part runs. ``@NAME`` is the engine of the machine
    ``NAME``. An empty text is the server's own engine. The result is empty if the experiment runs on one machine."""
    record = experiment_store.load(experiment)
    ids = ids_of(record.parts) if record is not None else {}
    return {place_of(None if machine == SERVER_NAME else machine, ""): part for machine, part in ids.items()}


def parts_of(record: Record) -> tuple[Part, ...]:
    """The parts of an experiment, in the order of its arms; empty if it runs on one machine."""
    ids = ids_of(record.parts)
    specs = {on or SERVER_NAME: own for on, own in divide(record.spec).items()} if ids else {}
    return tuple(
        Part(identity, machine, number, specs[machine].arms, record.id)
        for number, (machine, identity) in enumerate(ids.items(), start=1)
        if machine in specs
    )


def count_entries(record: Record) -> int:
    """The number of entries in the experiment's journal, merged from all machines."""
    if not record.parts:
        return record.journal_entries
    return FIRST + JournalEntry.objects.filter(experiment__in=ids_of(record.parts).values()).count()


@dataclass(frozen=True, slots=True)
class ColumnPlace:
    """Where a column of an experiment is observed. ``experiment`` is the id of the part that contains the column.
    ``column`` is the column's key in that part. ``number`` is the number of the part, from 1.

    An experiment on one machine has no parts. In that case, ``experiment`` is its own id, and ``number`` is 0.
    """

    experiment: str
    column: str
    number: int = 0


def find_column(experiment: str, column: str) -> ColumnPlace:
    """Finds the part in which a column of an experiment is observed. If the experiment runs on one machine, returns the
    experiment and the column as given."""
    record = experiment_store.load(experiment)
    number = machine_number(column) if is_observer(column) else 0
    for part in parts_of(record) if record is not None else ():
        if part.number == number or any(arm.key == column for arm in part.arms):
            return ColumnPlace(part.id, plain_key(column), part.number)
    return ColumnPlace(experiment, column)


def find_request(experiment: str, key: str) -> ColumnPlace:
    """Finds the part to which the column of a request belongs. ``key`` is the request's key in the whole experiment
    (``COLUMN/PATH``). The ``column`` of the result is the request's key in that part."""
    column, slash, rest = key.partition("/")
    place = find_column(experiment, column)
    return replace(place, column=f"{place.column}{slash}{rest}")


class PartError(Exception):
    """A part of an experiment cannot be removed alone. ``whole`` is the id of the experiment that contains the part."""

    def __init__(self, whole: str) -> None:
        super().__init__(f"This is a part of the experiment {whole} on several machines. Remove that experiment.")
        self.whole = whole


@audited
def set_wanted(experiment: str, wanted: Wanted, *, again: bool = False) -> bool:
    """Stores the wanted state of an experiment and of all its parts. Returns False if the experiment does not exist or
    is being removed.

    If ``again`` is true, the arms are launched again on every machine that accepts new work. Raises MachineClosedError
    if no machine accepts it, and NoSpaceError if the disk is too full.

    Raises PartError if ``experiment`` is a part and is to be removed.
    """
    with transaction.atomic():
        if again:  # before the part is locked, because the whole is locked before its parts everywhere
            Experiment.objects.filter(children=experiment).update(shown_seq=0)
        row = Experiment.objects.select_for_update().exclude(wanted=Wanted.REMOVED).filter(pk=experiment).first()
        if row is not None and row.parent_id is not None and wanted is Wanted.REMOVED:
            raise PartError(row.parent_id)
        if row is None or not row.parts:
            return experiment_store.set_wanted(experiment, wanted, again=again)
        ids = tuple(ids_of(row.parts).values())
        if again:
            # The same number on all machines: a part that was launched alone or was left out has another one. As soon
            # as one lab has begun this round, the experiment no longer waits (``apply_requests``).
            rounds = Experiment.objects.filter(pk__in=ids).values_list("round", flat=True)
            row.round, row.shown_seq = max([row.round, *rounds]) + 1, 0
        elif wanted is Wanted.STOPPED and _is_running(ids):
            row.shown_seq = FIRST + sum(seq for seq, _title in journal_store.newest(ids).values())
        closed = []
        for part in ids:
            try:
                experiment_store.set_wanted(part, wanted, again=again, new_round=row.round)
            except MachineClosedError as error:
                closed.append(error)
        if len(closed) == len(ids):
            raise closed[0]
        if wanted is Wanted.REMOVED:  # the labs remove the containers, then the parts' rows
            Experiment.objects.filter(pk__in=ids).update(parent=None)
            experiment_store.delete(row.pk)
            return True
        row.save(update_fields=["round", "shown_seq"])
    return True


def _is_running(ids: Collection[str]) -> bool:
    """Whether any of these parts should run and has not ended."""
    return Experiment.objects.filter(pk__in=ids, wanted=Wanted.RUNNING).exclude(phase__in=ENDED).exists()


def has_ended() -> Q:
    """A query condition that selects experiments that have ended on all their machines. A part that never started, and
    is not to start, counts as ended."""
    live = Experiment.objects.filter(parent=OuterRef("pk")).exclude(phase__in=ENDED)
    live = live.exclude(~Q(wanted=Wanted.RUNNING), phase=Phase.WAITING)
    return Q(parts="", phase__in=ENDED) | Q(~Q(parts=""), ~Exists(live))


def phases_of(experiments: Collection[str]) -> dict[str, tuple[Phase, ...]]:
    """The phases of the parts of each experiment, by experiment id. A part that is to stop counts as stopping, or as
    stopped if it still waits to be launched. Experiments without parts are omitted, as are parts whose lab has written
    an invalid phase."""
    return _read_phases(experiments)[0]


def requested_phases(experiments: Collection[str]) -> dict[str, tuple[Phase, ...]]:
    """For each experiment that is to stop or has stopped, by id, the phases in which its parts are shown: stopping,
    stopped or failed. Experiments with a part that should run are omitted. Pages show these phases, because a journal
    contains a stop only after its lab has performed it."""
    phases, running = _read_phases(experiments)
    return {key: found for key, found in phases.items() if key not in running}


def _read_phases(experiments: Collection[str]) -> tuple[dict[str, tuple[Phase, ...]], set[str]]:
    """Returns the phases by experiment id, as described in ``phases_of``, and the ids of the experiments with a part
    that should run."""
    found: dict[str, tuple[Phase, ...]] = {}
    running = set()
    rows = Experiment.objects.filter(parent__in=experiments).exclude(parent__parts="")
    for parent, phase, wanted in rows.values_list("parent_id", "phase", "wanted") if experiments else ():
        if wanted == Wanted.RUNNING:
            running.add(str(parent))
        with suppress(ValueError):
            found[str(parent)] = (*found.get(str(parent), ()), requested_phase(Phase(phase), Wanted(wanted)))
    return found, running


def count_by_phase() -> dict[str, int]:
    """The number of experiments in each phase. An experiment on several machines counts once."""
    single = Experiment.objects.filter(parts="", parent=None).order_by().values_list("phase")
    found: Counter[str] = Counter(dict(single.annotate(number=Count("pk"))))
    wholes = list(Experiment.objects.exclude(parts="").values_list("pk", flat=True))
    found.update(str(merge_phases(phases)) for phases in phases_of(wholes).values())
    return dict(found)


def merged_journal(record: Record) -> MergedJournal:
    """Returns a merged journal, still without entries, for an experiment on several machines."""
    phases = requested_phases((record.id,)).get(record.id, ())
    return MergedJournal(experiment_store.waiting_head(record), parts_of(record), requested=phases)


def read_parts(seen: dict[str, int], until: dict[str, int] | None = None) -> Iterator[tuple[str, Entry]]:
    """Yields journal entries of several parts in the order in which they were stored, each with the id of its part.

    ``seen`` maps the id of each part to the number of its last entry that was already read. ``until`` maps the same ids
    to the last number to read; None means all entries.
    """
    seen = dict(seen)
    while seen:
        # Each part continues after its own last number, not after the last row: an entry may become visible only after
        # a later entry of another part was read.
        condition = Q()
        for part, seq in seen.items():
            condition |= Q(experiment=part, seq__gt=seq) & (Q(seq__lte=until[part]) if until is not None else Q())
        rows = list(JournalEntry.objects.filter(condition).order_by("pk")[:PAGE])
        for row in rows:
            seen[row.experiment_id] = max(seen[row.experiment_id], row.seq)
            yield row.experiment_id, _readable(row)
        if len(rows) < PAGE:
            return


def _readable(row: JournalEntry) -> Entry:
    """The entry that a row stores. If the entry is invalid, returns a replacement that states this: an invalid entry of
    one lab must not hide the entries of other labs."""
    with suppress(msgspec.MsgspecError, ValueError):
        entry = journal_store.entry_of(row)
        head = entry.facts.head
        times = (head.started_at, head.stopped_at, head.problem_since) if head is not None else ()
        if all(0 <= at <= MAX_TIME for at in (entry.at, *times) if at is not None):
            return entry
    log.warning("entry %d of experiment %s cannot be read", row.seq, row.experiment_id)
    at = row.at if 0 <= row.at <= MAX_TIME else 0.0
    return Entry(row.seq, at, Cause(Source.LAB, "unreadable"), Facts(), "An entry of this machine cannot be read")


def read(record: Record, after: int = 0, until: int | None = None) -> Iterator[Entry]:
    """Yields the journal entries of an experiment with ``after < seq <= until``, merged from all its machines."""
    if not record.parts:
        yield from journal_store.read(record.id, after, until)
        return
    for entry in read_journal(merged_journal(record)):
        if until is not None and entry.seq > until:
            return
        if entry.seq > after:
            yield entry


def read_journal(journal: MergedJournal) -> Iterator[Entry]:
    """Reads all entries of an experiment on several machines into ``journal``, which must be empty, and yields them."""
    yield journal.first()
    yield from journal.extend(read_parts(dict(journal.seen)))


def fold(read: Callable[[], Iterable[Entry]], before: View, last: int) -> tuple[View, tuple[Entry, ...], float | None]:
    """Applies the entries from ``read`` to the view ``before``, without keeping all of them in memory. Returns the
    resulting view, the ``last`` newest entries that have a text, and the time of the first entry (None without
    entries)."""
    first_at: float | None = None
    shown: deque[Entry] = deque(maxlen=last)
    for entry in read():
        before = advance(before, entry)
        first_at = entry.at if first_at is None else first_at
        if entry.text:
            shown.append(entry)
    return before, tuple(shown), first_at


def view(record: Record, until: int | None = None) -> View:
    """The view of an experiment after journal entry ``until``, by default the newest."""
    return replay_entries(read(record, until=until))


def shown_number(record: Record, shown_seq: int) -> int:
    """The number of the journal entry whose state an ended experiment shows; 0 if it has not ended.

    ``shown_seq`` is ``Experiment.shown_seq``. It is the result if the experiment runs on one machine, or if its parts
    were stopped together. If the parts were stopped one by one, or if one was launched again alone, ``shown_seq`` is 0.
    The result is then the last entry before the last part stopped. If all parts failed, it is the last entry before the
    last part failed.
    """
    if not record.parts:
        return shown_seq
    ids = tuple(ids_of(record.parts).values())
    if not Experiment.objects.filter(has_ended(), pk=record.id).exists():
        return 0
    if shown_seq:
        return shown_seq
    rows = Experiment.objects.filter(pk__in=ids)
    states: Sequence[tuple[str, str, int]] = list(rows.values_list("pk", "phase", "shown_seq"))
    for phases in ({Phase.STOPPED}, ENDED):
        shown = [(pk, seq) for pk, phase, seq in states if phase in phases and seq]
        if last := max(filter(None, starmap(_first_after, shown)), default=None):
            return number_to_show(last.experiment, last.seq, read_parts(dict.fromkeys(ids, 0))) - 1
    return 0


class _Stored(NamedTuple):
    pk: int
    experiment: str
    seq: int


def _first_after(experiment: str, seq: int) -> _Stored | None:
    rows = JournalEntry.objects.filter(experiment=experiment, seq__gt=seq).order_by("seq")
    found = rows.values_list("pk", "experiment_id", "seq").first()
    return None if found is None else _Stored(*found)
