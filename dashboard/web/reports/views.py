"""Pages of reports: save, list, read, write beside, put away, import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.validation import problems
from dashboard.core.reports.model import Origin, clean_tags
from dashboard.core.reports.parse import MOST_BYTES
from dashboard.export import example as example_report
from dashboard.export.html import check_command
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import Found, Listed, NoReportError, describe, find
from dashboard.store.reports.reading import derived
from dashboard.store.reports.saved import NotAReportError, NotSavedError
from dashboard.web.http.threaded_views import aside
from dashboard.web.service import service

MOST_QUERY = 200
SAVE_FIELDS = ("title", "tags", "notes")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for."""

    query: str
    tags: tuple[str, ...]
    origin: str
    mine: bool
    archived: bool
    page: int

    @property
    def filtered(self) -> bool:
        """Whether it is not the whole list."""
        return bool(self.query or self.tags or self.origin or self.mine or self.archived)

    def url(self, **changed: Any) -> str:
        """The address of the list with some of it changed."""
        tags = changed.get("tags", self.tags)
        said = {
            "q": self.query,
            "origin": self.origin,
            "owner": "me" if self.mine else "",
            "archived": "1" if self.archived else "",
            "page": changed.get("page", ""),
        }
        pairs = [(name, str(value)) for name, value in said.items() if value] + [("tag", tag) for tag in tags]
        return f"/reports/?{urlencode(pairs)}" if pairs else "/reports/"


def there_is_none() -> Http404:
    """The refusal for a number that no report has."""
    return Http404(_("There is no report with this number."))


def found_report(identity: str) -> Listed:
    """The report as a line; Http404."""
    try:
        return describe(identity)
    except NoReportError:
        raise there_is_none() from None


