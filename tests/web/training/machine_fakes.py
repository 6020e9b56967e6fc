"""Machines that have joined, as a web process sees them. Tests set which of them respond."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import NO_LAB, LabFacts
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.training.host_plan import HostStage
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.training.hosts import HostState
from dashboard.store import machines
from dashboard.web.service import LabUnavailableError, service


@dataclass(slots=True)
class Connection:
    """The lab of a machine. The hosts on it are ready, and it answers nothing else."""

    accepts_calls: bool
    capacity: int = 0
    facts: LabFacts = field(default_factory=lambda: LabFacts(EngineRef("docker", "29.0.0", "")))
    version_problem: str = ""

    @property
    def is_connected(self) -> bool:
        """Whether it sends heartbeats."""
        return self.accepts_calls or bool(self.version_problem)

    @property
    def silent_s(self) -> float | None:
        """Seconds since the last heartbeat: none has arrived."""
        return None

    async def call(self, function: RemoteCall, _host: str, *_args: str) -> HostState:
        """The state of a group's host."""
        if self.accepts_calls and function.function is experiment_calls.host_state:
            return HostState(HostStage.READY)
        raise LabUnavailableError("This lab answers nothing.")


@dataclass(slots=True)
class Machines:
    """The labs of all machines. ``gone`` are the names of those that do not respond; that of the server is empty.
    ``versions`` has the problems of versions, by name. Without ``has_own_lab``, no lab has started on the server."""

    gone: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    placing: asyncio.Lock = field(default_factory=asyncio.Lock)
    placements: int = 0
    has_own_lab: bool = True

    def connected_machines(self) -> tuple[str, ...]:
        """The machines that have joined and respond."""
        return tuple(name for name in self.joined if name not in self.gone)

    def of(self, machine: str | None) -> Connection:
        """The lab of a machine."""
        if machine is None and not self.has_own_lab:
            return Connection(accepts_calls=False, facts=LabFacts(None, NO_LAB))
        problem = self.versions.get(machine or "", "")
        return Connection((machine or "") not in self.gone and not problem, version_problem=problem)

    @property
    def server(self) -> Connection:
        """The server's own lab, which holds no hosts."""
        return self.of(None)


def join_machines(monkeypatch: pytest.MonkeyPatch, *names: str, hosts: int = 10) -> Machines:
    """Makes machines with this capacity join. Call it in a thread that may query the database."""
    found = Machines(joined=names)
    for name in names:
        machines.register(name, {}, MachineFacts(capacity=hosts))

    monkeypatch.setattr(service, "labs", found)
    monkeypatch.setattr(service, "wake", lambda: None)
    return found
