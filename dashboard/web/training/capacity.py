"""How many private hosts this machine holds, as the form of a new session and the console show it."""

from __future__ import annotations

from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.lab.remote import experiment_calls
from dashboard.web.service import LabUnavailableError, service


async def capacity(limits: HostLimits | None = None) -> Capacity:
    """What there is now; ``problem`` says why there is nothing."""
    try:
        return await service.ask(experiment_calls.capacity, limits)
    except LabUnavailableError as error:
        return Capacity(0, 0, problem=str(error))


def refusal(found: Capacity, needed: int) -> str:
    """Why a session with so many hosts is not made; empty if it is. That more are needed than fit at once is no
    reason: the others wait in a queue, and are told so."""
    if not needed or (not found.problem and found.total):
        return ""
    return found.problem or found.sentence
