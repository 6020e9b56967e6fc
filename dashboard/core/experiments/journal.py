"""The append-only journal of an experiment. Its entries, applied one after the other, result in a view: the state of
the whole experiment.

The live page shows the view after all entries, a replay the view after an earlier one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from dashboard.core.experiments.machines.groups import sort_by_machine
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentHead, Phase
from dashboard.core.namespaces.delta import Changes, apply
from dashboard.core.namespaces.state import NamespaceState


class Source(StrEnum):
    """Who or what caused an entry."""

    PERSON = "person"
    LAB = "lab"
    ENGINE = "engine"
    KERNEL = "kernel"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an entry was written. ``detail`` names the event, such as ``network connect`` or ``address eth0``. ``actor``
    is the process or person, empty if unknown."""

    source: Source
    detail: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one request over a path.

    ``path`` is the kind of the path. ``origin`` and ``server`` are the keys of the client's and the server's columns.
    ``key`` is the key of the request (``core.paths.requests.request_key``). ``client_seen`` is the client's address as
    the server's socket sees it. ``unavailable`` is the reason why the path does not exist.

    A multicast datagram has no ``status``. If the server received it, ``reason`` states that. If it could not reach the
    server, ``unavailable`` is the reason.
    """

    path: str
    title: str
    origin: str
    server: str
    url: str
    curl: str
    status: int | None = None
    reason: str = ""
    body_start: str = ""
    time_us: int | None = None
    client_seen: str = ""
    error: str = ""
    unavailable: str = ""
    key: str = ""

    @property
    def result(self) -> str:
        """The status of the response; without a response, the reason why there was none."""
        status = "" if self.status is None else str(self.status)
        return f"{status} {self.reason}".strip() or self.error or self.unavailable


@dataclass(frozen=True, slots=True)
class Trial:
    """The results of one use of “Try”, which sends a request over every path. ``number`` counts the trials from 1 since
    the last launch. ``at`` is the time in seconds since the epoch."""

    attempts: tuple[Attempt, ...] = ()
    at: float = 0.0
    number: int = 0


NO_TRIAL = Trial()


@dataclass(frozen=True, slots=True)
class Facts:
    """The changes that one entry makes to the view. A field that is None or empty changes nothing.

    ``columns`` adds or replaces columns. ``removed`` has the keys of columns to remove. ``states`` replaces the states
    of columns, and ``changes`` updates them. Columns in ``forgotten`` remain, but lose their state. ``trial`` replaces
    the results of the newest requests, unless it is UNSET.
    """

    head: ExperimentHead | None = None
    columns: tuple[Column, ...] = ()
    states: dict[str, NamespaceState] = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    trial: Trial | UnsetType = UNSET


def stopped(
    head: ExperimentHead, columns: Iterable[Column], at: float, notice: str, requested_round: int
) -> tuple[ExperimentHead, Facts]:
    """Returns the head of an experiment after a stop, and the facts that record the stop in the journal.

    ``head`` and ``columns`` are those before the stop. ``notice`` becomes the notice of the new head. The containers
    must already have been removed. ``requested_round`` is the newest round that was requested. The stop ends it even if
    no lab has begun it. If no lab has ever begun a round, the head has none.
    """
    gone = tuple(
        replace(column, status=ArmStatus.GONE, published=())
        if column.container or column.status is ArmStatus.WAITING
        else column
        for column in columns
    )
    ended_round = requested_round if head.round else 0
    head = replace(head, phase=Phase.STOPPED, stopped_at=at, notice=notice, round=ended_round)
    return head, Facts(head=head, columns=gone)


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered entry of a journal. ``at`` is in seconds since the epoch. The timeline omits an entry with an empty
    ``text``. ``about`` has the keys of the columns that the text concerns."""

    seq: int
    at: float
    cause: Cause
    facts: Facts
    text: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The experiment as it is after the journal entry ``seq``."""

    seq: int = 0
    head: ExperimentHead | None = None
    columns: tuple[Column, ...] = ()
    states: dict[str, NamespaceState] = field(default_factory=dict)
    trial: Trial = NO_TRIAL


def advance(view: View, entry: Entry) -> View:
    """Returns the view after one more entry. Entries must come in order; an entry that the view already contains is
    ignored."""
    if entry.seq <= view.seq:
        return view
    facts = entry.facts
    columns = view.columns
    if facts.columns or facts.removed:
        new = {column.key: column for column in facts.columns}
        kept = [new.pop(column.key, column) for column in columns if column.key not in facts.removed]
        columns = sort_by_machine((*kept, *new.values()))
    states = view.states
    if facts.states or facts.changes or facts.removed or facts.forgotten:
        gone = {*facts.removed, *facts.forgotten}
        states = {key: state for key, state in states.items() if key not in gone}
        states.update(facts.states)
        for key, changes in facts.changes.items():
            if key in states:
                states[key] = apply(states[key], changes)
    trial = view.trial if isinstance(facts.trial, UnsetType) else facts.trial
    return View(entry.seq, facts.head or view.head, columns, states, trial)


def replay(entries: Iterable[Entry], view: View | None = None) -> View:
    """Returns the view after ``entries``. They are applied to ``view``; if it is None, to an empty view."""
    view = view or View()
    for entry in entries:
        view = advance(view, entry)
    return view


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Facts)


def encode_facts(facts: Facts) -> str:
    """Returns the facts as JSON text, as the database stores them."""
    return _encoder.encode(facts).decode()


def decode_facts(text: str | bytes) -> Facts:
    """Returns the facts that a JSON text contains. Raises msgspec.ValidationError if it is malformed."""
    return _decoder.decode(text)


def entry_size(entry: Entry) -> int:
    """The size of an entry in the database in bytes, without its part of the indexes."""
    about = sum(map(len, entry.about))
    return len(_encoder.encode(entry.facts)) + len(entry.text.encode()) + about + len(entry.cause.detail)
