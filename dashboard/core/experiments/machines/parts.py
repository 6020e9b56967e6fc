"""Divides an experiment with arms on several machines into parts. A part has the arms of one machine, and the lab of
that machine drives it like any experiment."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.machines.groups import shared_column
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.validation import Problem
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode

#: What pages call the machine of the installation. No machine that joins can have this name.
SERVER_NAME = "server"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an experiment that runs on one machine. ``id`` is the id of the experiment that the machine's lab
    drives. ``whole`` is the id of the experiment that users see. ``number`` is the machine's number, counted from 1."""

    id: str
    machine: str
    number: int
    arms: tuple[ArmSpec, ...] = ()
    whole: str | None = None


def machine_of_arm(arm: ArmSpec, default: str | None) -> str | None:
    """The machine on which an arm runs: the one that it names, otherwise ``default``. None means the installation's own
    machine."""
    if not arm.machine:
        return default
    return None if arm.machine == SERVER_NAME else arm.machine


def machine_problems(spec: ExperimentSpec, machines: Collection[str]) -> tuple[Problem, ...]:
    """Returns a problem for each arm that cannot run on the machine that it names. ``machines`` are those that a user
    can choose; it is empty if no other machine has joined."""
    if not machines:
        sentence = (
            "An arm can name a machine only if other machines have joined and the experiment does not run on a "
            "private host."
        )
    else:
        sentence = f"Choose a machine that is connected and not drained: {', '.join(machines)}."
    return tuple(
        Problem(arm.key, "machine", f"“{arm.machine[:40]}” is not available. {sentence}")
        for arm in spec.arms
        if arm.machine and arm.machine not in machines
    )


def name_machines(spec: ExperimentSpec, default: str | None) -> ExperimentSpec:
    """Returns the specification with the name of a machine in every arm. Arms that name none get ``default`` or, if
    that is None (the installation's own machine), ``SERVER_NAME``."""
    arms = tuple(replace(arm, machine=machine_of_arm(arm, default) or SERVER_NAME) for arm in spec.arms)
    return replace(spec, arms=arms)


def missing_machines(spec: ExperimentSpec, machines: Collection[str]) -> tuple[str, ...]:
    """Returns the machines that arms name and that are not in ``machines``."""
    return tuple(dict.fromkeys(arm.machine for arm in spec.arms if arm.machine and arm.machine not in machines))


def move_arms(spec: ExperimentSpec, machines: Mapping[str, str]) -> ExperimentSpec:
    """Returns the specification with arms moved to other machines. ``machines`` maps the name of a machine to the one
    that replaces it."""
    return replace(spec, arms=tuple(replace(arm, machine=machines.get(arm.machine, arm.machine)) for arm in spec.arms))


def divide(spec: ExperimentSpec, default: str | None = None) -> dict[str | None, ExperimentSpec]:
    """Returns the specification of each machine's part, by the name of the machine, in the order of the arms. The key
    None stands for the installation's own machine.

    An arm without a machine runs on ``default``. The lab of a machine does not see the arms on other machines. But arms
    in overlay mode share a network across machines, so the lab of such an arm also looks up the keys of the overlay
    arms on other machines.
    """
    arms: dict[str | None, list[ArmSpec]] = {}
    for arm in spec.arms:
        arms.setdefault(machine_of_arm(arm, default), []).append(replace(arm, machine=""))
    return {
        machine: replace(spec, arms=tuple(own), names=_names(spec, {arm.key for arm in own if _spans(arm)}))
        for machine, own in arms.items()
    }


def _spans(arm: ArmSpec) -> bool:
    return arm.mode is Mode.OVERLAY


def _names(spec: ExperimentSpec, spanning: Collection[str]) -> tuple[str, ...]:
    others = [arm.key for arm in spec.arms if _spans(arm) and arm.key not in spanning] if spanning else []
    return tuple(dict.fromkeys((*spec.names, *others)))


def waiting_columns(parts: Iterable[Part]) -> tuple[Column, ...]:
    """Returns the columns of all machines before anything runs."""
    return tuple(
        shared_column(column, part.number, part.machine)
        for part in parts
        for column in initial_columns(part.id, part.arms, whole=part.whole)
    )
