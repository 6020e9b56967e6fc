"""Experiments with arms on several machines: one row for what a user sees, and a part for the lab of each machine.

The functions take any experiment: one on a single machine has one journal, and nothing else is read.
"""

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from dashboard.core.experiments.journal import Entry, View, advance
from dashboard.core.experiments.journal import replay as replay_entries
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.groups import machine_number
from dashboard.core.experiments.machines.heads import ENDED
from dashboard.core.experiments.machines.journals import MergedJournal, number_to_show
from dashboard.core.experiments.machines.parts import SERVER_NAME, Part, divide, name_machines
from dashboard.core.experiments.messages import ExperimentHead, Phase
from dashboard.core.modes import ExperimentSpec, is_observer, plain_key
from dashboard.core.operations.machines import place_of
from dashboard.models import Experiment, JournalEntry
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import PAGE, Record
from dashboard.store.machines import MachineClosedError
from dashboard.store.operations.audit import audited, creates, note
from dashboard.store.operations.storage import require_space


@creates
def create(spec: ExperimentSpec, owner_id: int | None = None, host: str = "", machine: str | None = None) -> str:
    """Writes the wanted experiment and returns its id; a part for each machine if arms name others than ``machine``.
    NoSpaceError if the disk is too full."""
    specs = divide(spec, machine)
    if len(specs) < 2:
        ((only, single),) = specs.items() if specs else ((machine, spec),)
        return experiment_store.create_experiment(single, owner_id, host=host, machine=only)
    require_space()
    with transaction.atomic():
        row = Experiment.objects.create(  # of no machine, so no lab can write it
            title=spec.title[:200], spec=msgspec.json.encode(name_machines(spec, machine)).decode(), owner_id=owner_id
        )
        note(row.pk)
        ids = {
            on or SERVER_NAME: experiment_store.create_experiment(own, owner_id, machine=on, parent=row.pk)
            for on, own in specs.items()
        }
        row.parts = json.dumps(ids)
        row.save(update_fields=["parts"])
    return row.pk


def ids_of(parts: str) -> dict[str, str]:
    """The experiment of each machine by its name, from ``Experiment.parts``."""
    ids: dict[str, str] = json.loads(parts) if parts else {}
    return ids


def ids_by_place(experiment: str) -> dict[str, str]:
    """The part on each machine, by the name of its place (``core.operations.machines.split_place``)."""
    record = experiment_store.load(experiment)
    ids = ids_of(record.parts) if record is not None else {}
    return {place_of(None if machine == SERVER_NAME else machine, ""): part for machine, part in ids.items()}


def parts_of(record: Record) -> tuple[Part, ...]:
    """The parts of an experiment, in the order of its arms; none if it runs on one machine."""
    ids = ids_of(record.parts)
    specs = {on or SERVER_NAME: own for on, own in divide(record.spec).items()} if ids else {}
    return tuple(
        Part(identity, machine, number, specs[machine].arms)
        for number, (machine, identity) in enumerate(ids.items(), start=1)
        if machine in specs
    )


@dataclass(frozen=True, slots=True)
class ColumnPlace:
    """The part that has a column, and the key of the column there. ``number`` is that of the machine, 0
    if the experiment runs on one."""

    experiment: str
    column: str
    number: int = 0


def find_column(experiment: str, column: str) -> ColumnPlace:
    """Where a column of an experiment is observed."""
    record = experiment_store.load(experiment)
    number = machine_number(column) if is_observer(column) else 0
    for part in parts_of(record) if record is not None else ():
        if part.number == number or any(arm.key == column for arm in part.arms):
            return ColumnPlace(part.id, plain_key(column), part.number)
    return ColumnPlace(experiment, column)


def find_request(experiment: str, key: str) -> ColumnPlace:
    """Where a request of a path is made, and its key there."""
    column, slash, rest = key.partition("/")
    place = find_column(experiment, column)
    return replace(place, column=f"{place.column}{slash}{rest}")


