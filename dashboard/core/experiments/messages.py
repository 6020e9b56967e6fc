"""The JSON shapes that the program publishes. ``core.operations.json_schemas`` exports their JSON Schemas.

Field names and meanings are contracts (docs/api.md): fields are added, never changed.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.namespaces.state import NamespaceState


class Relation(StrEnum):
    """How the cells of a row relate to each other. Their normalised values are compared."""

    SAME = "same"
    DIFFERS = "differs"
    ONLY = "only"
    UNKNOWN = "unknown"  # what is visible does not differ, but a column is not visible


class ArmStatus(StrEnum):
    """The status of an arm. ``GONE``: Netmodes removed its container. ``LOST``: it was removed outside Netmodes."""

    WAITING = "waiting"
    CREATED = "created"
    RUNNING = "running"
    REFUSED = "refused"  # by the Engine; ``error`` has its message
    EXITED = "exited"
    GONE = "gone"
    LOST = "lost"


class LaunchStep(StrEnum):
    """The steps of an arm's launch, in this order."""

    IMAGE = "image"
    NETWORK = "network"
    CREATE = "create"
    START = "start"
    READ = "read"  # the first observation of its namespace


@dataclass(frozen=True, slots=True)
class EngineRef:
    """Identifies an engine. ``private`` is true for a private host."""

    version: str
    api: str
    name: str = ""
    kernel: str = ""
    system: str = ""
    private: bool = False
    endpoint: str = ""
    kind: EngineKind = EngineKind.DOCKER


@dataclass(frozen=True, slots=True)
class ReportedEngine:
    """What an engine reports about itself and its kernel. ``userland_proxy`` is whether the engine starts docker-proxy,
    None if unknown. ``drivers`` are its network drivers."""

    version: str
    kind: EngineKind = EngineKind.DOCKER
    api: str = ""
    kernel: str = ""
    system: str = ""
    firewall: str = ""
    userland_proxy: bool | None = None
    cgroups: str = ""
    drivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """A container, as the Engine identifies it."""

    id: str
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port mapping. ``Column.published`` has the actual mappings (NetworkSettings.Ports), ``Column.asked`` the
    requested ones (HostConfig.PortBindings), with host_port 0 if the Engine chooses the port."""

    container_port: int
    protocol: str
    host_address: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column without its state. The machine's column has the key ``machine`` and no container.

    ``command`` is the ``docker run`` line of an arm. ``setup`` is the ``docker network create`` line that it needs
    first. ``invisible`` is the reason why the network stack of a running column cannot be read from here. ``step`` is
    the current step of the arm's launch if ``status`` does not show it. Only the machine's column has ``engine_kind``
    and ``engine`` set. On several machines, ``machine`` is the name of the column's machine. ``absent`` is the reason
    why the columns of this machine do not change now, and ``note`` another remark about it, such as that it is drained.
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
    engine_kind: EngineKind = EngineKind.DOCKER
    invisible: str = ""
    step: LaunchStep | None = None
    engine: ReportedEngine | None = None
    machine: str = ""
    absent: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the comparison. ``cells`` has a value for each column; None if there is nothing to show. ``absent``
    has texts to show instead of None, such as “not published”. ``notes`` are short remarks on cells. ``why`` is the
    reason for a difference, one sentence. ``normalised`` has the values that are compared instead of the texts in
    ``cells``. Rows with ``detail`` are folded at first."""

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
    detail: bool = False

    @property
    def differs(self) -> bool:
        """Whether the row shows a difference between columns."""
        return self.relation in {Relation.DIFFERS, Relation.ONLY}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference as a sentence. ``why`` is the reason that the row gives, ``row`` the id of the row that proves it.
    ``rule`` is the name of the rule that found the difference, or the word ``section`` if no rule did."""

    rule: str
    sentence: str
    why: str
    row: str


@dataclass(frozen=True, slots=True)
class ExperimentRef:
    """A reference to another experiment."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The comparison in sentences. ``differences`` begins with the most important one. ``same`` states what is the same
    in every column. ``trouble`` has sentences about arms that do not run. ``holders`` has, for each sentence in
    ``trouble``, the other experiment that holds the arm's port, or None."""

    differences: tuple[Difference, ...] = ()
    same: str = ""
    trouble: tuple[str, ...] = ()
    holders: tuple[ExperimentRef | None, ...] = ()


NO_ANSWER = Answer()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The document ``comparison/1``: the columns, their states, the rows, and the id of the saved ``report``."""

    engine: EngineRef
    columns: tuple[Column, ...]
    states: dict[str, NamespaceState]
    rows: tuple[Row, ...]
    schema: str = "comparison/1"
    report: str | None = None


@dataclass(frozen=True, slots=True)
class ModeReport:
    """Whether a mode is available. ``reason`` tells why not; ``note`` tells what an available mode requires."""

    mode: str
    available: bool
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check of the doctor or of the cleanup."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """The document ``doctor/1``: which modes are available, and the results of all checks."""

    engine: EngineRef | None
    modes: tuple[ModeReport, ...]
    checks: tuple[Check, ...]
    schema: str = "doctor/1"


def encode(value: object) -> bytes:
    """Returns a value as JSON in UTF-8, with the keys in the order in which its type declares the fields."""
    return msgspec.json.encode(value)


class Phase(StrEnum):
    """The phase of an experiment."""

    WAITING = "waiting"  # requested, not started by the lab
    PREPARING = "preparing"  # image or networks
    LAUNCHING = "launching"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"  # no arm could be launched


STARTING = frozenset({Phase.WAITING, Phase.PREPARING, Phase.LAUNCHING})
ENDED = frozenset({Phase.STOPPED, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class ExperimentHead:
    """The experiment as a whole, without its columns. Times are in seconds since the epoch.

    ``problem`` is the current problem, such as a full disk. ``proof`` has the checks that nothing is left after a stop.
    ``as_it_was`` is the time of the state that is shown; None for the current state. ``round`` counts the requested
    launches from 1. ``measurement`` is the id of the round's newest measurement. ``measured`` is its headline, empty if
    it proves nothing. ``tried`` states the result of the round's last requests over every path. ``engine_away``: the
    engine does not answer. ``startable``: Netmodes can start the engine if the user wants that.
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
    engine_kind: EngineKind = EngineKind.DOCKER
    measured: str = ""
    measurement: str = ""
    engine_away: bool = False
    startable: bool = False
    tried: str = ""


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One item of the timeline. ``offset_s`` is the time since the first entry of the journal."""

    seq: int
    at: float
    offset_s: float
    text: str
    cause: str
    columns: tuple[str, ...] = ()
