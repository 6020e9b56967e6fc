"""A step of a workshop wherever somebody works on it: alone, or in a class. A change is a POST; the answer is the step
as it is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from dashboard.core.workshops.commands import with_image
from dashboard.core.workshops.model import Step, Workshop
from dashboard.core.workshops.progress import EMPTY, Records, Stage, reached, stage, truth_in_words
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import workshop_calls
from dashboard.lab.remote.workshop_calls import StepAccess, StepAction
from dashboard.lab.workshops.commands import Done
from dashboard.lab.workshops.step import Checked, NotOpenError
from dashboard.store import workshops as store
from dashboard.store.workshops import Walk
from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import in_database
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.workshops.views import page, steps_of, workshop_of

#: A request with this header gets the page without its frame: the script puts it in place.
PART = "X-Netmodes-Part"


def _as_walked(walk: Walk) -> Records:
    return walk.records


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody works through a workshop: as whom, under which addresses, on which host, and how far.

    ``home`` is the overview's address, ``front`` what stands before a step's, ``end`` what follows the last step.
    ``group``: whose private host it is, empty for the server's own engine; ``runs`` False: nobody runs anything here,
    one looks on. ``closed`` says why nothing can be done just now.
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
    records: Callable[[Walk], Records] = _as_walked
    extra: Mapping[str, Any] = field(default_factory=dict)

    def address(self, step: str) -> str:
        """A step's."""
        return f"{self.front}{step}/"

    def stage(self, workshop: Workshop, records: Records, number: int) -> Stage:
        """Where a step stands here."""
        return stage(workshop, records, number, self.until, free=self.free)


def alone(person: str, workshop: str) -> Place:
    """Somebody with an account, by themselves."""
    home = f"/workshop/{workshop}/"
    return Place(person, home, home, f"{home}result/")


async def _images(place: Place) -> frozenset[str]:
    """The images of the engine, so that the command that is shown works as it stands; none where it does not answer."""
    if not place.runs:
        return frozenset()
    try:
        return frozenset(await service.ask(workshop_calls.images, place.group))
    except (LabUnavailableError, EngineError, NotOpenError, TimeoutError):
        return frozenset()


