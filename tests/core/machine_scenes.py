"""Scenes of an experiment on two machines, and the entries that their labs would write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.machines.groups import shared_column, shared_key
from dashboard.core.experiments.machines.parts import Part
from dashboard.core.experiments.messages import Column, ExperimentHead, Phase, ReportedEngine
from dashboard.core.modes import ArmSpec, Mode, is_observer
from tests.core.builders import Columns, States
from tests.core.scenes import make_scene

SERVER = ReportedEngine("28.5.2", api="1.51", kernel="6.12.0", system="Debian 13", firewall="nftables")
LAB2 = ReportedEngine("26.1.5", api="1.45", kernel="6.1.0", system="Debian 12", firewall="iptables")
MACHINES = ("server", "lab2")


def scene_of(machine: str, modes: Iterable[str], facts: ReportedEngine | None) -> tuple[Columns, States]:
    """What the lab of a machine observes; the keys of its arms end with its name, except on the first machine."""
    columns, states = make_scene(modes)
    names = {
        column.key: column.key if is_observer(column.key) or machine == MACHINES[0] else f"{column.key}-{machine}"
        for column in columns
    }
    titled = [replace(one, title=names[one.key]) if not is_observer(one.key) else one for one in columns]
    return (
        tuple(replace(one, key=names[one.key], engine=facts if is_observer(one.key) else None) for one in titled),
        {names[key]: state for key, state in states.items()},
    )


def share(scenes: Sequence[tuple[Columns, States]]) -> tuple[Columns, States]:
    """The columns and states of both machines as the page shows them."""
    columns: list[Column] = []
    states: States = {}
    for number, (name, (own, own_states)) in enumerate(zip(MACHINES, scenes, strict=True), start=1):
        columns += [shared_column(column, number, name) for column in own]
        states |= {shared_key(key, number): state for key, state in own_states.items()}
    return tuple(columns), states


def two_machines(
    modes: Iterable[str] = ("host", "bridge"), facts: Sequence[ReportedEngine | None] = (SERVER, LAB2)
) -> tuple[Columns, States]:
    """The same modes on two machines."""
    modes = tuple(modes)
    return share([scene_of(name, modes, one) for name, one in zip(MACHINES, facts, strict=True)])


def make_parts(*modes: str) -> tuple[Part, ...]:
    """The parts of an experiment with these modes on both machines."""
    return tuple(
        Part(
            f"part{number}",
            name,
            number,
            tuple(ArmSpec(mode if number == 1 else f"{mode}-{name}", Mode(mode)) for mode in modes),
        )
        for number, name in enumerate(MACHINES, start=1)
    )


def make_head(part: str = "whole", phase: Phase = Phase.RUNNING, **more: object) -> ExperimentHead:
    """The head that a lab has recorded."""
    fields = {"round": 1, "started_at": 1001.0, "engine": "28.5.2"} | more
    return replace(ExperimentHead(part, "nginx on port 80", "nginx", 80, phase, 1000.0), **fields)  # type: ignore[arg-type]


def on_overlay_of(whole: str, entries: Iterable[Entry]) -> list[Entry]:
    """The entries, with the arms in overlay mode on the network of the experiment ``whole``."""

    def moved(column: Column) -> Column:
        networks = {f"nm-{whole}-overlay": address for address in column.networks.values()}
        return replace(column, networks=networks) if column.mode == "overlay" else column

    return [replace(one, facts=replace(one.facts, columns=tuple(map(moved, one.facts.columns)))) for one in entries]


def entries_of(machine: str, modes: Iterable[str], facts: ReportedEngine | None = None) -> list[Entry]:
    """What the lab of a machine writes: its columns, then their states one by one."""
    columns, states = scene_of(machine, modes, facts)
    cause = Cause(Source.LAB, "observe")
    engine = facts.version if facts is not None else "28.5.2"
    entries = [
        Entry(
            1, 1001.0, cause, Facts(head=make_head(machine, Phase.LAUNCHING, engine=engine), columns=columns), "Launch"
        )
    ]
    for number, (key, state) in enumerate(states.items(), start=2):
        entries.append(Entry(number, 1000.0 + number, cause, Facts(states={key: state}), f"{key} is read", (key,)))
    head = make_head(machine, engine=engine)
    entries.append(Entry(len(entries) + 1, 1100.0, cause, Facts(head=head), "running"))
    return entries
