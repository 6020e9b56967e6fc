"""Views that save experiments and measurements as reports."""

from collections.abc import Callable, Sequence
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from dashboard.latency.environment import read_machine
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.saved import ReportDetails
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.http.threaded_views import threaded
from dashboard.web.service import service


def save_with_machine(experiment: str, details: ReportDetails, runs: Sequence[str] | None = None) -> str:
    """Saves a report of an experiment and returns the report's id. Passes this machine and the engine of the lab to
    ``saved_reports.save_experiment``, which describes the other parameters. Raises NotSavedError."""
    engine = service.engine
    machine = read_machine() if engine else None
    return saved_reports.save_experiment(experiment, details, runs=runs, engine=engine, machine=machine)


def _save(request: HttpRequest, back_url: str, save: Callable[[ReportDetails], str]) -> HttpResponse:
    """Calls ``save`` with the form's values, and redirects to the new report, whose id ``save`` returns.

    If that fails, shows the reason and the entered values. ``back_url`` is the page that this response links to.
    """
    values = {name: request.POST.get(name, "") for name in ("title", "tags", "notes")}
    details = ReportDetails(
        values["title"], values["notes"], tuple(values["tags"].split(",")), owner_id=request.user.pk
    )
    try:
        return redirect(f"/reports/{save(details)}/")
    except NotSavedError as error:
        context = {"problem": str(error), "save_values": values, "save_url": request.path, "back_url": back_url}
        return render(request, "reports/save.html", context, status=400)


@require_POST
@threaded
def save_experiment(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves an experiment as a report."""
    return _save(request, f"/experiments/{identity}/", partial(save_with_machine, identity))


@require_POST
@threaded
def save_measurement(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves a measurement as a report."""
    save = partial(saved_reports.save_measurement, identity, engine=service.engine)
    return _save(request, f"/measurements/{identity}/", save)
