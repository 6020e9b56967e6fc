"""Explains why the machines of one experiment differ.

A sentence states what was read from the engine and the kernel of each machine, or what every machine has of its own,
such as routing tables. A version is named as the cause only if the columns show what this version does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.comparison.cells import Cell, RowKey
from dashboard.core.experiments.engine_kind import describe_engine
from dashboard.core.experiments.messages import Column, ReportedEngine
from dashboard.core.modes import MACHINE

#: What each machine has of its own, by section.
_OWN = {
    "published": "Each engine publishes on its own machine.",
    "interfaces": "Each machine has its own interfaces and networks.",
    "routes": "Each machine has its own routing tables.",
    "dns": "Each machine has its own name servers.",
    "hosts": "Each machine has its own hosts file, and each engine writes the hosts files of its containers.",
    "listeners": "Each machine has its own sockets.",
}
_IDENTITY = {
    "netns": "The number of a network namespace identifies it on its own machine only.",
    "address": "Each machine has its own addresses, and each engine assigns addresses from its own networks.",
    "hostname": "Each machine has its own name.",
}


@dataclass(frozen=True)
class ComparedMachine:
    """The columns of one machine with their cells in one row."""

    name: str
    columns: Sequence[Column]
    cells: Mapping[str, Cell]

    @property
    def engine(self) -> ReportedEngine | None:
        """What the engine of the machine reports; None if it is not known."""
        return next((column.engine for column in self.columns if column.key == MACHINE), None)

    def values(self) -> dict[str, set[tuple[bool, str]]]:
        """Returns the values of this row that are compared with those of other machines. The keys are the modes of the
        columns; ``machine`` counts as a mode. A value is a pair. Its first part tells whether the cell has no text. The
        second part is the normalised text, or the words that are shown in place of a missing text."""
        found: dict[str, set[tuple[bool, str]]] = {}
        for column in self.columns:
            cell = self.cells.get(column.key)
            if cell is not None and cell.applies and cell.visible:
                value = (False, cell.normalised or cell.text) if cell.text is not None else (True, cell.absent)
                found.setdefault(column.mode, set()).add(value)
        return found


def differ(machines: Sequence[ComparedMachine]) -> bool:
    """Whether two of the machines have different values in a mode that both have."""
    values = [machine.values() for machine in machines]
    return any(
        one[mode] != other[mode]
        for place, one in enumerate(values)
        for other in values[place + 1 :]
        for mode in one.keys() & other.keys()
    )


def explain_machines(key: RowKey, machines: Sequence[ComparedMachine]) -> str:
    """Returns why the machines differ in this row; empty if they do not differ, or if no reason can be stated."""
    if not differ(machines):
        return ""
    if key.section == "engines":
        return _explain_engine(key, machines)
    if key.section == "listeners":
        return _explain_sockets(machines) or _OWN["listeners"]
    if key.section == "sysctls":
        versions = describe_versions(machines)
        return f"Each machine has its own settings. Netmodes cannot tell which program set them. {versions}".strip()
    if key.section == "identity":
        return _IDENTITY.get(key.key, "Each machine has its own namespaces.")
    if key.section == "interfaces" and key.field == "mtu":
        return "Each interface has the MTU that its own machine or engine has set."
    return _OWN.get(key.section, "")


def _explain_engine(key: RowKey, machines: Sequence[ComparedMachine]) -> str:
    if key.key == "version":
        return "Each machine has its own engine: the rows below show what another version does differently."
    if key.key == "kernel":
        return "The machines run different kernels: defaults of interfaces and sysctls may differ with them."
    return "Each engine reports what it found on its machine."


def describe_engine_of(machine: ComparedMachine) -> str:
    """Returns the engine and the kernel as text: ``Docker Engine 28.5.2 and kernel 6.12.0``; empty if the engine is not
    known."""
    facts = machine.engine
    if facts is None:
        return ""
    kernel = f" and kernel {facts.kernel}" if facts.kernel else ""
    return f"{describe_engine(facts.kind, facts.version)}{kernel}"


def describe_versions(machines: Sequence[ComparedMachine]) -> str:
    """Returns a sentence with the engine and the kernel of each machine; empty if all are the same, or if those of a
    machine are not known."""
    versions = {machine.name: describe_engine_of(machine) for machine in machines}
    if "" in versions.values() or len(set(versions.values())) < 2:
        return ""
    text = "; ".join(f"{name} has {version}" for name, version in versions.items())
    return f"{text[:1].upper()}{text[1:]}."


def _holders(machine: ComparedMachine) -> list[str]:
    """Returns the names of the processes that hold the sockets of this row in the machine's namespace."""
    cell = machine.cells.get(MACHINE)
    lines = (cell.text or "").split("\n") if cell is not None else []
    return list(dict.fromkeys(re.sub(r" \d+( \(.*\))?$", "", line) for line in lines if line))


def _explain_sockets(machines: Sequence[ComparedMachine]) -> str:
    """Returns a sentence on which program holds the port of this row on each machine; empty if the program is the same
    on all of them. The sentence names the version of each engine, but not as the reason: since 28.0, dockerd opens the
    socket of a published port, but passes it to docker-proxy at once, so docker-proxy listens as before."""
    holders = {machine.name: _holders(machine) for machine in machines}
    held = [machine for machine in machines if holders[machine.name]]
    if len({tuple(holders[machine.name]) for machine in held}) < 2:
        return ""
    parts = []
    for machine in held:
        facts = machine.engine
        version = f" ({describe_engine(facts.kind, facts.version)})" if facts is not None else ""
        parts.append(f"on {machine.name}{version} {' and '.join(holders[machine.name])} listens")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
