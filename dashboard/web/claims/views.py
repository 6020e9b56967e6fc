"""Pages of claims and misconceptions: read, run, follow, cancel, save."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.misconception import Misconception, reveal
from dashboard.core.claims.misconceptions import all_misconceptions, misconception
from dashboard.core.claims.run import choose
from dashboard.core.reports.model import ClaimVerdict
from dashboard.store import claim_runs
from dashboard.store.claim_runs import Described
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.claims.presenters import grouped, show_catalogue, show_run
from dashboard.web.experiments.views import refuse
from dashboard.web.service import LabUnavailableError, service

HISTORY = 20


def start_run(ids: Sequence[str], owner_id: int | None) -> str:
    """Writes that these claims shall be executed, all of them where none is named; ValueError with a sentence for an
    unknown one, LabUnavailableError without an engine."""
    claims = choose(all_claims(), ids)
    service.require()
    run = claim_runs.create_run([claim.id for claim in claims], owner_id)
    service.wake()
    return run


def start_misconception(one: Misconception, prediction: str, owner_id: int | None) -> str:
    """Writes that a misconception shall be executed; ValueError without a prediction, LabUnavailableError without engine."""
    number = one.choice(prediction)
    service.require()
    run = claim_runs.create_run([one.claim.id], owner_id, misconception=one.id, prediction=str(number))
    service.wake()
    return run


def require_run(identity: str) -> Described:
    """The run, or Http404."""
    found = claim_runs.describe(identity)
    if found is None:
        raise Http404(_("There is no run of claims with this number."))
    return found


def require_misconception(name: str) -> Misconception:
    """The misconception, or Http404."""
    found = misconception(name)
    if found is None:
        raise Http404(_("There is no misconception with this name."))
    return found


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Every claim with its newest outcome; while a run is under way, how far it is."""
    shown = show_catalogue(claim_runs.newest_outcomes())
    live = claim_runs.live_run()
    context = {
        "groups": grouped(shown),
        "total": len(shown),
        "run": live,
        "live": live is not None,
        "history": claim_runs.history(HISTORY),
        "engine_problem": service.missing(),
    }
    return render(request, "claims/claims.html", context)


@require_GET
def one_run(request: HttpRequest, identity: str) -> HttpResponse:
    """One run as it is, or was."""
    found = require_run(identity)
    if found.misconception:
        return redirect(f"/misconceptions/{found.misconception}/?run={found.id}")
    shown = show_run(claim_runs.outcomes(identity))
    context = {"groups": grouped(shown), "total": len(shown), "run": found, "live": found.live, "past": True}
    return render(request, "claims/claims.html", context)


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Wants claims executed: those named, or all."""
    try:
        identity = start_run(request.POST.getlist("claim")[:1000], request.user.pk)
    except ValueError as error:
        return refuse(request, 400, _("That claim does not exist"), str(error))
    except LabUnavailableError as error:
        return refuse(request, 409, _("Nothing can be executed now"), str(error))
    ids = request.POST.getlist("claim")
    anchor = f"#claim-{ids[0]}" if len(ids) == 1 else ""
    return redirect(f"/claims/{anchor}" if anchor else f"/claims/runs/{identity}/")


@require_POST
def cancel(request: HttpRequest, identity: str) -> HttpResponse:
    """Wants the end of a run; what it found is kept."""
    found = require_run(identity)
    claim_runs.want_cancelled(identity)
    service.wake()
    if found.misconception:
        return redirect(f"/misconceptions/{found.misconception}/?run={identity}")
    return redirect(f"/claims/runs/{identity}/")


@require_POST
def save(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves a run as a report."""
    require_run(identity)
    try:
        report = saved_reports.save_claims(identity, saved_reports.ReportDetails(owner_id=request.user.pk))
    except NotSavedError as error:
        return refuse(request, 409, _("It cannot be saved"), str(error))
    return redirect(f"/reports/{report}/")


@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """Every misconception."""
    context = {"misconceptions": all_misconceptions(), "tried": claim_runs.misconceptions_tried()}
    return render(request, "claims/misconceptions.html", context)


@require_GET
def one_misconception(request: HttpRequest, name: str) -> HttpResponse:
    """What people expect, the prediction, and once it was run: what happened, why, and how to do it right."""
    return _misconception(request, require_misconception(name), request.GET.get("run", ""))


def _misconception(
    request: HttpRequest, one: Misconception, run_id: str, *, problem: str = "", status: int = 200
) -> HttpResponse:
    found = claim_runs.describe(run_id) if run_id else None
    if found is not None and found.misconception != one.id:
        found = None
    if run_id and found is None:
        raise Http404(_("There is no run of this misconception with this number."))
    shown = show_run(claim_runs.outcomes(found.id))[0] if found is not None else None
    revealed = None
    if found is not None and shown is not None and shown.verdict:
        revealed = reveal(one, int(found.prediction or 0), ClaimVerdict(shown.verdict))
    others = all_misconceptions()
    place = others.index(one)
    context = {
        "one": one,
        "run": found,
        "claim": shown,
        "live": found is not None and found.live,
        "revealed": revealed,
        "problem": problem,
        "predicted": one.choices[int(found.prediction)] if found is not None and found.prediction else "",
        "next": others[(place + 1) % len(others)],
    }
    return render(request, "claims/misconception.html", context, status=status)


@require_POST
def run_misconception(request: HttpRequest, name: str) -> HttpResponse:
    """Wants a misconception executed, with the prediction that was made."""
    one = require_misconception(name)
    try:
        identity = start_misconception(one, request.POST.get("prediction", ""), request.user.pk)
    except ValueError as error:
        return _misconception(request, one, "", problem=str(error), status=400)
    except LabUnavailableError as error:
        return _misconception(request, one, "", problem=str(error), status=409)
    return redirect(f"/misconceptions/{one.id}/?run={identity}")
