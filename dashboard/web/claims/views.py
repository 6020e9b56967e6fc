"""Pages of claims and misconceptions, and the commands on them: run, cancel and save."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.estimate import describe_seconds, run_seconds
from dashboard.core.claims.misconception import Misconception, compare_prediction
from dashboard.core.claims.misconceptions import all_misconceptions, find_misconception
from dashboard.core.claims.run import ClaimState, choose
from dashboard.core.reports.model import ClaimVerdict
from dashboard.store import claim_runs
from dashboard.store.claim_runs import RunSummary
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.claims.presenters import ShownClaim, group_by_topic, show_catalogue, show_run
from dashboard.web.experiments.views import refuse
from dashboard.web.operations.accounts.creators import creators_of
from dashboard.web.service import LabUnavailableError, service

HISTORY = 20


def start_run(ids: Sequence[str], owner_id: int | None) -> str:
    """Queues a run of these claims, or of all if ``ids`` is empty, and returns its id.

    Raises ValueError with a sentence if an id is unknown, and LabUnavailableError if no lab is available.
    """
    claims = choose(all_claims(), ids)
    service.require()
    run_id = claim_runs.create_run([claim.id for claim in claims], owner_id)
    service.wake()
    return run_id


def start_misconception(misconception: Misconception, prediction: str, owner_id: int | None) -> str:
    """Queues a run of a misconception and returns its id. ``prediction`` is the index of a choice, as text.

    Raises ValueError if ``prediction`` is invalid, and LabUnavailableError if no lab is available.
    """
    choice = misconception.parse_choice(prediction)
    service.require()
    run_id = claim_runs.create_run(
        [misconception.claim.id], owner_id, misconception=misconception.id, prediction=str(choice)
    )
    service.wake()
    return run_id


def require_run(identity: str) -> RunSummary:
    """Returns the run of claims with this id. Raises Http404 if it does not exist."""
    found = claim_runs.load_run(identity)
    if found is None:
        raise Http404(_("This run of claims does not exist."))
    return found


def require_misconception(name: str) -> Misconception:
    """Returns the misconception with this id. Raises Http404 if it does not exist."""
    found = find_misconception(name)
    if found is None:
        raise Http404(_("There is no misconception with this name."))
    return found


def catalogue_context(shown: list[ShownClaim], group: str = "") -> dict[str, Any]:
    """Returns the template variables of the page that lists all claims.

    The page shows the runs of the group with the key ``group`` in a training session or, by default, the runs on the
    server's own engine.
    """
    live = claim_runs.live_run(group)
    recorded = claim_runs.recorded_seconds()
    runnable = {claim.id for claim in shown if not claim.unavailable}
    return {
        "estimate": describe_seconds(run_seconds([one for one in all_claims() if one.id in runnable], recorded)),
        "remaining": _remaining(live, recorded),
        "groups": group_by_topic(shown),
        "total": len(shown),
        "private_total": sum(claim.private for claim in shown),
        "run": live,
        "history": claim_runs.list_runs(HISTORY, group=group),
    }


def run_context(run: RunSummary) -> dict[str, Any]:
    """Returns the template variables of the page of one run."""
    shown = show_run(claim_runs.outcomes(run.id))
    return {
        "groups": group_by_topic(shown),
        "total": len(shown),
        "run": run,
        "past": True,
        "remaining": _remaining(run, claim_runs.recorded_seconds()),
    }


def _remaining(run: RunSummary | None, recorded: Mapping[str, float]) -> str:
    """Returns the estimated remaining time of a run as text; empty if ``run`` is None or has ended.

    ``recorded``: the seconds that each claim took when it last ran.
    """
    if run is None or not run.live:
        return ""
    outcomes = claim_runs.outcomes(run.id)
    asked, done = ({one.claim for one in outcomes}, {one.claim for one in outcomes if one.step is ClaimState.DONE})
    return describe_seconds(run_seconds([claim for claim in all_claims() if claim.id in asked], recorded, done))


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Renders the page of all claims with their newest outcomes, and the progress of the current run."""
    context = catalogue_context(show_catalogue(claim_runs.newest_outcomes()))
    heartbeat = service.heartbeat()
    more = {
        "engine_problem": service.missing(),
        "engine_version": heartbeat.status.engine if heartbeat is not None else "",
        "private_version": heartbeat.status.private_engine if heartbeat is not None else "",
    }
    return render(request, "claims/claims.html", {**context, **more, **creators_of(request).context})


