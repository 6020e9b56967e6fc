"""A step of a class, for one of its participants. A prediction is written once; what runs, runs on the participant's own host."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.workshops.model import Step, Workshop
from dashboard.core.workshops.progress import Stage
from dashboard.lab.remote.workshop_calls import Deed
from dashboard.models import TrainingSession
from dashboard.store import workshops as store
from dashboard.store.training import session_state
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import in_database
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import for_participant
from dashboard.web.training.step_context import around, place_of, workshop_in
from dashboard.web.workshops.step_context import (
    PART,
    Act,
    Place,
    act,
    checking,
    hinting,
    locked,
    number_in,
    running,
    show,
    step_in,
)


async def _where(row: TrainingSession, participant: ParticipantRef, step: str, *, whole: bool) -> tuple[Place, Step]:
    """The place with what stands around the step, if the ``whole`` page is asked for."""
    workshop = await in_database(workshop_in, row)
    extra = await around(row, participant, workshop, step) if whole else {}
    return place_of(row, participant, workshop, extra), step_in(workshop, step)


def _waits(participant: ParticipantRef) -> HttpResponse | None:
    """Who is not admitted yet sees the door."""
    return None if participant.admitted else redirect(f"/sessions/{participant.session}/")


@require_GET
@for_participant
async def step_page(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """One step."""
    if (door := _waits(participant)) is not None:
        return door
    place, one = await _where(row, participant, step, whole=True)
    workshop = await in_database(workshop_in, row)
    return await locked(request, place, workshop, one) or await show(request, place, workshop, one)


@require_POST
@for_participant
async def opened(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """The step is before somebody: the time in it begins. Sent by the page itself."""
    workshop = await in_database(workshop_in, row)
    place = place_of(row, participant, workshop)
    one = step_in(workshop, step)
    walk = await in_database(store.walk_of, participant.person, row.workshop)
    number = workshop.index(one.slug) or 0
    here = walk is not None and participant.admitted and not row.closed_at
    if walk is not None and here and place.stage(workshop, walk.records, number) is not Stage.LOCKED:
        await in_database(session_state.opened, row, participant.id, step, time.time())
        hub.wake(row.id)
    return HttpResponse(status=204)


@require_POST
@for_participant
async def predict(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Notes what somebody expects; the first answer counts."""
    if (door := _waits(participant)) is not None:
        return door
    choice = number_in(request, "choice")

    def note() -> tuple[Place, Workshop, Step, int, str]:
        """Writes it down, in one go: a whole class does this at once. Or a status and why it is refused."""
        workshop = workshop_in(row)
        place, one = place_of(row, participant, workshop), step_in(workshop, step)
        walk = store.walk_of(participant.person, row.workshop)
        number, asked = workshop.index(one.slug) or 0, one.predict
        if walk is None or place.stage(workshop, walk.records, number) is Stage.LOCKED:
            return place, workshop, one, 409, _("Your instructor has not opened this step yet.")
        if place.closed or step in row.revealed():
            return place, workshop, one, 409, place.closed or _("The answer of this step was shown already.")
        if asked is None or not 0 <= choice < len(asked.choices):
            return place, workshop, one, 400, _("Choose one of the answers.")
        session_state.answer(row, participant.id, step, choice, asked.choices[choice], time.time())
        return place, workshop, one, 200, ""

    place, workshop, one, status, refused = await in_database(note)
    if refused:
        place, one = await _where(row, participant, step, whole=PART not in request.headers)
        refusal = await locked(request, place, workshop, one)
        return refusal or await show(request, place, workshop, one, problem=refused, status=status)
    hub.wake(row.id)
    if place.runs:
        # How it was before: a later look then sees that something has changed.
        look = Act(Deed.CHECK)
        if PART in request.headers:
            return await act(request, place, workshop, one, look)
        await act(request, place, workshop, one, look)
    elif PART in request.headers:
        return await show(request, place, workshop, one)
    return redirect(place.address(step))


async def _act(
    request: HttpRequest,
    row: TrainingSession,
    participant: ParticipantRef,
    step: str,
    doing: Callable[[HttpRequest], Act],
) -> HttpResponse:
    if (door := _waits(participant)) is not None:
        return door
    place, one = await _where(row, participant, step, whole=PART not in request.headers)
    workshop = await in_database(workshop_in, row)
    answer = await act(request, place, workshop, one, doing(request))
    hub.wake(row.id)
    return answer


@require_POST
@for_participant
async def run(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Does what one of the commands says, on the participant's own host."""
    return await _act(request, row, participant, step, running)


@require_POST
@for_participant
async def check(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Looks at the participant's own host."""
    return await _act(request, row, participant, step, checking)


@require_POST
@for_participant
async def hint(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Notes that a hint was unfolded."""
    return await _act(request, row, participant, step, hinting)
