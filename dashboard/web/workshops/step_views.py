"""The views of a workshop's steps for a user who works alone: predict, run, check."""

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from dashboard.web.workshops import step_context


@require_GET
async def step_page(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Renders the page of a step with the current state of the host. Stores nothing."""
    found, found_step = await step_context.require_step(workshop, step)
    place = await step_context.own_place(request, found.slug)
    return await step_context.refuse_locked(request, place, found, found_step) or await step_context.render_step(
        request, place, found, found_step
    )


def _action(
    parse: Callable[[HttpRequest], step_context.StepForm],
) -> Callable[[HttpRequest, str, str], Coroutine[Any, Any, HttpResponse]]:

    @require_POST
    async def view(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
        found, found_step = await step_context.require_step(workshop, step)
        place = await step_context.own_place(request, found.slug)
        return await step_context.perform(request, place, found, found_step, parse(request))

    return view


predict = _action(step_context.predict_form)
run = _action(step_context.run_form)
check = _action(step_context.check_form)
hint = _action(step_context.hint_form)


@require_POST
async def measure(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Requests a measurement of the step."""
    found, found_step = await step_context.require_step(workshop, step)
    place = await step_context.own_place(request, found.slug)
    return await step_context.measure(request, place, found, found_step)
