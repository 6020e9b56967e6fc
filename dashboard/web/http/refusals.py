"""Responds to commands that the store refuses: the disk has no space, or the machine accepts no new work."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.store.machines import MachineClosedError
from dashboard.store.operations.storage import NoSpaceError

#: Insufficient Storage, RFC 4918.
NO_SPACE = 507


def _refusal(exception: Exception) -> tuple[int, str] | None:
    """The status and the title of the response."""
    if isinstance(exception, NoSpaceError):
        return NO_SPACE, _("The disk is almost full")
    return (409, _("This machine takes no new work")) if isinstance(exception, MachineClosedError) else None


class RefusalMiddleware:
    """Answers a NoSpaceError or MachineClosedError of any view with the reason."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Returns a page with the reason, or JSON under /api/."""
        refusal = _refusal(exception)
        if refusal is None:
            return None
        status, title = refusal
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": str(exception)}, status=status)
        context = {"status": status, "title": title, "sentence": str(exception)}
        return render(request, "error.html", context, status=status)
