"""Prepares machines for the page of all machines."""

import hashlib
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import __version__
from dashboard.core.experiments.engine_kind import ENGINE_NAMES, EngineKind
from dashboard.core.operations.machines import (
    SERVER,
    MachineFacts,
    MachineRecord,
    MachineState,
    state_of,
    version_problem,
)
from dashboard.store import machines
from dashboard.store.training.host_placement import count_hosts
from dashboard.store.unsettled import count_running
from dashboard.web.service import service

#: The record for the installation's own machine, which has no row, no labels and no commands.
_OWN = MachineRecord(SERVER, MachineFacts(), {}, False, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MachineLine:
    """A machine as a line of the page. ``engine`` is the engine's name and version.

    ``lag_s`` is the number of seconds since the last heartbeat; None if none has arrived. ``problem`` is the reason why
    the state needs attention, or names what still runs on a drained machine.
    """

    record: MachineRecord
    state: MachineState
    engine: str
    lag_s: float | None
    problem: str = ""

    @property
    def is_own(self) -> bool:
        """Whether this is the installation's own machine."""
        return self.record.name == SERVER

    @property
    def is_connected(self) -> bool:
        """Whether the machine's lab sends heartbeats."""
        return self.lag_s is not None and self.state not in {MachineState.ABSENT, MachineState.REVOKED}

    @property
    def is_usable(self) -> bool:
        """Whether the state needs no attention: connected, draining or, for the installation's own machine, no lab."""
        return self.state in {MachineState.CONNECTED, MachineState.DRAINING, MachineState.NO_LAB}

    @property
    def memory_gb(self) -> float:
        """The machine's memory in GiB."""
        return self.record.facts.memory_mb / 1024


def _engine_name(kind: str, version: str) -> str:
    if not version:
        return ""
    name = ENGINE_NAMES.get(EngineKind(kind), kind) if kind in set(EngineKind) else kind
    return f"{name} {version}"


def _line(record: MachineRecord) -> MachineLine:
    lab = service.labs.of(record.name) if service.labs is not None else None
    engine = lab.facts.engine if lab is not None else None
    is_connected = lab is not None and lab.is_connected
    state = state_of(record, is_connected=is_connected, has_engine=engine is not None, server_version=__version__)
    problem = ""
    if state is MachineState.NO_ENGINE and lab is not None:
        problem = lab.facts.problem
    elif state is MachineState.WRONG_VERSION:
        problem = version_problem(__version__, record.facts.version) or ""
    elif state is MachineState.DRAINING:
        problem = _describe_drain(record.name)
    return MachineLine(
        record,
        state,
        _engine_name(record.facts.engine, record.facts.engine_version),
        lab.silent_s if lab is not None else None,
        problem,
    )


def _describe_drain(machine: str) -> str:
    hosts, others = count_hosts(machine), count_running(machine)
    if not hosts and not others:
        return _("Nothing runs on this machine: it can be upgraded now.")
    counts = [
        ngettext("%d private host", "%d private hosts", hosts) % hosts,
        ngettext("%d experiment or run", "%d experiments or runs", others) % others,
    ]
    used = ", ".join(text for text, count in zip(counts, (hosts, others), strict=True) if count)
    advice = _("Open the console of their training session to move the hosts to another machine.") if hosts else ""
    return f"{_('Still in use: %s.') % used} {advice}".rstrip()


def _own_line() -> MachineLine | None:
    """Returns the line of the installation's own machine; None in an installation that machines cannot join."""
    if service.labs is None:
        return None
    lab = service.labs.server
    if lab.silent_s is None:
        return MachineLine(_OWN, MachineState.NO_LAB, "", None, lab.facts.problem)
    engine = lab.facts.engine
    facts = MachineFacts(capacity=lab.capacity, kernel=engine.kernel if engine is not None else "", version=lab.version)
    record = replace(_OWN, facts=facts)
    state = state_of(record, is_connected=lab.is_connected, has_engine=engine is not None, server_version=__version__)
    name = _engine_name(engine.kind, engine.version) if engine is not None else ""
    return MachineLine(record, state, name, lab.silent_s, "" if engine is not None else lab.facts.problem)


def list_lines() -> tuple[MachineLine, ...]:
    """Returns the lines of all machines: first the installation's own, last the revoked ones."""
    own, lines = _own_line(), [_line(record) for record in machines.list_machines()]
    joined = sorted(lines, key=lambda line: (line.record.is_revoked, line.record.name))
    return (*([own] if own is not None else []), *joined)


def stamp_of(lines: tuple[MachineLine, ...]) -> str:
    """Returns a hash of everything in the lines except the times of heartbeats. If it changes, open pages show the new
    lines."""
    shown = [(line.is_connected, replace(line, lag_s=None, record=replace(line.record, seen_at=0.0))) for line in lines]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