async def show(
    request: HttpRequest,
    place: Place,
    workshop: Workshop,
    step: Step,
    *,
    checked: Checked | None = None,
    done: Done | None = None,
    ran: int | None = None,
    pressed: bool = False,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """The step as it is now."""
    walk = await in_database(store.walk_of, place.person, workshop.slug)
    if walk is None:
        return redirect(place.home)
    number, records = workshop.index(step.slug) or 0, await in_database(place.records, walk)
    record = records.get(step.slug, EMPTY)
    images = checked.images if checked is not None else await _images(place)
    where = place.stage(workshop, records, number)
    rows = [] if checked is None else list(zip(step.checks, checked.judged.findings, strict=True))
    following = workshop.steps[number + 1] if number + 1 < len(workshop.steps) else None
    shut = following is not None and place.stage(workshop, records, number + 1) is Stage.LOCKED
    prediction = record.prediction
    context = {
        "base": "fragment_base.html" if PART in request.headers else place.base,
        "workshop": workshop,
        "home": place.home,
        "step": step,
        "number": number + 1,
        "steps": steps_of(workshop, records, place.front, place.until, free=place.free),
        "stage": where,
        "record": record,
        "watching": not place.runs,
        "closed": place.closed,
        "predicted": step.predict.choices[prediction] if step.predict and prediction is not None else "",
        "truth": truth_in_words(step, record.truth) if where is Stage.DONE else "",
        "right": _is_right(step, prediction, record.truth) if where is Stage.DONE else None,
        "commands": [
            {
                "number": one,
                "line": with_image(command.line, images),
                "label": command.label,
                "done": done if ran == one else None,
            }
            for one, command in enumerate(step.run)
        ],
        "folded": step.folded and (ran is None or PART in request.headers),
        "rows": [finding for _, finding in rows],
        "checked": checked,
        "advice": checked.advice if checked is not None and where is not Stage.PREDICT else "",
        "pressed": pressed,
        "problem": problem or (checked.problem if checked else ""),
        "following": "" if shut else place.address(following.slug) if following else place.end,
        "is_last": following is None,
        "previous": place.address(workshop.steps[number - 1].slug) if number else "",
        "url": place.address(step.slug),
        **place.extra,
    }
    return await page(request, "workshops/step.html", context, status)


def _is_right(step: Step, prediction: int | None, truth: str) -> bool | None:
    if step.predict is None or prediction is None:
        return None
    return (
        step.predict.choices[prediction] == truth_in_words(step, truth)
        if (truth or step.predict.reading is None)
        else None
    )


def step_in(workshop: Workshop, step: str) -> Step:
    """A step by its address; Http404 if there is none."""
    number = workshop.index(step)
    if number is None:
        raise Http404(_("There is no step with this name."))
    return workshop.steps[number]


async def found_step(workshop: str, step: str) -> tuple[Workshop, Step]:
    """A workshop and one of its steps; Http404 if there is none."""
    found = await workshop_of(workshop)
    return found, step_in(found, step)


async def locked(request: HttpRequest, place: Place, workshop: Workshop, step: Step) -> HttpResponse | None:
    """The refusal where the step is not open to the person."""
    walk = await in_database(store.walk_of, place.person, workshop.slug)
    if walk is None:
        return redirect(place.home)
    records = await in_database(place.records, walk)
    number = workshop.index(step.slug) or 0
    if place.stage(workshop, records, number) is not Stage.LOCKED:
        return None
    if place.until is not None and number >= place.until:
        sentence, advice = _("Your instructor has not opened this step yet."), _("Go back to your session and wait.")
    else:
        first = workshop.steps[reached(workshop, records)]
        sentence = _("“%(title)s” must be done first.") % {"title": first.title}
        advice = _("Go back to the workshop and go on from there.")
    answer: HttpResponse = await sync_to_async(refuse)(
        request, 409, _("This step is not open yet"), sentence, advice, back=place.home
    )
    return answer


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does in a step, with what was chosen of its answers, commands or hints."""

    deed: StepAction
    number: int = 0
    pressed: bool = False


async def act(request: HttpRequest, place: Place, workshop: Workshop, step: Step, doing: Act) -> HttpResponse:
    """Does something in a step and shows the step as it is then."""
    refusal = await locked(request, place, workshop, step)
    if refusal is not None:
        return refusal
    if place.closed:
        # A page that looks by itself has done nothing wrong.
        status = 200 if "auto" in request.POST else 409
        return await show(request, place, workshop, step, problem=place.closed, status=status)
    if not place.runs:
        sentence = _("Nobody has a host in this session: your instructor runs it, and you look on.")
        return await show(request, place, workshop, step, problem=sentence, status=409)

    desk = StepAccess(place.person, workshop.slug, workshop.digest, place.group, place.until, place.free)
    try:
        came = await service.ask(workshop_calls.act, desk, doing.deed, step.slug, doing.number, doing.pressed)
    except (LabUnavailableError, EngineError) as error:
        return await show(request, place, workshop, step, problem=str(error), status=503)
    except NotOpenError as error:
        return await show(request, place, workshop, step, problem=str(error), status=409)
    except ValueError as error:
        return await show(request, place, workshop, step, problem=str(error), status=400)
    if PART not in request.headers and came.checked is None:
        return redirect(place.address(step.slug))
    return await show(
        request, place, workshop, step, checked=came.checked, done=came.done, ran=came.ran, pressed=came.pressed
    )


def number_in(request: HttpRequest, name: str) -> int:
    """A small number of a form; -1 for anything else, which then is refused as such."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1


def predicting(request: HttpRequest) -> Act:
    """Notes what the person expects."""
    return Act(StepAction.PREDICT, number_in(request, "choice"))


def running(request: HttpRequest) -> Act:
    """Does what one of the commands says."""
    return Act(StepAction.RUN, number_in(request, "number"))


def checking(request: HttpRequest) -> Act:
    """Looks at the kernel and the Engine; ``auto`` is what an open page sends by itself."""
    return Act(StepAction.CHECK, pressed="auto" not in request.POST)


def hinting(request: HttpRequest) -> Act:
    """Notes that a hint was unfolded."""
    return Act(StepAction.HINT, number_in(request, "number"))