@require_GET
def one_run(request: HttpRequest, identity: str) -> HttpResponse:
    """Renders the page of a run of claims."""
    found = require_run(identity)
    if found.misconception:
        return redirect(f"/misconceptions/{found.misconception}/?run={found.id}")
    return render(request, "claims/claims.html", run_context(found))


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Queues a run of the claims that the form selects, or of all claims."""
    ids = request.POST.getlist("claim")[:1000]
    try:
        identity = start_run(ids, request.user.pk)
    except ValueError as error:
        return refuse(request, 400, _("That claim does not exist"), str(error))
    except LabUnavailableError as error:
        return refuse(request, 409, _("Claims cannot run now"), str(error))
    return redirect(f"/claims/#claim-{ids[0]}" if len(ids) == 1 else f"/claims/runs/{identity}/")


@require_POST
def cancel(request: HttpRequest, identity: str) -> HttpResponse:
    """Cancels a run of claims. Results so far are kept."""
    found = require_run(identity)
    claim_runs.request_cancel(identity)
    service.wake()
    if found.misconception:
        return redirect(f"/misconceptions/{found.misconception}/?run={identity}")
    return redirect(f"/claims/runs/{identity}/")


@require_POST
def save(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves a run of claims as a report."""
    require_run(identity)
    try:
        report = saved_reports.save_claims(identity, saved_reports.ReportDetails(owner_id=request.user.pk))
    except NotSavedError as error:
        return refuse(request, 409, _("The run cannot be saved"), str(error))
    return redirect(f"/reports/{report}/")


@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """Renders the page of all misconceptions."""
    context = {"misconceptions": all_misconceptions(), "tried": claim_runs.misconceptions_tried()}
    return render(request, "claims/misconceptions.html", context)


@require_GET
def one_misconception(request: HttpRequest, name: str) -> HttpResponse:
    """Renders the page of a misconception: what people expect, and the form for the prediction.

    After the run, it shows the result, the reason and the fix.
    """
    return _show_misconception(request, require_misconception(name), request.GET.get("run", ""))


def _show_misconception(
    request: HttpRequest, misconception: Misconception, run_id: str, *, problem: str = "", status: int = 200
) -> HttpResponse:
    run_found = claim_runs.load_run(run_id) if run_id else None
    if run_id and (run_found is None or run_found.misconception != misconception.id):
        raise Http404(_("This run of the misconception does not exist."))
    others = all_misconceptions()
    context: dict[str, Any] = {
        "misconception": misconception,
        "run": run_found,
        "problem": problem,
        "next": others[(others.index(misconception) + 1) % len(others)],
    }
    if run_found is not None:
        claim, prediction = show_run(claim_runs.outcomes(run_found.id))[0], int(run_found.prediction or 0)
        context |= {"claim": claim, "predicted": misconception.choices[prediction]}
        if claim.verdict:
            context["result"] = compare_prediction(
                misconception, prediction, ClaimVerdict(claim.verdict), claim.condition
            )
    return render(request, "claims/misconception.html", context, status=status)


@require_POST
def run_misconception(request: HttpRequest, name: str) -> HttpResponse:
    """Queues a run of a misconception, with the user's prediction."""
    misconception = require_misconception(name)
    try:
        identity = start_misconception(misconception, request.POST.get("prediction", ""), request.user.pk)
    except ValueError as error:
        return _show_misconception(request, misconception, "", problem=str(error), status=400)
    except LabUnavailableError as error:
        return _show_misconception(request, misconception, "", problem=str(error), status=409)
    return redirect(f"/misconceptions/{misconception.id}/?run={identity}")
