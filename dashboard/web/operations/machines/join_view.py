"""The view ``POST /machines/join/``, with which a machine exchanges its join token for credentials.

The machine sends this request without an account.
"""

import math

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dashboard import __version__
from dashboard.core.machines.labels import parse_labels
from dashboard.core.operations.machines import MachineFacts, version_problem
from dashboard.store.operations import audit, joining, rate_limits
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.join_tokens import TokenError
from dashboard.web.http.threaded_views import threaded

MAX_BYTES = 16_384


class JoinRequest(msgspec.Struct, frozen=True):
    """The body of the request with which a machine joins."""

    token: str
    name: str
    facts: MachineFacts
    labels: list[str] = []


def _refuse(status: int, sentence: str) -> HttpResponse:
    return JsonResponse({"problem": sentence}, status=status)


@csrf_exempt
@require_POST
@threaded
def join(request: HttpRequest) -> HttpResponse:
    """Returns the credentials as JSON, or a JSON object in which ``problem`` is the reason of the refusal.

    Refuses requests from browsers, because the view has no CSRF protection.
    """
    if request.COOKIES or "Origin" in request.headers:
        return _refuse(403, _("Only ./netmodes join sends this request."))
    try:
        if len(request.body) > MAX_BYTES:
            return _refuse(413, _("The request is too long."))
        asked = msgspec.json.decode(request.body, type=JoinRequest)
        labels = parse_labels(asked.labels)
    except msgspec.MsgspecError:
        return _refuse(400, _("This is not a request to join. Use ./netmodes join of the server's version."))
    except ValueError as error:
        return _refuse(400, str(error))
    if problem := version_problem(__version__, asked.facts.version):
        return _refuse(409, problem)
    address, now = str(request.META.get("REMOTE_ADDR", "")), shared_clock()
    if wait_s := math.ceil(rate_limits.take(rate_limits.wrong_tokens(address), now)):
        return _refuse(429, _("Too many wrong tokens. Wait %(count)d s.") % {"count": wait_s})
    try:
        credentials = joining.join(asked.token, asked.name, labels, asked.facts, address)
    except TokenError as error:
        audit.record("join machine", "", audit.REFUSED, account="machine", address=address)
        return _refuse(403, str(error))
    except joining.JoinError as error:
        rate_limits.give_back(rate_limits.wrong_tokens(address), now)
        return _refuse(500 if isinstance(error, joining.NotAddedError) else 403, str(error))
    rate_limits.give_back(rate_limits.wrong_tokens(address), now)
    response = JsonResponse(msgspec.to_builtins(credentials))
    response["Cache-Control"] = "no-store"
    return response
