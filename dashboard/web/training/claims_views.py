"""A participant's pages about claims.

Claims run on the group's host. Claims that need a machine to themselves run on a separate private host.
"""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.training.group_quota import RunKind, refuse_claim
from dashboard.store import claim_runs
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.claims.presenters import show_catalogue
from dashboard.web.claims.views import catalogue_context, require_run, run_context
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service
from dashboard.web.training.hosts.participant_host import ParticipantHostContext, on_group_host


async def _catalogue(
    request: HttpRequest, host: ParticipantHostContext, status: int = 200, problem: str = ""
) -> HttpResponse:
    def show() -> HttpResponse:
        refusals = {claim.id: refuse_claim(claim) or "" for claim in all_claims()}
        shown = [
            replace(claim, unavailable=refusals.get(claim.id, ""))
            for claim in show_catalogue(claim_runs.newest_outcomes(host.group))
        ]
        context = {**host.scope.context, **catalogue_context(shown, host.group), "engine_problem": problem}
        return render(request, "claims/claims.html", context, status=status)

    return await to_db_thread(show)


@require_GET
@on_group_host()
async def listing(request: HttpRequest, host: ParticipantHostContext) -> HttpResponse:
    """Renders the page of all claims, each with its newest outcome in this group."""
    return await _catalogue(request, host)


@require_POST
@on_group_host()
async def run(request: HttpRequest, host: ParticipantHostContext) -> HttpResponse:
    """Queues a run of the selected claims or, if none is selected, of all claims that can run in a session."""
    ids = request.POST.getlist("claim")[:1000]
    try:
        run_id = await to_db_thread(group_runs.run_claims, ids, host.group, host.row.owner_id)
    except ValueError as error:
        return await _catalogue(request, host, 400, str(error))
    except (NoHostError, QuotaError) as error:
        return await _catalogue(request, host, 409, str(error))
    service.wake()
    return redirect(host.scope.claims + (f"#claim-{ids[0]}" if len(ids) == 1 else f"runs/{run_id}/"))


@require_GET
@on_group_host(RunKind.CLAIMS)
async def one_run(request: HttpRequest, host: ParticipantHostContext, run_id: str) -> HttpResponse:
    """Renders the page of a run of claims."""

    def show() -> HttpResponse:
        context = {**host.scope.context, **run_context(require_run(run_id))}
        return render(request, "claims/claims.html", context)

    return await to_db_thread(show)


@require_POST
@on_group_host(RunKind.CLAIMS)
async def cancel(_request: HttpRequest, host: ParticipantHostContext, run_id: str) -> HttpResponse:
    """Cancels a run of claims. Outcomes so far are kept."""
    await to_db_thread(claim_runs.request_cancel, run_id)
    service.wake()
    return redirect(f"{host.scope.claims}runs/{run_id}/")
