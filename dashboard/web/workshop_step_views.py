"""One step of a workshop: predict, run, check. A change is a POST; the answer is the step as it is then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.workshop import Step, Workshop
from dashboard.core.workshop_commands import with_image
from dashboard.core.workshop_walk import EMPTY, Stage, reached, stage, truth_in_words
from dashboard.engine.protocol import EngineError
from dashboard.lab import workshop_store as store
from dashboard.lab.reconciler import Lab
from dashboard.lab.workshop_do import Done, workshop_host
from dashboard.lab.workshop_play import Checked, Looks, NotOpenError, Play
from dashboard.web.service import LabAwayError, service
from dashboard.web.views import refuse
from dashboard.web.workshop_views import in_database, page, person_of, steps_of, workshop_of

#: A request with this header gets the page without its frame: the script puts it in place.
PART = "X-Netmodes-Part"
IMAGES_S = 1.0
looks = Looks()


async def _images() -> frozenset[str]:
    """The images of the engine, so that the command that is shown works as it stands; none where it does not answer."""

    async def ask(lab: Lab) -> frozenset[str]:
        async with asyncio.timeout(IMAGES_S):
            return frozenset(tag for image in await lab.context.engine.images() for tag in image.tags)

    try:
        return await service.ask(ask)
    except (LabAwayError, EngineError, TimeoutError):
        return frozenset()


async def _show(
    request: HttpRequest,
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
    walk = await in_database(store.walk_of, await person_of(request), workshop.slug)
    if walk is None:
        return redirect(f"/workshop/{workshop.slug}/")
    number, records = workshop.index(step.slug) or 0, walk.records
    record = records.get(step.slug, EMPTY)
    images = checked.images if checked is not None else await _images()
    where = stage(workshop, records, number)
    rows = [] if checked is None else list(zip(step.checks, checked.judged.findings, strict=True))
    following = workshop.steps[number + 1] if number + 1 < len(workshop.steps) else None
    prediction = record.prediction
    context = {
        "base": "_part.html" if PART in request.headers else "base.html",
        "workshop": workshop,
        "step": step,
        "number": number + 1,
        "steps": steps_of(workshop, records),
        "stage": where,
        "record": record,
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
        "following": f"/workshop/{workshop.slug}/{following.slug}/"
        if following
        else f"/workshop/{workshop.slug}/result/",
        "is_last": following is None,
        "previous": f"/workshop/{workshop.slug}/{workshop.steps[number - 1].slug}/" if number else "",
        "url": f"/workshop/{workshop.slug}/{step.slug}/",
    }
    return await page(request, "workshop_step.html", context, status)


def _is_right(step: Step, prediction: int | None, truth: str) -> bool | None:
    if step.predict is None or prediction is None:
        return None
    return (
        step.predict.choices[prediction] == truth_in_words(step, truth)
        if (truth or step.predict.reading is None)
        else None
    )


async def _found(workshop: str, step: str) -> tuple[Workshop, Step]:
    found = await workshop_of(workshop)
    number = found.index(step)
    if number is None:
        raise Http404(_("There is no step with this name."))
    return found, found.steps[number]


async def _locked(request: HttpRequest, workshop: Workshop, step: Step) -> HttpResponse | None:
    """The refusal where the step is not open to the person."""
    walk = await in_database(store.walk_of, await person_of(request), workshop.slug)
    if walk is None:
        return redirect(f"/workshop/{workshop.slug}/")
    number = workshop.index(step.slug) or 0
    if stage(workshop, walk.records, number) is not Stage.LOCKED:
        return None
    first = workshop.steps[reached(workshop, walk.records)]
    sentence = _("“%(title)s” must be done first.") % {"title": first.title}
    answer: HttpResponse = await sync_to_async(refuse)(
        request, 409, _("This step is not open yet"), sentence, _("Go back to the workshop and go on from there.")
    )
    return answer


@require_GET
async def step_page(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """One step. Nothing is looked at and nothing noted: that needs a POST."""
    found, one = await _found(workshop, step)
    return await _locked(request, found, one) or await _show(request, found, one)


Act = Callable[[Play], Awaitable[dict[str, Any]]]


async def _act(request: HttpRequest, workshop: str, step: str, act: Act) -> HttpResponse:
    """Does something in a step and shows the step as it is then."""
    found, one = await _found(workshop, step)
    refusal = await _locked(request, found, one)
    if refusal is not None:
        return refusal
    person = await person_of(request)

    def ask(lab: Lab) -> Awaitable[dict[str, Any]]:
        context = lab.context
        return act(Play(workshop_host(context), context.database, context.clock, person, found, looks=looks))

    try:
        shown = await service.ask(ask)
    except (LabAwayError, EngineError) as error:
        return await _show(request, found, one, problem=str(error), status=503)
    except NotOpenError as error:
        return await _show(request, found, one, problem=str(error), status=409)
    except ValueError as error:
        return await _show(request, found, one, problem=str(error), status=400)
    if PART not in request.headers and not shown:
        return redirect(f"/workshop/{found.slug}/{one.slug}/")
    return await _show(request, found, one, **shown)


def _number(request: HttpRequest, name: str) -> int:
    """A small number of a form; -1 for anything else, which then is refused as such."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1


@require_POST
async def predict(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Notes what the person expects."""
    choice = _number(request, "choice")

    async def act(play: Play) -> dict[str, Any]:
        await play.predict(step, choice)
        return {}

    return await _act(request, workshop, step, act)


@require_POST
async def run(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Does what one of the commands says."""
    number = _number(request, "number")

    async def act(play: Play) -> dict[str, Any]:
        done = await play.run(step, number)
        return {"done": done, "ran": number, "checked": await play.check(step, pressed=False, fresh=True)}

    return await _act(request, workshop, step, act)


@require_POST
async def check(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Looks at the kernel and the Engine; ``auto`` is what an open page sends by itself."""
    pressed = "auto" not in request.POST

    async def act(play: Play) -> dict[str, Any]:
        return {"checked": await play.check(step, pressed=pressed), "pressed": pressed}

    return await _act(request, workshop, step, act)


@require_POST
async def hint(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Notes that a hint was unfolded."""
    number = _number(request, "number")

    async def act(play: Play) -> dict[str, Any]:
        await play.hint(step, number)
        return {}

    return await _act(request, workshop, step, act)
