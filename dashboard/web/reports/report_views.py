"""The page of one report, the commands on it, and the example report."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.machines.parts import SERVER_NAME, machine_problems, missing_machines, move_arms
from dashboard.core.experiments.validation import problems
from dashboard.core.reports.view import ReportView
from dashboard.export import example as example_report
from dashboard.export.formats import Format, file_name
from dashboard.export.html import hash_command
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import parts
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import NOT_FOUND, ListedReport, ReportNotFoundError, get_report
from dashboard.store.reports.reading import load_content, load_derived
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.experiments.launch_places import default_machine, machine_names, machine_places
from dashboard.web.http.threaded_views import threaded
from dashboard.web.service import service


def get_report_or_404(identity: str) -> ListedReport:
    """Returns the report as lists show it. Raises Http404 if it does not exist."""
    try:
        return get_report(identity)
    except ReportNotFoundError:
        raise Http404(_(NOT_FOUND)) from None


def _source(report: ListedReport) -> dict[str, str]:
    """Returns template variables with a link to the experiment or measurement from which the report was saved.

    Empty if that no longer exists, or if the report was imported.
    """
    if report.imported_from or not report.source:
        return {}
    if MeasurementRun.objects.filter(pk=report.source).exists():
        return {"source_url": f"/measurements/{report.source}/", "source_word": _("Measurement")}
    if Experiment.objects.filter(pk=report.source).exists():
        return {"source_url": f"/experiments/{report.source}/", "source_word": _("Experiment")}
    return {}


def _report_context(
    view: ReportView, digest: str, name: str, json_file: str, *, all_lines: bool = False
) -> dict[str, Any]:
    """Returns the variables of the template ``reports/report.html``. ``digest`` is the report's hash, ``name`` its id
    or ``example``, and ``json_file`` the name of its JSON file. If ``all_lines`` is true, the page contains all entries
    of the timeline."""
    return {
        "view": view,
        "digest": digest,
        "check_command": hash_command(json_file),
        "all_lines": all_lines,
        "track_url": f"/reports/{name}/track/",
        "replay": view.snapshot is not None,
    }


def _render_report(request: HttpRequest, identity: str, status: int = 200, **extra: Any) -> HttpResponse:
    row = get_report_or_404(identity)
    all_lines = request.GET.get("lines") == "all"
    json_file = file_name(row, Format.JSON)
    context = _report_context(load_derived(identity).view, row.digest, identity, json_file, all_lines=all_lines)
    context |= {"row": row, "remarks": saved_reports.remarks(identity), **_source(row), **extra}
    return render(request, "reports/report.html", context, status=status)


@require_GET
def report(request: HttpRequest, identity: str) -> HttpResponse:
    """Renders the page of a report. It is complete without JavaScript."""
    return _render_report(request, identity)


@require_GET
def recording(_request: HttpRequest, identity: str) -> HttpResponse:
    """Returns the recording from which a browser replays a report, as JSON."""
    get_report_or_404(identity)
    return HttpResponse(load_derived(identity).recording or b"{}", content_type="application/json")


@require_POST
def annotate(request: HttpRequest, identity: str) -> HttpResponse:
    """Adds a remark to a report. If the remark is invalid, shows the page again with the entered text."""
    get_report_or_404(identity)
    text = request.POST.get("text", "")
    try:
        number = saved_reports.annotate(identity, text, owner_id=request.user.pk)
    except NotSavedError as error:
        return _render_report(request, identity, 400, remark_problem=str(error), typed_remark=text)
    return redirect(f"/reports/{identity}/#remark-{number}")


def _change(identity: str, change: Callable[[str], None]) -> HttpResponse:
    try:
        change(identity)
    except ReportNotFoundError:
        raise Http404(_(NOT_FOUND)) from None
    return redirect(f"/reports/{identity}/")


@require_POST
def archive(request: HttpRequest, identity: str) -> HttpResponse:
    """Archives a report, which hides it from the list. With ``archived=no``, shows it in the list again."""
    return _change(identity, saved_reports.unarchive if request.POST.get("archived") == "no" else saved_reports.archive)


@require_POST
def delete(_request: HttpRequest, identity: str) -> HttpResponse:
    """Deletes a report, and redirects to the list, which offers to restore it."""
    _change(identity, saved_reports.delete)
    return redirect(f"/reports/?{urlencode({'deleted': identity})}")


@require_POST
def undelete(_request: HttpRequest, identity: str) -> HttpResponse:
    """Restores a deleted report."""
    return _change(identity, saved_reports.undelete)


@require_POST
@threaded
def repeat(request: HttpRequest, identity: str) -> HttpResponse:
    """Launches the experiment of a report again on the current engine.

    If no lab has started on the installation's own machine, it is launched on another one. A report of the new run
    continues the experiment's trend. If the experiment ran on machines that cannot be selected
    now, as in an anonymised report, the user selects others.
    """
    get_report_or_404(identity)
    frozen = load_content(identity).experiment
    if frozen is None:
        return _render_report(request, identity, 400, repeat_problem=_("This report contains no experiment."))
    names = machine_names(machine_places())
    # If no other machine is connected, arms must not name the installation's own.
    chosen = [one if names or one != SERVER_NAME else "" for one in request.POST.getlist("to")]
    spec = move_arms(frozen.spec, dict(zip(request.POST.getlist("from"), chosen, strict=False)))
    if invalid := (*problems(spec), *machine_problems(spec, names)):
        choice = {"missing": missing_machines(frozen.spec, names), "machine_names": names or (SERVER_NAME,)}
        return _render_report(request, identity, 400, repeat_problem=invalid[0].sentence, **choice)
    experiment = parts.create(spec, request.user.pk, machine=default_machine())
    service.wake()
    return redirect(f"/experiments/{experiment}/")


def _require_example() -> None:
    if not example_report.is_there():
        raise Http404(_("This installation has no example."))


@require_GET
def example(request: HttpRequest) -> HttpResponse:
    """Renders the example report, which is part of Netmodes and can be read without Docker."""
    _require_example()
    derived, digest = example_report.load()
    context = _report_context(derived.view, digest, "example", example_report.FILE.name) | {"example": True}
    return render(request, "reports/report.html", context)


@require_GET
def example_recording(_request: HttpRequest) -> HttpResponse:
    """Returns the recording from which a browser replays the example report, as JSON."""
    _require_example()
    return HttpResponse(example_report.load()[0].recording, content_type="application/json")
