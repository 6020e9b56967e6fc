"""The JSON shapes that the program publishes; ``core.operations.json_schemas`` exports their JSON Schemas.

Field names and meanings are contracts (docs/api.md): fields are added, never changed.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.namespaces.state import NamespaceState


class Relation(StrEnum):
    """How the cells of a row relate, after normalisation."""

    SAME = "same"
    DIFFERS = "differs"
    ONLY = "only"
    UNKNOWN = "unknown"  # what is visible does not differ, but a column is not visible


class ArmStatus(StrEnum):
    """The status of an arm."""

    WAITING = "waiting"
    CREATED = "created"
    RUNNING = "running"
    REFUSED = "refused"  # by the Engine; ``error`` has its message
    EXITED = "exited"
    GONE = "gone"  # stopped and removed by Netmodes
    LOST = "lost"  # removed outside Netmodes


class LaunchStep(StrEnum):
    """What a launch does for an arm, in this order."""

    IMAGE = "image"
    NETWORK = "network"
    CREATE = "create"
    START = "start"
    READ = "read"  # the first observation of its namespace


@dataclass(frozen=True, slots=True)
class EngineRef:
    """An engine. ``private`` is true for a private host."""

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
    """What an engine reports about itself and its kernel. ``userland_proxy``: whether it starts docker-proxy, None if
    it does not report that; ``drivers`` are its network drivers."""

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
    """A port mapping: in ``published`` the actual one (NetworkSettings.Ports), in ``asked`` the requested one
    (HostConfig.PortBindings), with host_port 0 if the Engine chooses."""

    container_port: int
    protocol: str
    host_address: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column, without its state. The machine's column has the key ``machine``, no container, and the kind of engine.

    ``command`` is the ``docker run`` line; ``setup`` the ``docker network create`` line before it, if there is one.
    ``invisible`` is the reason if the network stack of a running column cannot be read from here. ``step`` is the
    current step of its launch, where the status does not show it. ``engine`` is what the engine of a machine's column
    reports. ``machine`` is the name of the column's machine if the experiment runs on several, ``absent`` why the
    columns of that machine do not change now, and ``note`` another state of the machine, such as that it is drained.
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
    """One line of the comparison. ``cells`` holds text per column, None where there is nothing; ``absent`` gives the
    word to show for nothing; ``notes`` a small remark per cell; ``why`` the reason in one sentence (differences only);
    ``normalised`` holds the values that cells are compared by, where these are not their texts; ``detail`` rows are
    folded at first."""

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
        """Whether columns are known to differ."""
        return self.relation in {Relation.DIFFERS, Relation.ONLY}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference in a sentence. ``why`` is the reason that the row gives; ``row`` is the id of the row that proves
    it; ``rule`` is the name of the rule that found it, ``section`` if no rule did."""

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
    """The comparison in sentences: what differs, the most important first, what is the ``same`` in every column, and
    ``trouble`` with arms that do not run. ``holders`` has an entry for each sentence of ``trouble``: the other
    experiment that holds the port, or None."""

    differences: tuple[Difference, ...] = ()
    same: str = ""
    trouble: tuple[str, ...] = ()
    holders: tuple[ExperimentRef | None, ...] = ()


NO_ANSWER = Answer()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The document ``comparison/1``: columns with their states and rows."""

    engine: EngineRef
    columns: tuple[Column, ...]
    states: dict[str, NamespaceState]
    rows: tuple[Row, ...]
    schema: str = "comparison/1"
    report: str | None = None


@dataclass(frozen=True, slots=True)
class ModeReport:
    """The availability of one mode: ``reason`` if it is not available, ``note`` on what it requires if it is
    available."""

    mode: str
    available: bool
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """The document ``doctor/1``: the available modes and the results of all checks."""

    engine: EngineRef | None
    modes: tuple[ModeReport, ...]
    checks: tuple[Check, ...]
    schema: str = "doctor/1"


def encode(value: object) -> bytes:
    """A value as JSON, with keys in the order of its type, in UTF-8."""
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


ENDED = frozenset({Phase.STOPPED, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class ExperimentHead:
    """The experiment as a whole. Times in seconds since the epoch.

    ``problem`` is the current problem (engine unavailable, disk full); ``proof`` the cleanup check; ``as_it_was`` is
    set if a stopped experiment is shown in an earlier state. ``round`` counts the requested launches from 1.
    ``measurement`` is the newest measurement of this round, and ``measured`` its headline, empty if it proves nothing;
    ``tried`` is the result, in words, of the last requests over every path in this round. ``engine_away``: the engine
    does not answer; ``startable``: Netmodes can start it when the user wants it.
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
    """One item of the timeline. ``offset_s`` counts from the first entry."""

    seq: int
    at: float
    offset_s: float
    text: str
    cause: str
    columns: tuple[str, ...] = ()
