"""Views that save experiments and measurements as reports."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.saved import ReportDetails
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.http.threaded_views import threaded
from dashboard.web.service import service


def _save(request: HttpRequest, back_url: str, save: Callable[..., str], identity: str) -> HttpResponse:
    """Calls ``save`` with ``identity`` and the form's values, and redirects to the new report.

    If that fails, shows the reason and the entered values. ``back_url`` is the page that this response links to.
    """
    values = {name: request.POST.get(name, "") for name in ("title", "tags", "notes")}
    details = ReportDetails(
        values["title"], values["notes"], tuple(values["tags"].split(",")), owner_id=request.user.pk
    )
    try:
        return redirect(f"/reports/{save(identity, details, engine=service.engine)}/")
    except NotSavedError as error:
        context = {"problem": str(error), "save_values": values, "save_url": request.path, "back_url": back_url}
        return render(request, "reports/save.html", context, status=400)


@require_POST
@threaded
def save_experiment(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves an experiment as a report."""
    return _save(request, f"/experiments/{identity}/", saved_reports.save_experiment, identity)


@require_POST
@threaded
def save_measurement(request: HttpRequest, identity: str) -> HttpResponse:
    """Saves a measurement as a report."""
    return _save(request, f"/measurements/{identity}/", saved_reports.save_measurement, identity)
