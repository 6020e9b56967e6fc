"""The response to an unexpected error, and to a request without a database."""

import logging
import sys

from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

from dashboard.core.operations.database_problems import explain_database_error, is_damaged

log = logging.getLogger(__name__)
#: Seconds until the client may try again; a database restart takes less.
RETRY_S = 5


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``: 503 without a database, otherwise 500; JSON under /api/. It shows no traceback and uses
    no database."""
    error = sys.exc_info()[1]
    unavailable = isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DatabaseError) and is_damaged(str(error))
    )
    status = 503 if unavailable else 500
    reason = explain_database_error(str(error)) if unavailable else ""
    response: HttpResponse
    if request.path_info.startswith("/api/"):
        detail = (
            _("Database unavailable.") + f" {reason or _('Try again in a moment.')}"
            if unavailable
            else _("Server error: the request failed, or was only partly carried out. The log has the reason.")
        )
        response = JsonResponse({"detail": detail}, status=status)
    else:
        response = HttpResponse(loader.render_to_string(f"{status}.html", {"reason": reason}), status=status)
    if unavailable:
        response["Retry-After"] = str(RETRY_S)
        # One line instead of Django's traceback: each request fails while the database is away.
        log.error("a request was answered with 503: %s", error)
        response._has_been_logged = True  # type: ignore[attr-defined]  # as django.utils.log marks it
    return response
