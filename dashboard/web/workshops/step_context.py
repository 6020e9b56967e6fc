"""Shows a step of a workshop and performs its actions, for users who work alone and for participants of a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from dashboard import configuration
from dashboard.core.workshops.commands import with_image
from dashboard.core.workshops.model import Step, Workshop
from dashboard.core.workshops.progress import (
    EMPTY,
    Records,
    StepRecord,
    StepStage,
    current_step,
    describe_truth,
    predicted_in,
    step_stage,
)
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import workshop_calls
from dashboard.lab.remote.workshop_calls import ActionResult, HostView, StepAccess, StepAction
from dashboard.lab.workshops.step import StepLockedError
from dashboard.store import workshops as store
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.store.workshops import Progress
from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.workshops import step_measurement
from dashboard.web.workshops.views import list_steps, person_of, render_page, require_workshop

#: The response to a request with this header contains only the step, without the page around it.
PART_HEADER = "X-Netmodes-Part"


@dataclass(frozen=True, slots=True)
class WorkshopPlace:
    """Where and with which permissions a person works on a workshop: URLs, host, and open steps.

    ``home`` is the URL of the overview, ``front`` the prefix of the steps' URLs, ``end`` the URL after the last step.
    ``group`` selects a private host, empty for the server's own engine. ``runs`` is False if the person has no host and
    only watches. ``until`` is the index of the first closed step. If ``free`` is true, earlier steps are open in any
    order. ``closed`` is the reason why no step is open now. ``owner`` is the user who owns what a step launches.
    ``records`` returns the step records of a ``Progress``. In a session without hosts, revealed steps count as done.
    """

    person: str
    home: str
    front: str
    end: str
    group: str = ""
    runs: bool = True
    base: str = "base.html"
    until: int | None = None
    free: bool = False
    closed: str = ""
    owner: int | None = None
    records: Callable[[Progress], Records] = lambda progress: progress.records
    extra: Mapping[str, Any] = field(default_factory=dict)

    def address(self, step: str) -> str:
        """Returns the URL of a step."""
        return f"{self.front}{step}/"

    def stage(self, workshop: Workshop, records: Records, number: int) -> StepStage:
        """Returns the stage of the step with the index ``number``: locked, predict, run or done."""
        return step_stage(workshop, records, number, self.until, free=self.free)

    def is_locked(self, workshop: Workshop, progress: Progress, step: Step) -> bool:
        """Returns whether the step is locked for this person. May query the database."""
        return self.stage(workshop, self.records(progress), workshop.index(step.slug) or 0) is StepStage.LOCKED


async def own_place(request: HttpRequest, workshop: str) -> WorkshopPlace:
    """Returns the ``WorkshopPlace`` of a signed-in user who works alone."""
    home = f"/workshop/{workshop}/"
    return WorkshopPlace(await person_of(request), home, home, f"{home}result/", owner=(await request.auser()).pk)


async def _view_host(place: WorkshopPlace) -> HostView:
    """Returns the diagram of the host and its container images, one of which the page's command lines name. Both are
    empty if there is no host, or if the engine does not answer."""
    if not place.runs:
        return HostView()
    try:
        return await service.ask_group(place.group, workshop_calls.view_host, place.group)
    except (LabUnavailableError, EngineError, StepLockedError, TimeoutError):
        return HostView()


def _enter_line(place: WorkshopPlace) -> str:
    """Returns the command line that opens a shell on the server's private host; empty for participants, and if the
    engine is not a private host."""
    engine = service.engine
    if place.group or not place.runs or engine is None or not engine.private:
        return ""
    return f"{configuration.COMMAND} hosts enter {Path(engine.endpoint).parent.name}"


async def render_step(
    request: HttpRequest,
    place: WorkshopPlace,
    workshop: Workshop,
    step: Step,
    *,
    result: ActionResult | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """Renders a step with an action's ``result``. If the workshop was not started, redirects to the overview."""
    progress = await to_db_thread(store.load_progress, place.person, workshop.slug)
    if progress is None:
        return redirect(place.home)
    result = result or ActionResult()
    checked = result.checked
    number, records = workshop.index(step.slug) or 0, await to_db_thread(place.records, progress)
    record = records.get(step.slug, EMPTY)
    view = HostView(tuple(checked.images), checked.picture) if checked is not None else await _view_host(place)
    images = frozenset(view.images)
    stage = place.stage(workshop, records, number)
    following = workshop.steps[number + 1] if number + 1 < len(workshop.steps) else None
    locked = following is not None and place.stage(workshop, records, number + 1) is StepStage.LOCKED
    is_part = PART_HEADER in request.headers
    context = {
        "base": "fragment_base.html" if is_part else place.base,
        "workshop": workshop,
        "home": place.home,
        "step": step,
        "number": number + 1,
        "steps": list_steps(workshop, records, place.front, place.until, free=place.free),
        "stage": stage,
        "watching": not place.runs,
        "predicted": predicted_in(step, record),
        "commands": [
            {
                "number": index,
                "line": with_image(command.line, images),
                "label": command.label,
                "terminal_reason": command.terminal_reason,
                "button_only": command.button_only,
                "result": result.done if result.ran == index else None,
            }
            for index, command in enumerate(step.run)
        ],
        "button_only": any(command.button_only for command in step.run),
        "other_host": any(command.on_other_host for command in step.run),
        "folded": step.folded and (result.ran is None or is_part),
        "findings": checked.judgement.findings if checked is not None else (),
        "advice": checked.advice if checked is not None and stage is not StepStage.PREDICT else "",
        "problem": problem or (checked.problem if checked is not None else ""),
        "following": "" if locked else place.address(following.slug) if following else place.end,
        "is_last": following is None,
        "previous": place.address(workshop.steps[number - 1].slug) if number else "",
        "url": place.address(step.slug),
        "picture": view.picture,
        "enter_line": _enter_line(place),
        "measurement": await to_db_thread(step_measurement.show, place, workshop, step),
        **place.extra,
    }
    if stage is StepStage.DONE:
        context |= {"truth": describe_truth(step, record.truth), "correct": _is_correct(step, record)}
    return await render_page(request, "workshops/step.html", context, status)


