"""The append-only journal of an experiment, and the view that results from it.

The live view applies all entries; a replay applies only the first ones.
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
    """What caused an entry."""

    PERSON = "person"
    LAB = "lab"
    ENGINE = "engine"
    KERNEL = "kernel"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an entry was written: ``detail`` names the event (``network connect``, ``address eth0``), ``actor`` the
    process or person, if known."""

    source: Source
    detail: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one request. ``path`` is the kind of the path, ``origin`` the client's column and ``key`` the
    ``request_key``. ``client_seen`` is the peer of the server's socket. ``unavailable`` is the reason why the path does
    not exist. A multicast datagram has no status: ``reason`` states that it was received; where none was expected,
    ``unavailable`` is the reason."""

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
        """The response's status, otherwise the reason why it is missing."""
        status = "" if self.status is None else str(self.status)
        return f"{status} {self.reason}".strip() or self.error or self.unavailable


@dataclass(frozen=True, slots=True)
class Trial:
    """The newest requests over every path: ``number`` counts them in this round, ``at`` is in seconds since the
    epoch."""

    attempts: tuple[Attempt, ...] = ()
    at: float = 0.0
    number: int = 0


NO_TRIAL = Trial()


@dataclass(frozen=True, slots=True)
class Facts:
    """The changes that an entry makes; None and empty mean none.

    ``states`` replaces the states of columns, ``changes`` updates them, ``forgotten`` columns lose their state.
    ``columns`` sets columns; ``removed`` removes them. ``trial`` replaces the newest requests; UNSET: unchanged.
    """

    head: ExperimentHead | None = None
    columns: tuple[Column, ...] = ()
    states: dict[str, NamespaceState] = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    trial: Trial | UnsetType = UNSET


def stopped(head: ExperimentHead, columns: Iterable[Column], at: float, notice: str) -> tuple[ExperimentHead, Facts]:
    """The head of an experiment that has stopped and has no containers, and the changes for its journal."""
    gone = tuple(
        replace(column, status=ArmStatus.GONE, published=())
        if column.container or column.status is ArmStatus.WAITING
        else column
        for column in columns
    )
    head = replace(head, phase=Phase.STOPPED, stopped_at=at, notice=notice)
    return head, Facts(head=head, columns=gone)


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered entry; ``at`` in seconds since the epoch; an empty ``text`` is not shown in the timeline."""

    seq: int
    at: float
    cause: Cause
    facts: Facts
    text: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """An experiment after the entry ``seq``."""

    seq: int = 0
    head: ExperimentHead | None = None
    columns: tuple[Column, ...] = ()
    states: dict[str, NamespaceState] = field(default_factory=dict)
    trial: Trial = NO_TRIAL


def advance(view: View, entry: Entry) -> View:
    """The view after one more entry. Entries must be in order; an entry that is already applied changes nothing."""
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
    """The view after all ``entries``, starting from ``view``."""
    view = view or View()
    for entry in entries:
        view = advance(view, entry)
    return view


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Facts)


def encode_facts(facts: Facts) -> str:
    """The facts as JSON text for the database."""
    return _encoder.encode(facts).decode()


def decode_facts(text: str | bytes) -> Facts:
    """The facts from JSON text; msgspec.ValidationError if they are malformed."""
    return _decoder.decode(text)


def entry_size(entry: Entry) -> int:
    """The bytes of an entry in the database, without its index."""
    about = sum(map(len, entry.about))
    return len(_encoder.encode(entry.facts)) + len(entry.text.encode()) + about + len(entry.cause.detail)
