"""The shapes that leave the program, as types; ``core.operations.json_schemas`` exports their JSON Schemas.

Field names and meanings are contracts (docs/api.md): they are added to, never changed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dashboard.core.namespaces.state import NamespaceState


class Relation(StrEnum):
    """How the cells of one row relate, after noise is normalised."""

    SAME = "same"
    DIFFERS = "differs"
    ONLY = "only"


class ArmStatus(StrEnum):
    """What became of one arm."""

    WAITING = "waiting"
    CREATED = "created"
    RUNNING = "running"
    REFUSED = "refused"  # the Engine said no; ``error`` holds its words
    EXITED = "exited"
    GONE = "gone"  # stopped and removed by us
    LOST = "lost"  # removed outside Netmodes


@dataclass(frozen=True, slots=True)
class EngineRef:
    """Which engine this is. ``private`` is true for a host that Netmodes started itself."""

    version: str
    api: str
    name: str = ""
    kernel: str = ""
    system: str = ""
    private: bool = False
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """A container as the Engine names it."""

    id: str
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """One mapping. In ``published``: what the Engine really did (NetworkSettings.Ports);
    in ``asked``: what was asked (HostConfig.PortBindings), host_port 0 when left open."""

    container_port: int
    protocol: str
    host_address: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Column:
    """The head of one column. The machine's column has key ``machine``, no container.

    ``command`` is the line that a person would type, ``setup`` the one before it where the mode needs a network.
    """

    key: str
    mode: str
    title: str
    container: ContainerRef | None = None
    command: str = ""
    setup: str = ""
    warnings: tuple[str, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    asked: tuple[PublishedPort, ...] = ()
    status: ArmStatus = ArmStatus.RUNNING
    error: str | None = None
    exit_code: int | None = None
    logs: tuple[str, ...] = ()
    networks: dict[str, str] = dataclasses.field(default_factory=dict)  # name -> address assigned by the Engine
    target: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison. ``cells`` holds text per column, None where there is nothing;
    ``absent`` gives the word to show for nothing; ``notes`` a small remark per cell;
    ``why`` one sentence that says why it is so (differences only); ``normalised`` holds what cells are compared by,
    where that is not their text."""

    section: str
    key: str
    field: str
    cells: dict[str, str | None]
    relation: Relation
    label: str = ""
    why: str = ""
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    normalised: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``comparison/1``."""

    engine: EngineRef
    columns: tuple[Column, ...]
    states: dict[str, NamespaceState]
    rows: tuple[Row, ...]
    schema: str = "comparison/1"
    report: str | None = None


@dataclass(frozen=True, slots=True)
class ModeReport:
    """One line of the doctor's table."""

    mode: str
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the doctor looked at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """``doctor/1``."""

    engine: EngineRef | None
    modes: tuple[ModeReport, ...]
    checks: tuple[Check, ...]
    schema: str = "doctor/1"


def encode(value: object) -> bytes:
    """JSON of any shape, keys in the order of the types, UTF-8."""
    return msgspec.json.encode(value)


class Phase(StrEnum):
    """Where an experiment stands."""

    WAITING = "waiting"  # asked for, the lab has not begun
    PREPARING = "preparing"  # image or networks
    LAUNCHING = "launching"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"  # no arm could be launched


@dataclass(frozen=True, slots=True)
class ExperimentHead:
    """What stands above the columns. Times in seconds since the epoch.

    ``problem`` says what is wrong now (engine away, disk full) and since when; ``proof`` what was
    looked at after the cleanup; ``as_it_was`` is set where a stopped experiment is shown as it was then.
    ``round`` counts the launches asked for, from 1 on.
    """

    id: str
    title: str
    image: str
    port: int
    phase: Phase
    created_at: float
    started_at: float | None = None
    stopped_at: float | None = None
    engine: str = ""
    private: bool = False
    notice: str = ""
    progress: str = ""
    fraction: float | None = None
    problem: str = ""
    problem_since: float | None = None
    proof: tuple[Check, ...] = ()
    as_it_was: float | None = None
    round: int = 0


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One line of what happened. ``offset_s`` counts from the first entry."""

    seq: int
    at: float
    offset_s: float
    text: str
    cause: str
    columns: tuple[str, ...] = ()