def _is_correct(step: Step, record: StepRecord) -> bool | None:
    """Returns whether the prediction was correct; None if there is no prediction or no known answer."""
    predicted = predicted_in(step, record)
    if step.predict is None or not predicted or (step.predict.reading is not None and not record.truth):
        return None
    return predicted == describe_truth(step, record.truth)


def find_step(workshop: Workshop, slug: str) -> Step:
    """Returns the step with this slug. Raises Http404 if it does not exist."""
    number = workshop.index(slug)
    if number is None:
        raise Http404(_("There is no step with this name."))
    return workshop.steps[number]


async def require_step(workshop: str, slug: str) -> tuple[Workshop, Step]:
    """Returns the workshop and the step with these slugs. Raises Http404 if one of them does not exist."""
    found = await require_workshop(workshop)
    return found, find_step(found, slug)


async def refuse_locked(
    request: HttpRequest, place: WorkshopPlace, workshop: Workshop, step: Step
) -> HttpResponse | None:
    """Returns a response that states why the step is locked for the person, or a redirect if they have not started the
    workshop; None if the step is open. A script (``PART_HEADER``) gets a line of text instead of a page."""
    progress = await to_db_thread(store.load_progress, place.person, workshop.slug)
    if progress is None:
        return redirect(place.home)
    if not await to_db_thread(place.is_locked, workshop, progress, step):
        return None
    if place.until is not None and (workshop.index(step.slug) or 0) >= place.until:
        sentence, advice = _("Your instructor has not opened this step yet."), _("Go back to your session and wait.")
    else:
        first = workshop.steps[current_step(workshop, await to_db_thread(place.records, progress))]
        sentence = _("“%(title)s” must be done first.") % {"title": first.title}
        advice = _("Go back to the workshop and continue from there.")
    if PART_HEADER in request.headers:
        return HttpResponse(f"{sentence} {advice}\n", status=409, content_type="text/plain; charset=utf-8")
    return await to_db_thread(refuse, request, 409, _("This step is locked"), sentence, advice, back=place.home)


