"""The page of the doctor: what an engine and its kernel support."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.lab.doctor import unavailable_report
from dashboard.lab.remote import experiment_calls
from dashboard.store.machines import find as find_machine
from dashboard.store.operations.storage import add_storage
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service


@require_GET
async def doctor(request: HttpRequest) -> HttpResponse:
    """Renders the page that shows what an engine and its kernel support. ``?machine=NAME`` selects a machine that has
    joined the installation."""
    machine = request.GET.get("machine") or None
    if machine is not None and await to_db_thread(find_machine, machine) is None:
        raise Http404(_("No machine has this name."))
    context = {"doctor": await to_db_thread(add_storage, await run_doctor(machine)), "machine": machine}
    return await sync_to_async(render)(request, "operations/doctor.html", context)


async def run_doctor(machine: str | None = None) -> Any:
    """Returns the report ``doctor/1`` of a machine (None: the installation's own), even if its lab is unavailable."""
    try:
        return await service.ask_on(machine, "", experiment_calls.doctor)
    except LabUnavailableError as error:
        return unavailable_report(str(error))
