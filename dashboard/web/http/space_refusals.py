"""Answers a launch that the disk has no space for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.store.operations.storage import NoSpaceError

#: Insufficient Storage, RFC 4918.
NO_SPACE = 507


class SpaceRefusalMiddleware:
    """507 with the reason for a NoSpaceError of any view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The page, or JSON under /api/."""
        if not isinstance(exception, NoSpaceError):
            return None
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": str(exception)}, status=NO_SPACE)
        context = {"status": NO_SPACE, "title": _("The disk is almost full"), "sentence": str(exception)}
        return render(request, "error.html", context, status=NO_SPACE)
