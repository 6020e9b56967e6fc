"""The response to an unexpected error, and to a request without a database."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

#: Seconds until the client may try again; a database restart takes less.
RETRY_S = 5


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``: 503 without a database, otherwise 500; JSON under /api/. It shows no traceback and uses
    no database."""
    unavailable = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status = 503 if unavailable else 500
    response: HttpResponse
    if request.path_info.startswith("/api/"):
        detail = (
            _("Database unavailable. Try again in a moment.")
            if unavailable
            else _("Server error: the request failed, or was only partly carried out. The log has the reason.")
        )
        response = JsonResponse({"detail": detail}, status=status)
    else:
        response = HttpResponse(loader.render_to_string(f"{status}.html"), status=status)
    if unavailable:
        response["Retry-After"] = str(RETRY_S)
    return response
