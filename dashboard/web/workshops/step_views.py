"""One step of a workshop for somebody with an account: predict, run, check. ``workshop_place`` does it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from dashboard.web.workshops.step_context import (
    Act,
    Place,
    act,
    alone,
    checking,
    found_step,
    hinting,
    locked,
    predicting,
    running,
    show,
)
from dashboard.web.workshops.views import person_of


async def _place(request: HttpRequest, workshop: str) -> Place:
    return alone(await person_of(request), workshop)


@require_GET
async def step_page(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """One step. Nothing is looked at and nothing noted: that needs a POST."""
    found, one = await found_step(workshop, step)
    place = await _place(request, found.slug)
    return await locked(request, place, found, one) or await show(request, place, found, one)


async def _act(request: HttpRequest, workshop: str, step: str, doing: Callable[[HttpRequest], Act]) -> HttpResponse:
    found, one = await found_step(workshop, step)
    return await act(request, await _place(request, found.slug), found, one, doing(request))


@require_POST
async def predict(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Notes what the person expects."""
    return await _act(request, workshop, step, predicting)


@require_POST
async def run(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Does what one of the commands says."""
    return await _act(request, workshop, step, running)


@require_POST
async def check(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Looks at the kernel and the Engine."""
    return await _act(request, workshop, step, checking)


@require_POST
async def hint(request: HttpRequest, workshop: str, step: str) -> HttpResponse:
    """Notes that a hint was unfolded."""
    return await _act(request, workshop, step, hinting)
