"""One journal for an experiment on several machines: the entries of its parts in the order in which they were stored.

So the live page, a past moment and a report use the same fold as for one machine. The number of an entry is one more
than the sum of the newest numbers of all parts: it grows with every entry, and each web process derives the same
numbers although the clocks of machines differ. The first entry has the columns of all machines, also of
those without a lab.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import UNSET, UnsetType

from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, Trial
from dashboard.core.experiments.machines.groups import shared_column, shared_key
from dashboard.core.experiments.machines.heads import merge_heads
from dashboard.core.experiments.machines.parts import Part, waiting_columns
from dashboard.core.experiments.messages import Column, ExperimentHead, ReportedEngine
from dashboard.core.modes import MACHINE

#: The number of the first entry.
FIRST = 1
#: Requests of a trial, as many as a report may have.
MAX_ATTEMPTS = 100


@dataclass(slots=True)
class MergedJournal:
    """The fold over the entries of all parts. ``head`` is that of the experiment before anything runs. ``seen`` has the
    newest number of each part."""

    head: ExperimentHead
    parts: Sequence[Part]
    seen: dict[str, int] = field(default_factory=dict)
    _heads: dict[str, ExperimentHead] = field(default_factory=dict)
    _trials: dict[str, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen = {part.id: 0 for part in self.parts}
        self._heads = {part.machine: replace(self.head, id=part.id) for part in self.parts}

    @property
    def seq(self) -> int:
        """The number of the newest entry."""
        return FIRST + sum(self.seen.values())

    def first(self) -> Entry:
        """The entry before those of the parts."""
        names = [part.machine for part in self.parts]
        text = f"Launch requested on {', '.join(names[:-1])} and {names[-1]}"
        facts = Facts(head=self.head, columns=waiting_columns(self.parts))
        return Entry(FIRST, self.head.created_at, Cause(Source.PERSON, "launch"), facts, text)

    def extend(self, entries: Iterable[tuple[str, Entry]]) -> Iterator[Entry]:
        """The entries of all machines for new ones of parts, each with the id of its part."""
        parts = {part.id: part for part in self.parts}
        for identity, entry in entries:
            if entry.seq > self.seen[identity]:
                self.seen[identity] = entry.seq
                yield self._merge(parts[identity], entry)

    def _merge(self, part: Part, entry: Entry) -> Entry:
        facts = entry.facts
        if facts.head is not None:
            self._heads[part.machine] = facts.head
        trial: Trial | UnsetType = UNSET
        if not isinstance(facts.trial, UnsetType):
            self._trials[part.id] = facts.trial
            trial = self._trial()
        merged = Facts(
            head=merge_heads(self.head, self._heads) if facts.head is not None else None,
            columns=tuple(self._column(part, column) for column in facts.columns),
            states=_rename(part, facts.states),
            changes=_rename(part, facts.changes),
            forgotten=tuple(shared_key(key, part.number) for key in facts.forgotten),
            removed=tuple(shared_key(key, part.number) for key in facts.removed),
            trial=trial,
        )
        about = tuple(shared_key(key, part.number) for key in entry.about)
        return replace(
            entry, seq=self.seq, facts=merged, text=f"{part.machine}: {entry.text}" if entry.text else "", about=about
        )

    def _column(self, part: Part, column: Column) -> Column:
        if column.key == MACHINE and column.engine is None and (head := self._heads[part.machine]).engine:
            column = replace(
                column, engine=ReportedEngine(head.engine, head.engine_kind)
            )  # a lab of an earlier version
        return shared_column(column, part.number, part.machine)

    def _trial(self) -> Trial:
        """The newest requests of every part."""
        newest = [(part, self._trials[part.id]) for part in self.parts if part.id in self._trials]
        attempts = [shared_attempt(attempt, part.number) for part, trial in newest for attempt in trial.attempts]
        return Trial(
            tuple(attempts[:MAX_ATTEMPTS]),
            max((trial.at for _part, trial in newest), default=0.0),
            sum(trial.number for _part, trial in newest),
        )


def shared_attempt(attempt: Attempt, number: int) -> Attempt:
    """A request on the machine ``number`` among those on all machines."""
    return replace(
        attempt,
        origin=shared_key(attempt.origin, number),
        server=shared_key(attempt.server, number),
        key=shared_request(attempt.key, number),
    )


def shared_request(key: str, number: int) -> str:
    """The key of a path or request, which begins with that of a column, among those of all machines."""
    column, slash, rest = key.partition("/")
    return f"{shared_key(column, number)}{slash}{rest}"


def _rename[T](part: Part, values: Mapping[str, T]) -> dict[str, T]:
    return {shared_key(key, part.number): value for key, value in values.items()}


def number_to_show(shown: Mapping[str, int], entries: Iterable[tuple[str, Entry]]) -> int:
    """The number in the merged journal that an ended experiment shows: the last one before the first part was stopped.
    ``shown`` has the entry that each ended part shows, for parts that were stopped; ``entries`` are those of all parts.
    0 without one."""
    seen: dict[str, int] = {}
    for identity, entry in entries:
        seen[identity] = entry.seq
        if shown.get(identity, 0) and entry.seq >= shown[identity]:
            return FIRST + sum(seen.values())
    return 0