def _asked(get: QueryDict) -> Asked:
    page = get.get("page", "")
    origin = get.get("origin", "")
    return Asked(
        " ".join(get.get("q", "").split())[:MOST_QUERY],
        clean_tags(get.getlist("tag")[:12]),
        origin if origin in set(Origin) else "",
        get.get("owner") == "me",
        get.get("archived") == "1",
        int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _tags(found: Found, asked: Asked) -> list[dict[str, Any]]:
    """Tags to narrow the list by, those chosen first."""
    counted = sorted(found.tags[:40], key=lambda one: one[0] not in asked.tags)
    return [
        {"tag": tag, "count": count, "chosen": tag in asked.tags, "url": asked.url(tags=_toggled(asked.tags, tag))}
        for tag, count in counted
    ]


def _toggled(tags: tuple[str, ...], tag: str) -> tuple[str, ...]:
    return tuple(one for one in tags if one != tag) if tag in tags else (*tags, tag)


def _list(request: HttpRequest, status: int = 200, **extra: Any) -> HttpResponse:
    asked = _asked(request.GET)
    owner = request.user.pk if asked.mine else None
    found = find(asked.query, asked.tags, asked.origin, owner, archived=asked.archived, page=asked.page)
    context = {
        "asked": asked,
        "found": found,
        "tags": _tags(found, asked),
        "origins": tuple(Origin),
        "newer_url": asked.url(page=found.page - 1) if found.page > 1 else "",
        "older_url": asked.url(page=found.page + 1) if found.page < found.pages else "",
        "deleted": _just_deleted(request.GET.get("deleted", "")),
        "import_limit": MOST_BYTES >> 20,
        "example_url": "/reports/example/" if example_report.is_there() else "",
        **extra,
    }
    return render(request, "reports/reports.html", context, status=status)


def _just_deleted(identity: str) -> Listed | None:
    """The report that was deleted a moment ago, to be undone."""
    try:
        found = describe(identity, deleted=True) if identity else None
    except NoReportError:
        return None
    return found if found is not None and found.deleted else None


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Saved reports: search, tags, filters, and the form to import one."""
    return _list(request)


def _source(row: Listed) -> dict[str, str]:
    """The way back to what the report was saved from, where that is still here."""
    if row.imported_from or not row.source:
        return {}
    if MeasurementRun.objects.filter(pk=row.source).exists():
        return {"source_url": f"/measurements/{row.source}/", "source_word": _("The measurement")}
    if Experiment.objects.filter(pk=row.source).exists():
        return {"source_url": f"/experiments/{row.source}/", "source_word": _("The experiment")}
    return {}


def _read(request: HttpRequest, identity: str, status: int = 200, **extra: Any) -> HttpResponse:
    row = found_report(identity)
    view = derived(identity).view
    context = {
        "row": row,
        "view": view,
        "digest": row.digest,
        "check_command": check_command(identity),
        "remarks": saved_reports.remarks(identity),
        "all_lines": request.GET.get("lines") == "all",
        "track_url": f"{row.url}track/",
        "replay": view.snapshot is not None,
        **_source(row),
        **extra,
    }
    return render(request, "reports/report.html", context, status=status)


@require_GET
def report(request: HttpRequest, identity: str) -> HttpResponse:
    """One report, complete at first paint."""
    return _read(request, identity)


@require_GET
def track(_request: HttpRequest, identity: str) -> HttpResponse:
    """What the replay of a report is fed with: JSON."""
    found_report(identity)
    return HttpResponse(derived(identity).track or b"{}", content_type="application/json")


@require_POST
def annotate(request: HttpRequest, identity: str) -> HttpResponse:
    """Writes a remark beside the report; one that cannot be kept comes back with what was typed."""
    text = request.POST.get("text", "")
    try:
        number = saved_reports.annotate(identity, text, owner_id=request.user.pk)
    except NoReportError:
        raise there_is_none() from None
    except NotSavedError as error:
        return _read(request, identity, 400, remark_problem=str(error), typed_remark=text)
    return redirect(f"/reports/{identity}/#remark-{number}")


def _put(identity: str, change: Callable[[str], None]) -> None:
    try:
        change(identity)
    except NoReportError:
        raise there_is_none() from None


@require_POST
def archive(request: HttpRequest, identity: str) -> HttpResponse:
    """Out of the list, or back into it."""
    _put(identity, saved_reports.unarchive if request.POST.get("archived") == "no" else saved_reports.archive)
    return redirect(f"/reports/{identity}/")


@require_POST
def delete(_request: HttpRequest, identity: str) -> HttpResponse:
    """Gone, with a way back on the next page."""
    _put(identity, saved_reports.delete)
    return redirect(f"/reports/?{urlencode({'deleted': identity})}")


@require_POST
def undelete(_request: HttpRequest, identity: str) -> HttpResponse:
    """Back again."""
    _put(identity, saved_reports.undelete)
    return redirect(f"/reports/{identity}/")


@require_POST
@aside
def repeat(request: HttpRequest, identity: str) -> HttpResponse:
    """The same experiment once more, on the engine that is here; saved again, it makes a trend."""
    found_report(identity)
    frozen = saved_reports.load_content(identity).experiment
    if frozen is None:
        return _read(request, identity, 400, repeat_problem=_("This report holds no experiment that could run again."))
    found = problems(frozen.spec)
    if found:
        return _read(request, identity, 400, repeat_problem=found[0].sentence)
    experiment = experiment_store.create_experiment(frozen.spec, request.user.pk)
    service.wake()
    return redirect(f"/experiments/{experiment}/")


# Saving.


def _typed(post: QueryDict) -> dict[str, str]:
    return {name: post.get(name, "") for name in SAVE_FIELDS}


def _save(request: HttpRequest, back_url: str, save: Callable[..., str]) -> HttpResponse:
    typed = _typed(request.POST)
    try:
        identity = save(
            title=typed["title"],
            notes=typed["notes"],
            tags=typed["tags"].split(","),
            owner_id=request.user.pk,
            engine=service.engine,
        )
    except NotSavedError as error:
        shown = {"problem": str(error), "save_values": typed, "save_url": request.path, "back_url": back_url}
        return render(request, "reports/save.html", shown, status=400)
    return redirect(f"/reports/{identity}/")


@require_POST
@aside
def save_experiment(request: HttpRequest, identity: str) -> HttpResponse:
    """Freezes an experiment; what cannot be saved comes back with what was typed."""
    return _save(request, f"/experiments/{identity}/", lambda **said: saved_reports.save_experiment(identity, **said))


@require_POST
@aside
def save_measurement(request: HttpRequest, identity: str) -> HttpResponse:
    """Freezes a measurement; what cannot be saved comes back with what was typed."""
    return _save(request, f"/measurements/{identity}/", lambda **said: saved_reports.save_measurement(identity, **said))


# Importing.


def _read_upload(file: UploadedFile[bytes]) -> bytes:
    """The file, read in pieces and no further than the limit; NotAReportError beyond it."""
    parts: list[bytes] = []
    left = MOST_BYTES
    for part in file.chunks():
        left -= len(part)
        if left < 0:
            raise NotAReportError(f"The file is larger than {MOST_BYTES >> 20} MB: no report is that large.")
        parts.append(part)
    return b"".join(parts)


@require_POST
@aside
def import_report(request: HttpRequest) -> HttpResponse:
    """Takes a report of another installation; what is none is refused with a sentence."""
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return _list(request, 400, import_problem=_("Choose a file first: the JSON export of a report."))
    try:
        identity = saved_reports.import_file(_read_upload(file), request.user.pk)
    except (NotAReportError, NotSavedError) as error:
        return _list(request, 400, import_problem=str(error))
    return redirect(f"/reports/{identity}/")


def _require_example() -> None:
    if not example_report.is_there():
        raise Http404(_("This installation has no example."))


@require_GET
def example(request: HttpRequest) -> HttpResponse:
    """The report that comes with Netmodes, so that a person without Docker sees what it is all about."""
    _require_example()
    view = example_report.view()
    context = {
        "row": None,
        "view": view,
        "digest": example_report.digest(),
        "check_command": check_command("example"),
        "all_lines": False,
        "track_url": "/reports/example/track/",
        "replay": view.snapshot is not None,
        "example": True,
    }
    return render(request, "reports/report.html", context)


@require_GET
def example_track(_request: HttpRequest) -> HttpResponse:
    """The same for its replay."""
    _require_example()
    return HttpResponse(example_report.track(), content_type="application/json")
