"""Responses to commands that are refused because the disk has no space, or because the machine accepts no new work."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.store.machines import MachineClosedError
from dashboard.store.operations.storage import NoSpaceError

#: The HTTP status “Insufficient Storage” (RFC 4918).
NO_SPACE = 507


def _refusal(exception: Exception) -> tuple[int, str] | None:
    """If the exception is a refusal, returns the status of the response and the title of its page; otherwise None."""
    if isinstance(exception, NoSpaceError):
        return NO_SPACE, _("The disk is almost full")
    return (409, _("This machine accepts no new work")) if isinstance(exception, MachineClosedError) else None


class RefusalMiddleware:
    """Turns NoSpaceError and MachineClosedError into a response with the reason, and a 405 response into a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on. Replaces an empty 405 response to a GET request by a page, except under /api/.

        Users open the URL of a command because the browser's address bar shows it after a form was refused.
        """
        response = self.get_response(request)
        if response.status_code != 405 or request.method != "GET" or request.path_info.startswith("/api/"):
            return response
        context = {
            "status": 405,
            "title": _("This address is not a page"),
            "sentence": _("It only receives what forms send. Nothing was changed."),
            "what_to_do": _("Go back to the page with the form."),
        }
        page = render(request, "error.html", context, status=405)
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Returns a page with the reason, or JSON under /api/; None if the exception is not a refusal."""
        refusal = _refusal(exception)
        if refusal is None:
            return None
        status, title = refusal
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": str(exception)}, status=status)
        context = {"status": status, "title": title, "sentence": str(exception)}
        return render(request, "error.html", context, status=status)