@audited
def set_wanted(experiment: str, wanted: Wanted, *, again: bool = False) -> bool:
    """As ``experiments.set_wanted``, for the parts on all machines. A new round starts where it can; MachineClosedError
    if it can on no machine."""
    with transaction.atomic():
        row = Experiment.objects.select_for_update().exclude(wanted=Wanted.REMOVED).filter(pk=experiment).first()
        if row is not None and row.parent_id is not None and wanted is Wanted.REMOVED:
            wanted = Wanted.STOPPED  # a part is removed with the whole experiment
        if row is None or not row.parts:
            return experiment_store.set_wanted(experiment, wanted, again=again)
        ids = tuple(ids_of(row.parts).values())
        closed = []
        for part in ids:
            try:
                experiment_store.set_wanted(part, wanted, again=again)
            except MachineClosedError as error:
                closed.append(error)
        if len(closed) == len(ids):
            raise closed[0]
        if wanted is Wanted.REMOVED:  # the labs delete the parts when nothing is left of them
            Experiment.objects.filter(pk__in=ids).update(parent=None)
            experiment_store.delete(row.pk)
            return True
        row.wanted, row.round = wanted, row.round + again
        row.save(update_fields=["wanted", "round"])
    return True


def has_ended() -> Q:
    """The condition for experiments that have ended: on all their machines."""
    live = Experiment.objects.filter(parent=OuterRef("pk")).exclude(phase__in=ENDED)
    return Q(parts="", phase__in=ENDED) | Q(~Q(parts=""), ~Exists(live))


def phases_of(rows: Collection[Experiment]) -> dict[str, list[Phase]]:
    """The phases of the parts of those of these experiments that have some."""
    divided = [row.pk for row in rows if row.parts]
    found: dict[str, list[Phase]] = {}
    if divided:
        for parent, phase in Experiment.objects.filter(parent__in=divided).values_list("parent_id", "phase"):
            found.setdefault(str(parent), []).append(Phase(phase))
    return found


def _waiting_head(record: Record) -> ExperimentHead:
    spec = record.spec
    return ExperimentHead(record.id, record.title, spec.image, spec.port, Phase.WAITING, record.created_at)


def merged_journal(record: Record) -> MergedJournal:
    """The empty journal of an experiment on several machines."""
    return MergedJournal(_waiting_head(record), parts_of(record))


def read_parts(seen: dict[str, int]) -> Iterator[tuple[str, Entry]]:
    """The entries of parts after the numbers ``seen``, each with the id of its part, in the order in which they were
    stored, read in pages."""
    condition = Q()
    for part, seq in seen.items():
        condition |= Q(experiment=part, seq__gt=seq)
    last = 0
    while condition:
        rows = list(JournalEntry.objects.filter(condition, pk__gt=last).order_by("pk")[:PAGE])
        for row in rows:
            yield row.experiment_id, experiment_store.entry_of(row)
        if len(rows) < PAGE:
            return
        last = rows[-1].pk


def read(record: Record, after: int = 0, until: int | None = None) -> Iterator[Entry]:
    """The entries of an experiment with ``after < seq <= until``, those of all its machines in one order."""
    if not record.parts:
        yield from experiment_store.read(record.id, after, until)
        return
    for entry in read_journal(merged_journal(record)):
        if until is not None and entry.seq > until:
            return
        if entry.seq > after:
            yield entry


def read_journal(journal: MergedJournal) -> Iterator[Entry]:
    """All entries of an empty journal of several machines, which then continues after them."""
    yield journal.first()
    yield from journal.extend(read_parts(dict(journal.seen)))


def fold(read: Callable[[], Iterable[Entry]], before: View, last: int) -> tuple[View, tuple[Entry, ...], float | None]:
    """The view after all entries, the ``last`` ones of the timeline, and the time of the first; ``before`` is the view
    before them. A long journal is never in memory as a whole."""
    first_at: float | None = None
    shown: deque[Entry] = deque(maxlen=last)
    for entry in read():
        before = advance(before, entry)
        first_at = entry.at if first_at is None else first_at
        if entry.text:
            shown.append(entry)
    return before, tuple(shown), first_at


def view(record: Record, until: int | None = None) -> View:
    """The view of an experiment after entry ``until``, by default the newest."""
    return replay_entries(read(record, until=until))


def shown_number(record: Record, shown_seq: int) -> int:
    """The entry that an ended experiment shows; ``shown_seq`` is that of an experiment on one machine."""
    if not record.parts:
        return shown_seq
    rows = Experiment.objects.filter(pk__in=ids_of(record.parts).values())
    states: Sequence[tuple[str, str, int]] = list(rows.values_list("pk", "phase", "shown_seq"))
    stopped = {pk: seq for pk, phase, seq in states if phase == Phase.STOPPED and seq}
    shown = stopped or {pk: seq for pk, _phase, seq in states if seq}
    if not shown or any(phase not in ENDED for _pk, phase, _seq in states):
        return 0
    return number_to_show(shown, read_parts(dict.fromkeys((pk for pk, _phase, _seq in states), 0)))
