"""Finds the commands that bring a group's new host to the state of its previous host. They are inferred from the
recorded progress."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.core.workshops.actions import (
    Action,
    ChangeFirewall,
    ChangeSwarm,
    CreateNetwork,
    Pull,
    Remove,
    RemoveNetwork,
    Stop,
)
from dashboard.core.workshops.launches import Launch
from dashboard.core.workshops.model import Command, Step, Workshop
from dashboard.core.workshops.progress import Event, Records

#: The actions that change a host, except a ``ChangeFirewall`` that prints the status. All others only read or send
#: requests.
CHANGES = (Launch, Stop, Remove, CreateNetwork, RemoveNetwork, Pull, ChangeFirewall, ChangeSwarm)
UFW_STATUS = ("ufw", "status")


@dataclass(frozen=True, slots=True)
class History:
    """What one person has done in a workshop: the record of each step, and all events, the oldest one first."""

    records: Records
    events: Sequence[Event]


def commands_to_repeat(workshop: Workshop, histories: Iterable[History]) -> tuple[Command, ...]:
    """Returns those commands of a workshop that changed a group's host, in the order in which they were run.
    ``histories`` has one history for each member of the group.

    These are the commands that the members ran with buttons. If they completed a step without a button that changes the
    host, they have typed its commands, or others with the same effect. The step's own commands are then returned, as if
    they had been run when the step was completed.
    """
    histories = tuple(histories)
    steps = {step.slug: step for step in workshop.steps}
    timed: list[tuple[float, int, Command]] = []
    pressed: set[str] = set()
    for history in histories:
        for event in history.events:
            step = steps.get(event.step) if event.kind == "did" else None
            command = _find(step, event.detail) if step is not None else None
            if command is not None and _changes_host(command.action):
                pressed.add(event.step)
                timed.append((event.at, len(timed), command))
    for slug, step in steps.items():
        passed = [record.passed_at for history in histories if (record := history.records.get(slug))]
        done_at = min((at for at in passed if at), default=0.0)
        if done_at and slug not in pressed:
            changes = [command for command in step.run if _changes_host(command.action)]
            timed += [(done_at, len(timed) + number, command) for number, command in enumerate(changes)]
    return tuple(command for _at, _number, command in sorted(timed, key=lambda each: each[:2]))


def _changes_host(action: Action) -> bool:
    return isinstance(action, CHANGES) and not (isinstance(action, ChangeFirewall) and action.argv[:2] == UFW_STATUS)


def _find(step: Step, line: str) -> Command | None:
    """Returns the step's command with this line. A command that failed is not found (None), because ``line`` then ends
    with the error."""
    return next((command for command in step.run if command.line == line), None)
