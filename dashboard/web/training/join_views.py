"""Views for joining a session with a code and a name, and for moving a participant to another device with a link.

New participants are rate limited per client, entered codes per client and overall (``core.training.rate_limit``). The
join link and its QR code contain the code and a signature, which cannot be guessed. They continue to work while someone
guesses codes. A private host is requested only when its group opens a step.
"""

import math

from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from dashboard.core.training.join_codes import parse_code
from dashboard.core.training.session import parse_name
from dashboard.models import TrainingSession
from dashboard.store.operations import rate_limits
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import REFUSALS, JoinRefusedError
from dashboard.web.http.sign_in import keep_secret
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import add_token, tokens_of
from dashboard.web.training.views import status_of

_signer = Signer(salt="netmodes.join")
KEY_LENGTH = 22


def key_of(code: str) -> str:
    """Returns the signature of a join code, which the join link contains as ``key``."""
    return _signer.signature(code)[:KEY_LENGTH]


def join_link(origin: str, code: str) -> str:
    """Returns the link with which participants join. ``origin`` is the scheme, host and port of the server."""
    return f"{origin}/join/?code={code}&key={key_of(code)}"


def _page(request: HttpRequest, status: int = 200, **context: object) -> HttpResponse:
    typed = {"code": request.GET.get("code", "")[:40], "key": request.GET.get("key", "")[:KEY_LENGTH], "name": ""}
    if request.method == "POST":
        typed = {name: request.POST.get(name, "")[:60] for name in typed}
    response = render(request, "training/join.html", {"typed": typed, **context}, status=status)
    if status == 429:
        response["Retry-After"] = str(context.get("wait_s", 10))
    return keep_secret(response)


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Renders the form with which participants join. A POST with a correct code and a free name makes this browser a
    participant."""
    if request.method != "POST":
        return _page(request)
    try:
        code = parse_code(request.POST.get("code", ""))
    except ValueError as error:
        return _page(request, 400, code_problem=str(error))
    invited = constant_time_compare(request.POST.get("key", ""), key_of(code))
    address, now = str(request.META.get("REMOTE_ADDR", "")), shared_clock()
    if wait_s := 0 if invited else math.ceil(rate_limits.take(rate_limits.wrong_codes(address), now)):
        sentence = ngettext(
            "Too many wrong codes. Wait %(count)d second, or use the link or the QR code of your instructor.",
            "Too many wrong codes. Wait %(count)d seconds, or use the link or the QR code of your instructor.",
            wait_s,
        ) % {"count": wait_s}
        return _page(request, 429, code_problem=sentence, wait_s=wait_s)
    row = training_sessions.by_code(code)
    if row is None:
        return _page(request, 404, code_problem=_("No session has this code. Check it and try again."))
    if not invited:
        rate_limits.give_back(rate_limits.wrong_codes(address), now)
    return _join(request, row, address, now)


def _join(request: HttpRequest, row: TrainingSession, address: str, now: float) -> HttpResponse:
    home = f"/sessions/{row.id}/"
    if participants.by_token(row.id, tokens_of(request.session).get(row.id, "")) is not None:
        return redirect(home)
    if (status := status_of(row, now)) in REFUSALS:
        return _page(request, 410, code_problem=REFUSALS[status])
    if wait_s := math.ceil(rate_limits.take(rate_limits.new_participants(address), now)):
        sentence = ngettext(
            "Many participants have joined from your network within a minute. Wait %(count)d second, then press Join "
            "again.",
            "Many participants have joined from your network within a minute. Wait %(count)d seconds, then press Join "
            "again.",
            wait_s,
        ) % {"count": wait_s}
        return _page(request, 429, name_problem=sentence, wait_s=wait_s)
    try:
        _participant, token = participants.join(row.id, parse_name(request.POST.get("name", "")), now)
    except ValueError as error:
        rate_limits.give_back(rate_limits.new_participants(address), now)
        return _page(request, 400, name_problem=str(error))
    except JoinRefusedError as error:
        rate_limits.give_back(rate_limits.new_participants(address), now)
        return _page(request, 409, name_problem=str(error))
    add_token(request, row.id, token)
    hub.wake(row.id)
    return keep_secret(redirect(home))


@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest, token: str) -> HttpResponse:
    """Renders the page of a personal link. POST moves the participant to this device.

    GET changes nothing, so that a preview of the link does not use it up.
    """
    if request.method != "POST":
        participant = participants.by_link(token)
        session = training_sessions.get(participant.session) if participant else None
        context = {"participant": participant, "session": session}
        response = render(request, "training/resume.html", context, status=200 if participant else 404)
        response._has_been_logged = True  # type: ignore[attr-defined]  # the URL contains a token
        return keep_secret(response)
    moved = participants.resume(token, shared_clock())
    if moved is None:
        return keep_secret(render(request, "training/resume.html", {"participant": None}, status=404))
    participant, new_token = moved
    add_token(request, participant.session, new_token)
    hub.disconnect_participant(participant.session, participant.id)
    return keep_secret(redirect(f"/sessions/{participant.session}/"))
