"""Merges the journals of the parts of an experiment on several machines into one, in the order in which the entries
were stored.

The live page, the page of a past moment and a report can therefore use it like the journal of one machine. The first
entry has number 1 and belongs to no part. It has the columns of all machines, including machines without a lab. The
number of a later entry is 1 plus the sum, over all parts, of the number of the part's newest entry so far. It grows
with every entry and does not depend on the machines' clocks, so each web process derives the same number.

A lab writes only the journal of its own part. If it nevertheless records facts about columns of other machines, the
merged journal leaves these facts out.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec import UNSET, UnsetType

from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, Trial
from dashboard.core.experiments.machines.groups import shared_column, shared_key
from dashboard.core.experiments.machines.heads import merge_heads
from dashboard.core.experiments.machines.parts import Part, waiting_columns
from dashboard.core.experiments.messages import Column, ExperimentHead, Phase, ReportedEngine
from dashboard.core.modes import MACHINE, OBSERVERS

#: The number of the first entry.
FIRST = 1
#: The beginning of the first entry's text.
LAUNCH_REQUESTED = "Launch requested on "
#: The maximum number of requests in a trial, the same as in a report. Three modes on three machines have 70.
MAX_ATTEMPTS = 400
#: The maximum time between the trials of two parts that one use of “Try” has started, in seconds. Requests from other
#: machines end after 40 s, and those of a lab itself after about as long.
TRIAL_S = 120.0


@dataclass(slots=True)
class MergedJournal:
    """The merged journal of all parts, as far as their entries were added.

    ``head`` is the head of the experiment before anything runs. ``seen`` maps the id of each part to the number of its
    newest entry. ``last_at`` is the time of the newest entry. After a requested stop of all parts, ``requested`` has
    the phases in which the parts are shown (``requested_phase``), because the lab of an absent machine cannot record
    the stop. Otherwise ``requested`` is empty.
    """

    head: ExperimentHead
    parts: Sequence[Part]
    seen: dict[str, int] = field(default_factory=dict)
    requested: tuple[Phase, ...] = ()
    last_at: float = 0.0
    _heads: dict[str, ExperimentHead] = field(default_factory=dict)
    _trials: dict[str, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen = {part.id: 0 for part in self.parts}
        self._heads = {part.machine: replace(self.head, id=part.id) for part in self.parts}

    def copy(self) -> "MergedJournal":
        """Returns an independent copy: extending it does not change this journal."""
        copied = MergedJournal(self.head, self.parts, requested=self.requested, last_at=self.last_at)
        copied.seen, copied._heads, copied._trials = dict(self.seen), dict(self._heads), dict(self._trials)
        return copied

    @property
    def seq(self) -> int:
        """The number of the newest entry in the merged journal."""
        return FIRST + sum(self.seen.values())

    def first(self) -> Entry:
        """Returns the first entry of the merged journal. It precedes the entries of the parts."""
        names = [part.machine for part in self.parts]
        text = f"{LAUNCH_REQUESTED}{', '.join(names[:-1])} and {names[-1]}"
        facts = Facts(head=self.head, columns=waiting_columns(self.parts))
        return Entry(FIRST, self.head.created_at, Cause(Source.PERSON, "launch"), facts, text)

    def extend(self, entries: Iterable[tuple[str, Entry]]) -> Iterator[Entry]:
        """Adds new entries, each with the id of the part that it belongs to. Yields the resulting entries of the merged
        journal. Skips entries that were added before."""
        parts = {part.id: part for part in self.parts}
        for identity, entry in entries:
            if entry.seq > self.seen[identity]:
                self.seen[identity] = entry.seq
                self.last_at = max(self.last_at, entry.at)
                yield self._merge(parts[identity], entry)

    def _merge(self, part: Part, entry: Entry) -> Entry:
        facts, own = entry.facts, _columns_of(part)
        if facts.head is not None:
            self._heads[part.machine] = facts.head
        trial: Trial | UnsetType = UNSET
        if not isinstance(facts.trial, UnsetType):
            others = {arm.key for other in self.parts if other is not part for arm in other.arms}
            attempts = tuple(
                attempt for attempt in facts.trial.attempts if not _concerns_other_machine(attempt, others)
            )
            self._trials[part.id] = replace(facts.trial, attempts=attempts)
            trial = self._trial()
        merged = Facts(
            head=self._merge_heads() if facts.head is not None or trial is not UNSET else None,
            columns=tuple(self._column(part, column) for column in facts.columns if column.key in own),
            states={own[key]: state for key, state in facts.states.items() if key in own},
            changes={own[key]: changes for key, changes in facts.changes.items() if key in own},
            forgotten=tuple(own[key] for key in facts.forgotten if key in own),
            removed=tuple(own[key] for key in facts.removed if key in own),
            trial=trial,
        )
        about = tuple(own[key] for key in entry.about if key in own)
        text = f"{part.machine}: {entry.text}" if entry.text else ""
        return replace(entry, seq=self.seq, facts=merged, text=text, about=about)

    def _column(self, part: Part, column: Column) -> Column:
        head = self._heads[part.machine]
        if column.key == MACHINE and column.engine is None and head.engine:  # from a lab of an earlier version
            column = replace(column, engine=ReportedEngine(head.engine, head.engine_kind))
        return shared_column(column, part.number, part.machine)

    def _newest_trials(self) -> dict[str, Trial]:
        """Returns the trials of the last use of “Try”, by the id of the part. Parts whose machine was absent then have
        none: their latest trial is of an earlier use."""
        last = max((trial.at for trial in self._trials.values()), default=0.0)
        return {part: trial for part, trial in self._trials.items() if trial.at >= last - TRIAL_S}

    def _trial(self) -> Trial:
        """Merges the newest trials of the parts into one. A trial has the results of one use of “Try”."""
        newest = self._newest_trials()
        attempts = [
            shared_attempt(attempt, part.number)
            for part in self.parts
            if part.id in newest
            for attempt in newest[part.id].attempts
        ]
        return Trial(
            tuple(attempts[:MAX_ATTEMPTS]),
            max((trial.at for trial in newest.values()), default=0.0),
            sum(trial.number for trial in self._trials.values()),
        )

    def _merge_heads(self) -> ExperimentHead:
        """Merges the heads of all parts. Omits sentences about trials that ``_trial`` omits."""
        outdated = self._trials.keys() - self._newest_trials()
        without = {part.machine for part in self.parts if part.id in outdated}
        heads = {
            machine: replace(head, tried="") if machine in without else head for machine, head in self._heads.items()
        }
        return merge_heads(self.head, heads)


def _columns_of(part: Part) -> dict[str, str]:
    """Returns the keys of the columns that the lab of a part observes, as a mapping: from the key in that lab to the
    key that is unique among all machines."""
    return {key: shared_key(key, part.number) for key in (*OBSERVERS, *(arm.key for arm in part.arms))}


def _concerns_other_machine(attempt: Attempt, others: Collection[str]) -> bool:
    """Whether a request names a column of another machine. That is an arm in ``others``, or a key with a machine's
    number. An origin such as ``@lab2`` is not a column, but the machine that sent the request."""
    columns = (attempt.origin, attempt.server, attempt.key.partition("/")[0])
    return any(column in others or "@" in column[1:] for column in columns)


def shared_attempt(attempt: Attempt, number: int) -> Attempt:
    """Converts the keys in the result of a request on machine ``number`` to keys that are unique among all machines."""
    return replace(
        attempt,
        origin=shared_key(attempt.origin, number),
        server=shared_key(attempt.server, number),
        key=shared_request(attempt.key, number),
    )


def shared_request(key: str, number: int) -> str:
    """Converts the key of a path or request on machine ``number`` to a key that is unique among all machines. ``key``
    begins with the key of a column."""
    column, slash, rest = key.partition("/")
    return f"{shared_key(column, number)}{slash}{rest}"


def number_to_show(part: str, seq: int, entries: Iterable[tuple[str, Entry]]) -> int:
    """Returns the number, in the merged journal, of the first entry of ``part`` whose own number is at least ``seq``; 0
    if no entry is. ``entries`` are the entries of all parts in the order of the merged journal, each with the id of its
    part."""
    seen: dict[str, int] = {}
    for identity, entry in entries:
        seen[identity] = entry.seq
        if identity == part and entry.seq >= seq:
            return FIRST + sum(seen.values())
    return 0