@dataclass(frozen=True, slots=True)
class StepForm:
    """A submitted form of a step. ``number`` is the index of the selected answer, command or hint. ``pressed`` is true
    for a check that the user requested, and false for an automatic one."""

    action: StepAction
    number: int = 0
    pressed: bool = False


async def perform(
    request: HttpRequest, place: WorkshopPlace, workshop: Workshop, step: Step, form: StepForm
) -> HttpResponse:
    """Performs the action of a form in a step, and returns the updated step."""
    refusal = await refuse_locked(request, place, workshop, step)
    if refusal is not None:
        return refusal
    # A refused automatic check is not an error, for example while the host starts.
    conflict = 200 if "auto" in request.POST else 409
    if place.closed:
        return await render_step(request, place, workshop, step, problem=place.closed, status=conflict)
    if not place.runs:
        sentence = _("This session has no hosts: your instructor runs the commands, and you watch.")
        return await render_step(request, place, workshop, step, problem=sentence, status=409)

    access = StepAccess(place.person, workshop.slug, workshop.digest, place.group, place.until, place.free)
    try:
        result = await service.ask_group(
            access.group, workshop_calls.act, access, form.action, step.slug, form.number, form.pressed
        )
    except (LabUnavailableError, EngineError) as error:
        return await render_step(request, place, workshop, step, problem=str(error), status=503)
    except StepLockedError as error:
        return await render_step(request, place, workshop, step, problem=str(error), status=conflict)
    except ValueError as error:
        return await render_step(request, place, workshop, step, problem=str(error), status=400)
    if PART_HEADER not in request.headers and result.checked is None:
        return redirect(place.address(step.slug))
    return await render_step(request, place, workshop, step, result=result)


async def measure(request: HttpRequest, place: WorkshopPlace, workshop: Workshop, step: Step) -> HttpResponse:
    """Requests the measurement of a step, and returns the updated step."""
    refusal = await refuse_locked(request, place, workshop, step)
    if refusal is not None:
        return refusal
    problem = place.closed
    if not step.measure or not place.runs:
        problem = problem or _("Nothing can be measured in this step.")
    if not problem:
        try:
            await to_db_thread(step_measurement.request, place, workshop, step)
        except (NoHostError, QuotaError) as error:
            problem = str(error)
    if problem:
        return await render_step(request, place, workshop, step, problem=problem, status=409)
    service.wake()
    if PART_HEADER not in request.headers:
        return redirect(f"{place.address(step.slug)}#measure-title")
    return await render_step(request, place, workshop, step)


def parse_number(request: HttpRequest, name: str) -> int:
    """Returns the number in a form field, or -1, which callers refuse, if the field has no number from 0 to 999."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1


def predict_form(request: HttpRequest) -> StepForm:
    """Reads the form that predicts an answer."""
    return StepForm(StepAction.PREDICT, parse_number(request, "choice"))


def run_form(request: HttpRequest) -> StepForm:
    """Reads the form that runs a command."""
    return StepForm(StepAction.RUN, parse_number(request, "number"))


def check_form(request: HttpRequest) -> StepForm:
    """Reads the form that checks the step. Its field ``auto`` marks an automatic check."""
    return StepForm(StepAction.CHECK, pressed="auto" not in request.POST)


def hint_form(request: HttpRequest) -> StepForm:
    """Reads the form that records that the user has opened a hint."""
    return StepForm(StepAction.HINT, parse_number(request, "number"))
