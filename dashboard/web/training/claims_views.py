"""Claims of a seat: executed on the host of its group, or where they need a machine to themselves on a private host of
their own."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.training.group_quota import WorkKind, not_in_a_class
from dashboard.store import claim_runs
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, RoomError
from dashboard.web.claims.presenters import grouped, show_catalogue, show_run
from dashboard.web.claims.views import HISTORY, require_run
from dashboard.web.http.database import in_database
from dashboard.web.service import service
from dashboard.web.training.participant_host import Inside, in_lab


async def _catalogue(request: HttpRequest, inside: Inside, status: int = 200, problem: str = "") -> HttpResponse:
    def show() -> HttpResponse:
        reasons = {claim.id: not_in_a_class(claim) for claim in all_claims()}
        shown = [
            replace(one, unavailable=reasons.get(one.id, ""))
            for one in show_catalogue(claim_runs.newest_outcomes(inside.group))
        ]
        live = claim_runs.live_run(inside.group)
        context = {
            **inside.where.context,
            "groups": grouped(shown),
            "total": len(shown),
            "run": live,
            "live": live is not None,
            "history": claim_runs.history(HISTORY, group=inside.group),
            "engine_problem": problem,
        }
        return render(request, "claims/claims.html", context, status=status)

    return await in_database(show)


@require_GET
@in_lab()
async def listing(request: HttpRequest, inside: Inside) -> HttpResponse:
    """Every claim with its newest outcome in this group."""
    return await _catalogue(request, inside)


@require_POST
@in_lab()
async def run(request: HttpRequest, inside: Inside) -> HttpResponse:
    """Wants claims executed: those named, or all that are executed in a class."""
    ids = request.POST.getlist("claim")[:1000]
    try:
        identity = await in_database(group_runs.execute, ids, inside.group, inside.row.owner_id)
    except ValueError as error:
        return await _catalogue(request, inside, 400, str(error))
    except (NoHostError, RoomError) as error:
        return await _catalogue(request, inside, 409, str(error))
    service.wake()
    return redirect(
        f"{inside.where.claims}#claim-{ids[0]}" if len(ids) == 1 else f"{inside.where.claims}runs/{identity}/"
    )


@require_GET
@in_lab(WorkKind.CLAIMS)
async def one_run(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """One run as it is, or was."""

    def show() -> HttpResponse:
        found = require_run(work)
        shown = show_run(claim_runs.outcomes(work))
        context = {"groups": grouped(shown), "total": len(shown), "run": found, "live": found.live, "past": True}
        return render(request, "claims/claims.html", {**inside.where.context, **context})

    return await in_database(show)


@require_POST
@in_lab(WorkKind.CLAIMS)
async def cancel(_request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants its end; what it found is kept."""
    await in_database(claim_runs.want_cancelled, work)
    service.wake()
    return redirect(f"{inside.where.claims}runs/{work}/")
