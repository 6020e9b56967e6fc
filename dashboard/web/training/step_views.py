"""A participant's views of workshop steps. Only the first prediction counts; commands run on the group's host."""

from collections.abc import Callable
from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training.session import HostsFor, group_key
from dashboard.core.workshops.model import Step, Workshop
from dashboard.lab.remote.workshop_calls import StepAction
from dashboard.models import TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import session_state
from dashboard.store.training.hosts import NoHostError
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import to_db_thread
from dashboard.web.training.hosts.host_requests import request_first_host
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import View, for_admitted
from dashboard.web.training.step_context import page_context, place_of, workshop_in
from dashboard.web.workshops import step_context


async def _place(
    row: TrainingSession, participant: ParticipantRef, slug: str, *, whole_page: bool
) -> tuple[step_context.WorkshopPlace, Workshop, Step]:
    """Returns the participant's ``WorkshopPlace``, the workshop and the step.

    If ``whole_page`` is true, the place also contains the template variables for the page around the step.
    """
    workshop = await to_db_thread(workshop_in, row)
    step = step_context.find_step(workshop, slug)
    extra = await page_context(row, participant, slug) if whole_page else {}
    return place_of(row, participant, workshop, extra), workshop, step


@require_GET
@for_admitted
async def step_page(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Renders the page of a step."""
    place = await _place(row, participant, step, whole_page=True)
    return await step_context.refuse_locked(request, *place) or await step_context.render_step(request, *place)


@require_POST
@for_admitted
async def opened(_request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Records when the participant first opened the step, and requests the group's host if the group has had none. The
    page's script sends this request."""
    place, workshop, found = await _place(row, participant, step, whole_page=False)
    walk = await to_db_thread(workshop_store.load_progress, participant.person, row.workshop)
    if walk is not None and not row.closed_at and not await to_db_thread(place.is_locked, workshop, walk, found):
        await to_db_thread(session_state.mark_opened, row, participant.id, step, shared_clock())
        if row.hosts != HostsFor.NONE:
            with suppress(NoHostError):
                await request_first_host(group_key(row.id, participant.group))
        hub.wake(row.id)
    return HttpResponse(status=204)


@require_POST
@for_admitted
async def predict(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Stores the participant's prediction, unless one exists already."""
    choice, part = step_context.parse_number(request, "choice"), step_context.PART_HEADER in request.headers
    place, workshop, found = await _place(row, participant, step, whole_page=not part)

    def store() -> tuple[int, str]:
        """Stores the prediction. Returns the status of the response and, if the prediction was refused, the reason.

        All queries are in this function, so that a prediction needs a thread only once: all participants predict at
        the same time.
        """
        walk = workshop_store.load_progress(participant.person, row.workshop)
        question = found.predict
        if walk is None or place.is_locked(workshop, walk, found):
            return 409, _("Your instructor has not opened this step yet.")
        # With a host, a participant needs a prediction to go on; after the reveal it does not count.
        if place.closed or (not place.runs and step in row.revealed()):
            return 409, place.closed or _("The answer of this step has already been revealed.")
        if question is None or not 0 <= choice < len(question.choices):
            return 400, _("Choose one of the answers.")
        session_state.answer(row, participant.id, step, choice, question.choices[choice], shared_clock())
        return 200, ""

    status, refusal = await to_db_thread(store)
    if refusal:
        locked_page = await step_context.refuse_locked(request, place, workshop, found)
        return locked_page or await step_context.render_step(
            request, place, workshop, found, problem=refusal, status=status
        )
    hub.wake(row.id)
    if place.runs:
        # The first check records the state before the run, so that later checks see changes.
        checked = await step_context.perform(request, place, workshop, found, step_context.StepForm(StepAction.CHECK))
        if part:
            return checked
    elif part:
        return await step_context.render_step(request, place, workshop, found)
    return redirect(f"{place.address(step)}#predict-title")


def _action(read: Callable[[HttpRequest], step_context.StepForm]) -> View:

    @require_POST
    @for_admitted
    async def view(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
        place = await _place(row, participant, step, whole_page=step_context.PART_HEADER not in request.headers)
        answer = await step_context.perform(request, *place, read(request))
        hub.wake(row.id)
        return answer

    return view


run = _action(step_context.run_form)
check = _action(step_context.check_form)
hint = _action(step_context.hint_form)


@require_POST
@for_admitted
async def measure(request: HttpRequest, row: TrainingSession, participant: ParticipantRef, step: str) -> HttpResponse:
    """Requests a measurement of the step on the group's host."""
    place = await _place(row, participant, step, whole_page=step_context.PART_HEADER not in request.headers)
    return await step_context.measure(request, *place)
