"""The workshop's pages: list, overview, and what it came to. A step is in ``workshop_step_views``."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, reached, stage, summarise
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.files import Library, Shelved
from dashboard.store import workshops as store
from dashboard.store.workshops import Walk
from dashboard.web.http.database import in_database
from dashboard.web.service import LabUnavailableError, service


def library() -> Library:
    """The workshops of this installation."""
    return workshop_calls.library()


async def _shelves() -> tuple[Shelved, ...]:
    return await sync_to_async(library().all, thread_sensitive=False)()


async def workshop_of(slug: str) -> Workshop:
    """A workshop by its address; Http404 if there is none."""
    found = await sync_to_async(library().get, thread_sensitive=False)(slug)
    if found is None:
        raise Http404(_("There is no workshop with this name."))
    return found


async def person_of(request: HttpRequest) -> str:
    """Who asks."""
    return store.person_of(int((await request.auser()).pk or 0))


async def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A page; templates are filled in outside of the loop."""
    response: HttpResponse = await sync_to_async(render)(request, template, context, status=status)
    return response


def steps_of(
    workshop: Workshop, records: Records, front: str = "", until: int | None = None, *, free: bool = False
) -> list[dict[str, Any]]:
    """The list of steps, as it stands beside each of them. ``front`` is what stands before a step's address."""
    front = front or f"/workshop/{workshop.slug}/"
    return [
        {
            "number": number + 1,
            "title": step.title,
            "stage": stage(workshop, records, number, until, free=free),
            "url": f"{front}{step.slug}/",
            "slug": step.slug,
        }
        for number, step in enumerate(workshop.steps)
    ]


def _come(workshop: Workshop, walk: Walk | None) -> dict[str, Any]:
    """How far somebody has come, and where to go on."""
    records = walk.records if walk else {}
    done = sum(1 for step in workshop.steps if records.get(step.slug, EMPTY).passed_at)
    at = min(reached(workshop, records), len(workshop.steps) - 1)
    whole = done == len(workshop.steps)
    url = f"/workshop/{workshop.slug}/" + ("result/" if whole else f"{workshop.steps[at].slug}/")
    return {"begun": walk is not None, "done": done, "of": len(workshop.steps), "whole": whole, "url": url}


@require_GET
async def workshops(request: HttpRequest) -> HttpResponse:
    """All workshops, and where the person was."""
    person = await person_of(request)
    walks = await in_database(store.walks_of, person)
    shelves = await _shelves()
    found = [
        {"workshop": one.workshop, "own": one.own, "come": _come(one.workshop, walks.get(one.workshop.slug))}
        for one in shelves
        if one.workshop is not None
    ]
    broken = [{"name": one.name, "problems": one.loaded.problems} for one in shelves if one.workshop is None]
    return await page(request, "workshops/workshops.html", {"workshops": found, "broken": broken})


@require_GET
async def overview(request: HttpRequest, workshop: str) -> HttpResponse:
    """One workshop with its steps."""
    found = await workshop_of(workshop)
    walk = await in_database(store.walk_of, await person_of(request), found.slug)
    context = {
        "workshop": found,
        "steps": steps_of(found, walk.records if walk else {}),
        "come": _come(found, walk),
        "private": service.engine.private if service.engine else None,
        "has_docker": shutil.which("docker") is not None,
    }
    return await page(request, "workshops/workshop.html", context)


@require_POST
async def start(request: HttpRequest, workshop: str) -> HttpResponse:
    """Begins, or goes on."""
    found = await workshop_of(workshop)
    walk = await in_database(store.begin, await person_of(request), found.slug, found.digest, time.time())

    with suppress(LabUnavailableError):  # the first step says what is the matter
        await service.ask(workshop_calls.prepare_images, found.images)
    return redirect(_come(found, walk)["url"])


@require_POST
async def again(request: HttpRequest, workshop: str) -> HttpResponse:
    """Forgets how far the person has come."""
    found = await workshop_of(workshop)
    await in_database(store.forget, await person_of(request), found.slug)
    return redirect(f"/workshop/{found.slug}/")


@require_GET
async def result(request: HttpRequest, workshop: str) -> HttpResponse:
    """What it came to: to be printed or kept."""
    found = await workshop_of(workshop)
    user = await request.auser()
    walk = await in_database(store.walk_of, store.person_of(int(user.pk or 0)), found.slug)
    if walk is None:
        return redirect(f"/workshop/{found.slug}/")
    summary = summarise(found, walk.records)
    moment = walk.finished_at or summary.finished_at
    context = {
        "workshop": found,
        "summary": summary,
        "come": _come(found, walk),
        "finished": datetime.fromtimestamp(moment, UTC) if moment else None,
        "took": moment - walk.started_at if moment else None,
        "name": user.get_username(),
        "engine": service.engine,
    }
    return await page(request, "workshops/result.html", context)
