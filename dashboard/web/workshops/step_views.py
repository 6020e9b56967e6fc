"""One step of a workshop for a user who works alone: predict, run, check."""

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from dashboard.web.workshops.step_context import (
    StepForm,
    check_form,
    hint_form,
    own_place,
    perform,
    predict_form,
    refuse_locked,
    render_step,
    require_step,
    run_form,
)
from dashboard.web.workshops.views import person_of


@require_GET
async def step_page(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """One step. A GET observes and records nothing."""
    found, found_step = await require_step(workshop, step)
    place = own_place(await person_of(request), found.slug)
    return await refuse_locked(request, place, found, found_step) or await render_step(
        request, place, found, found_step
    )


def _action(
    parse: Callable[[HttpRequest], StepForm],
) -> Callable[[HttpRequest, str, str], Coroutine[Any, Any, HttpResponse]]:
    """A view that performs the action of a form."""

    @require_POST
    async def view(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
        found, found_step = await require_step(workshop, step)
        place = own_place(await person_of(request), found.slug)
        return await perform(request, place, found, found_step, parse(request))

    return view


predict = _action(predict_form)
run = _action(run_form)
check = _action(check_form)
hint = _action(hint_form)
