"""The pages of workshops: list, overview and result. The pages of steps are in ``step_views``."""

import asyncio
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, current_step, step_stage, summarise
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import experiment_calls, workshop_calls
from dashboard.lab.workshops.files import Library
from dashboard.store import workshops as store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.workshops import Progress
from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service

#: How many seconds a page waits for the modes that the engine supports.
MODES_S = 5.0


def library() -> Library:
    """Returns the library of the workshops of this installation."""
    return workshop_calls.library()


async def require_workshop(slug: str) -> Workshop:
    """Returns the workshop with this slug. Raises Http404 if it does not exist."""
    workshop = await sync_to_async(library().get, thread_sensitive=False)(slug)
    if workshop is None:
        raise Http404(_("There is no workshop with this name."))
    return workshop


async def person_of(request: HttpRequest) -> str:
    """Returns the key under which the progress of the signed-in user is stored."""
    return store.user_person(int((await request.auser()).pk or 0))


async def render_page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Renders a template in a thread, outside the event loop."""
    response: HttpResponse = await sync_to_async(render)(request, template, context, status=status)
    return response


def list_steps(
    workshop: Workshop, records: Records, front: str = "", until: int | None = None, *, free: bool = False
) -> list[dict[str, Any]]:
    """Returns the steps as entries of the navigation.

    ``front`` is the prefix of the steps' URLs. Steps from the index ``until`` on are closed; if ``free`` is true, the
    others are open in any order.
    """
    front = front or f"/workshop/{workshop.slug}/"
    return [
        {
            "number": number + 1,
            "slug": step.slug,
            "title": step.title,
            "stage": step_stage(workshop, records, number, until, free=free),
            "opened": bool(records.get(step.slug, EMPTY).opened_at),
            "url": f"{front}{step.slug}/",
        }
        for number, step in enumerate(workshop.steps)
    ]


def _describe_progress(workshop: Workshop, progress: Progress | None) -> dict[str, Any]:
    """Returns template variables: the number of completed steps, and the URL at which to continue."""
    records = progress.records if progress else {}
    done = sum(1 for step in workshop.steps if records.get(step.slug, EMPTY).passed_at)
    complete = done == len(workshop.steps)
    current = workshop.steps[min(current_step(workshop, records), len(workshop.steps) - 1)]
    url = f"/workshop/{workshop.slug}/" + ("result/" if complete else f"{current.slug}/")
    return {"started": progress is not None, "done": done, "of": len(workshop.steps), "complete": complete, "url": url}


@require_GET
async def workshops(request: HttpRequest) -> HttpResponse:
    """Renders the page of all workshops, with the user's progress."""
    progress = await to_db_thread(store.load_all_progress, await person_of(request))
    entries = await sync_to_async(library().all, thread_sensitive=False)()
    usable = [
        {
            "workshop": entry.workshop,
            "own": entry.own,
            "progress": _describe_progress(entry.workshop, progress.get(entry.workshop.slug)),
        }
        for entry in entries
        if entry.workshop is not None
    ]
    broken = [{"name": entry.name, "problems": entry.parsed.problems} for entry in entries if entry.workshop is None]
    return await render_page(request, "workshops/workshops.html", {"workshops": usable, "broken": broken})


async def _engine_problem(workshop: Workshop) -> str:
    """Returns why the server's engine cannot run the workshop. Empty if it can or if this is unknown; private hosts are
    not examined."""
    engine = service.engine
    if engine is None or engine.private:
        return ""
    if workshop.needs_lan:
        return _("It requires two private hosts on one LAN, in a swarm.")
    if workshop.needs_private_host:
        return _("It requires a private host, which has its own LAN and firewall.")
    entries = await sync_to_async(library().all, thread_sensitive=False)()
    own = {entry.workshop.slug for entry in entries if entry.own and entry.workshop is not None}
    if engine.kind is EngineKind.PODMAN and workshop.slug not in own:
        return _(
            "It requires Docker Engine: Podman names networks and images differently and has another resolver, so some "
            "steps could not be completed."
        )
    try:
        async with asyncio.timeout(MODES_S):
            modes = (await service.ask(experiment_calls.launch_options)).modes
    except (LabUnavailableError, EngineError, TimeoutError):
        return ""
    return next((mode.reason for mode in modes if mode.mode in workshop.modes and not mode.available), "")


@require_GET
async def overview(request: HttpRequest, workshop: str) -> HttpResponse:
    """Renders the page of a workshop, with its steps."""
    found = await require_workshop(workshop)
    progress = await to_db_thread(store.load_progress, await person_of(request), found.slug)
    context = {
        "workshop": found,
        "steps": list_steps(found, progress.records if progress else {}),
        "progress": _describe_progress(found, progress),
        "engine_problem": await _engine_problem(found),
        "private": service.engine.private if service.engine else None,
        "has_docker": shutil.which("docker") is not None,
    }
    return await render_page(request, "workshops/workshop.html", context)


@require_POST
async def start(request: HttpRequest, workshop: str) -> HttpResponse:
    """Starts a workshop or continues it, and redirects to the current step. Refuses if the engine cannot run it."""
    found = await require_workshop(workshop)
    if problem := await _engine_problem(found):
        advice = _("Use a private host: ./netmodes hosts create starts one and prints its DOCKER_HOST.")
        if found.needs_lan:
            advice = _(
                "Run ./netmodes lan create office, which prints their DOCKER_HOST, and ./netmodes lan swarm office."
            )
        title, back = _("This engine cannot run the workshop"), f"/workshop/{found.slug}/"
        return await to_db_thread(refuse, request, 409, title, problem, advice, back=back)
    progress = await to_db_thread(store.start, await person_of(request), found.slug, found.digest, shared_clock())

    with suppress(LabUnavailableError):  # ignored: the first step shows the problem
        await service.ask(workshop_calls.prepare_images, found.images)
    return redirect(_describe_progress(found, progress)["url"])


@require_POST
async def again(request: HttpRequest, workshop: str) -> HttpResponse:
    """Deletes the user's progress in a workshop, so that they can start over."""
    found = await require_workshop(workshop)
    await to_db_thread(store.delete_progress, await person_of(request), found.slug)
    return redirect(f"/workshop/{found.slug}/")


@require_GET
async def result(request: HttpRequest, workshop: str) -> HttpResponse:
    """Renders the page of the user's result, for printing."""
    found = await require_workshop(workshop)
    progress = await to_db_thread(store.load_progress, await person_of(request), found.slug)
    if progress is None:
        return redirect(f"/workshop/{found.slug}/")
    summary = summarise(found, progress.records)
    finished_at = progress.finished_at or summary.finished_at
    context = {
        "workshop": found,
        "summary": summary,
        "progress": _describe_progress(found, progress),
        "finished": datetime.fromtimestamp(finished_at, UTC) if finished_at else None,
        "took": finished_at - progress.started_at if finished_at else None,
        "name": (await request.auser()).get_username(),
        "engine": service.engine,
        "has_checks": any(step.checks for step in found.steps),
    }
    return await render_page(request, "workshops/result.html", context)
