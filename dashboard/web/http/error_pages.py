"""What people get when a request fails with something that nobody foresaw, or because the database is away."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

#: When to ask again; a database that restarts is back by then.
RETRY_S = 5


def failed(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``: 503 while the database is away, else 500. No traceback, and nothing is asked of the
    database on the way; JSON under /api/."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status = 503 if away else 500
    response: HttpResponse
    if request.path_info.startswith("/api/"):
        sentence = (
            _("The database does not answer: try again in a moment.")
            if away
            else _("Netmodes made a mistake: what you asked for was not done, or only in part; the log says why.")
        )
        response = JsonResponse({"detail": sentence}, status=status)
    else:
        response = HttpResponse(loader.render_to_string(f"{status}.html"), status=status)
    if away:
        response["Retry-After"] = str(RETRY_S)
    return response
