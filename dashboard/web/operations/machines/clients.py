"""Other machines as clients that send requests over the paths of an experiment."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import Mode
from dashboard.core.operations.machines import SERVER
from dashboard.core.paths.clients.machines import MAX_CLIENTS, MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm, find_overlay_arm
from dashboard.engine.protocol import EngineError
from dashboard.lab.machines import requests
from dashboard.lab.remote.rpc import LabFailedError
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, parts
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service

#: The errors that a call to the lab of another machine may raise; ``str()`` of each is a message for the user.
CALL_ERRORS = (LabUnavailableError, LabFailedError, EngineError, TimeoutError, ValueError)
DRAINED = "The machine {0} is drained: it sends no requests. Press Resume on the page Machines."
TOO_MANY = "Requests are sent from at most {0} machines."


@dataclass(frozen=True, slots=True)
class ClientChoice:
    """A machine offered in the form that starts a measurement. ``problem`` is the reason if it cannot be selected.

    ``part`` is the number of the experiment's part on the offered machine, 0 if it has none there. The machine cannot
    be a client of that part, because a client must be another machine.
    """

    name: str
    problem: str = ""
    part: int = 0


def row_of(name: str) -> str | None:
    """Returns the value of the database column ``machine`` for a name: None for the installation's own machine."""
    return None if name == SERVER else name


def other_machines(machine: str | None) -> dict[str, str]:
    """Returns the machines other than ``machine``, by name, each with the reason why it cannot send requests.

    The reason is empty if the machine can send requests. The installation's own machine is called ``server``, and is
    omitted while its lab has no engine. Revoked machines are omitted. Call it in a thread.
    """
    labs = service.labs
    if labs is None:
        return {}
    found = {}
    for record in machines.list_machines():
        if record.name == machine or record.is_revoked:
            continue
        lab = labs.of(record.name)
        problem = "" if lab.accepts_calls and lab.facts.engine is not None else lab.facts.problem
        if not problem and not lab.accepts_calls:
            problem = f"The machine {record.name} cannot be used with this version of Netmodes."
        found[record.name] = DRAINED.format(record.name) if record.is_draining else problem
    return found | (_installation_machine() if machine is not None else {})


def _installation_machine() -> dict[str, str]:
    """Returns the installation's own machine in the format of ``other_machines``; empty while its lab has no engine."""
    labs = service.labs
    return {SERVER: ""} if labs is not None and labs.server.accepts_calls and labs.server.facts.engine else {}


def client_choices(experiment: str) -> tuple[ClientChoice, ...]:
    """Returns the machines that a page lists as possible clients of an experiment; empty if the experiment runs on a
    private host. Call it in a thread."""
    record = experiment_store.load(experiment) if service.labs is not None else None
    if record is None or record.host:
        return ()
    found = other_machines(record.machine) | (_installation_machine() if record.parts else {})
    places = {name: place for place, name in enumerate(parts.ids_of(record.parts), start=1)}
    return tuple(ClientChoice(name, problem, places.get(name, 0)) for name, problem in found.items())


def arm_names(experiment: str) -> frozenset[str]:
    """Returns the keys of the arms of an experiment's part. Empty if ``experiment`` is not the id of a part.

    They are read from the row of the whole experiment, because no lab can write that row. Call it in a thread.
    """
    record = experiment_store.load(experiment)
    whole = experiment_store.load(record.parent) if record is not None and record.parent is not None else None
    found = parts.parts_of(whole) if whole is not None else ()
    return frozenset(arm.key for part in found if part.id == experiment for arm in part.arms)


def overlay_arms(experiment: str) -> dict[str, OverlayArm]:
    """Returns an arm of every part of an experiment but one, by name of the part's machine.

    ``experiment`` is the id of the omitted part. If it is not the id of a part, the result is empty. The arms are on
    the overlay network that all parts share. Call it in a thread.
    """
    record = experiment_store.load(experiment)
    whole = experiment_store.load(record.parent) if record is not None and record.parent is not None else None
    found: dict[str, OverlayArm] = {}
    if whole is None:
        return found
    network = network_name(whole.id, Mode.OVERLAY)
    for name, part in parts.ids_of(whole.parts).items():
        entries = parts.read_parts({part: 0} if part != experiment else {})
        view = replay(entry for _part, entry in entries)
        if (arm := find_overlay_arm(part, view.columns, view.states, network)) is not None:
            found[name] = arm
    return found


async def view_clients(
    names: Sequence[str], problems: dict[str, str], arms: Mapping[str, OverlayArm]
) -> tuple[MachineClient, ...]:
    """Reads the interfaces and routes of the named machines from their labs, and returns the machines as clients.

    ``problems`` contains, by name of the machine, why it cannot be a client; empty if it can. ``arms`` contains, also
    by name, an arm of the experiment on each machine that has one.
    """
    usable = [name for name in names if not problems.get(name)]
    shown = await asyncio.gather(*(_view(name, arms.get(name)) for name in usable[:MAX_CLIENTS]))
    missing = [MachineClient(name, problem=problems[name]) for name in names if problems.get(name)]
    missing += [MachineClient(name, problem=TOO_MANY.format(MAX_CLIENTS)) for name in usable[MAX_CLIENTS:]]
    return (*shown, *missing)


async def _view(name: str, arm: OverlayArm | None) -> MachineClient:
    try:
        return MachineClient(name, await service.ask_on(row_of(name), "", requests.view_machine), arm=arm)
    except CALL_ERRORS as error:
        return MachineClient(name, problem=str(error))


async def find_clients(machine: str | None, experiment: str) -> tuple[MachineClient, ...]:
    """Returns all machines other than ``machine``, as clients of an experiment that runs on ``machine``."""
    problems = await to_db_thread(other_machines, machine)
    return await view_clients(tuple(problems), problems, await to_db_thread(overlay_arms, experiment))
