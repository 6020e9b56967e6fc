"""The responses to unknown URLs, to unexpected errors, and to requests while the database is unavailable."""

import logging
import sys

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.urls import Resolver404
from django.utils.translation import gettext as _

from dashboard.core.operations.database_problems import explain_database_error, is_damaged
from dashboard.store.database import DATABASE_UNAVAILABLE

log = logging.getLogger(__name__)
#: Seconds after which the client may try again (Retry-After); a restart of the database takes less.
RETRY_S = 5


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler404``: returns a page with the message of the view's Http404.

    If no URL pattern matched, the page has a general sentence instead, because Django's message is for developers.
    """
    sentence = "" if isinstance(exception, Resolver404) else str(exception)
    return render(request, "404.html", {"sentence": sentence}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``: returns 503 if the database is unavailable, otherwise 500. The body is JSON under /api/.

    The response contains no traceback, and creating it makes no query.
    """
    error = sys.exc_info()[1]
    unavailable = isinstance(error, DATABASE_UNAVAILABLE) or (
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
        # One line instead of Django's traceback, because every request fails while the database is unavailable.
        log.error("a request was answered with 503: %s", error)
        response._has_been_logged = True  # type: ignore[attr-defined]  # as django.utils.log marks it
    return response
