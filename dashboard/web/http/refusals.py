"""Responses to commands that the store refuses because the disk has no space, or the machine accepts no new work."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.store.machines import MachineClosedError
from dashboard.store.operations.storage import NoSpaceError

#: The HTTP status “Insufficient Storage” (RFC 4918).
NO_SPACE = 507


def _refusal(exception: Exception) -> tuple[int, str] | None:
    """The status and the title of the response to an exception; None for exceptions that are not refusals."""
    if isinstance(exception, NoSpaceError):
        return NO_SPACE, _("The disk is almost full")
    return (409, _("This machine takes no new work")) if isinstance(exception, MachineClosedError) else None


class RefusalMiddleware:
    """Answers with the reason if a view raises NoSpaceError or MachineClosedError."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on. The address of a command, opened as a page, gets a page instead of an empty response:
        after a refused form the browser's address bar shows such an address."""
        response = self.get_response(request)
        if response.status_code != 405 or request.method != "GET" or request.path_info.startswith("/api/"):
            return response
        context = {
            "status": 405,
            "title": _("This address is a command, not a page"),
            "sentence": _("Nothing was changed: forms send commands here."),
            "what_to_do": _("Open the page with the form again."),
        }
        page = render(request, "error.html", context, status=405)
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page with the reason, or JSON under /api/; None for any other exception."""
        refusal = _refusal(exception)
        if refusal is None:
            return None
        status, title = refusal
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": str(exception)}, status=status)
        context = {"status": status, "title": title, "sentence": str(exception)}
        return render(request, "error.html", context, status=status)
