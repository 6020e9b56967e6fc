"""How many private hosts this machine holds, for the form of a new session and the console."""

from __future__ import annotations

from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.lab.remote import experiment_calls
from dashboard.web.service import LabUnavailableError, service


async def capacity(limits: HostLimits | None = None) -> Capacity:
    """The capacity now; ``problem`` is the reason if it is unknown."""
    try:
        return await service.ask(experiment_calls.capacity, limits)
    except LabUnavailableError as error:
        return Capacity(0, 0, problem=str(error))


def refuse_hosts(available: Capacity, needed: int) -> str | None:
    """Why a session with this many hosts cannot be created; None if it can. More hosts than fit at once are no reason:
    the others wait in a queue."""
    if not needed or (not available.problem and available.total):
        return None
    return available.problem or available.sentence
