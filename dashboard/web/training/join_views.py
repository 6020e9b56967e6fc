"""The door of a class: a code and a name become a participant; a personal link brings somebody back to it.

A typed code is throttled by address and overall. The link and its QR code hold a signature besides the code, which
nobody guesses: who has one comes in while others guess.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress

from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from segno import make

from dashboard.core.training.join_codes import normalised, shown
from dashboard.core.training.rate_limit import Throttle
from dashboard.core.training.session import Door, HostsFor, door, group_key, name_of
from dashboard.models import TrainingSession
from dashboard.store.training import (
    hosts as group_host_store,
)
from dashboard.store.training import (
    join_code_attempts,
    participants,
)
from dashboard.store.training import (
    sessions as training_sessions,
)
from dashboard.store.training.participants import REFUSALS, JoinRefusedError
from dashboard.web.service import service
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import hold, tokens_of

_signer = Signer(salt="netmodes.join")
KEY_LENGTH = 22
throttle = Throttle()


def _wait_s(address: str, now: float) -> float:
    """As it is counted: by this process, or by all together where there are several."""
    return join_code_attempts.wait_s(address, now) if service.is_team else throttle.wait_s(address, now)


def _wrong(address: str, now: float) -> None:
    if service.is_team:
        join_code_attempts.wrong(address, now)
    else:
        throttle.wrong(address, now)


def key_of(code: str) -> str:
    """What stands beside the code in its link."""
    return _signer.signature(code)[:KEY_LENGTH]


def join_link(request: HttpRequest, code: str) -> str:
    """The whole link, as the class sees it."""
    return request.build_absolute_uri(f"/join/?code={code}&key={key_of(code)}")


def qr_code(text: str, title: str) -> SafeString:
    """A QR code as an SVG that stands in the page, with a name for who does not see it."""
    svg = make(text, error="m", micro=False).svg_inline(
        omitsize=True, dark="#000", light="#fff", title=title, svgclass="qr", lineclass=None, border=3
    )
    return SafeString(svg.replace("<svg ", '<svg role="img" ', 1))  # our own link, encoded; the title is escaped


def _private(response: HttpResponse) -> HttpResponse:
    """Nothing of the address is told to anybody, and nothing kept."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, status: int = 200, **context: object) -> HttpResponse:
    typed = {"code": request.GET.get("code", "")[:40], "key": request.GET.get("key", "")[:KEY_LENGTH], "name": ""}
    if request.method == "POST":
        typed = {name: request.POST.get(name, "")[:60] for name in typed}
    response = render(request, "training/join.html", {"typed": typed, **context}, status=status)
    if status == 429:
        response["Retry-After"] = str(context.get("wait_s", 10))
    return _private(response)


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """The form, and what becomes of it."""
    if request.method != "POST":
        return _page(request)
    try:
        code = normalised(request.POST.get("code", ""))
    except ValueError as error:
        return _page(request, 400, code_problem=str(error))
    invited = constant_time_compare(request.POST.get("key", ""), key_of(code))
    address, now = str(request.META.get("REMOTE_ADDR", "")), time.time()
    wait_s = 0 if invited else math.ceil(_wait_s(address, now))
    if wait_s:
        sentence = ngettext(
            "Too many wrong codes. Wait %(count)d second, or use the link or the QR code of your instructor.",
            "Too many wrong codes. Wait %(count)d seconds, or use the link or the QR code of your instructor.",
            wait_s,
        ) % {"count": wait_s}
        return _page(request, 429, code_problem=sentence, wait_s=wait_s)
    row = training_sessions.by_code(code)
    if row is None:
        _wrong(address, now)
        return _page(request, 404, code_problem=_("There is no session with this code: read it once more."))
    return _join(request, row, now)


def _join(request: HttpRequest, row: TrainingSession, now: float) -> HttpResponse:
    """A participant in this session: the one that this browser has, or a new one."""
    if participants.by_token(row.id, tokens_of(request.session).get(row.id, "")) is not None:
        return redirect(f"/sessions/{row.id}/")
    stands = door(row.closed_at, row.expires_at, now, shut=row.admission_required)
    if stands in {Door.CLOSED, Door.EXPIRED}:
        return _page(request, 410, code_problem=REFUSALS[stands])
    try:
        name = name_of(request.POST.get("name", ""))
        participant, token = participants.join(row.id, name, now)
    except ValueError as error:
        return _page(request, 400, name_problem=str(error), title=row.title, shown=shown(row.code))
    except JoinRefusedError as error:
        return _page(request, 409, name_problem=str(error), title=row.title)
    hold(request, row.id, token)
    if row.hosts != HostsFor.NONE and participant.admitted:
        with suppress(group_host_store.NoHostError):
            group_host_store.ask_for(group_key(row.id, participant.group), now)
        service.wake()
    hub.wake(row.id)
    return _private(redirect(f"/sessions/{participant.session}/"))


@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest, token: str) -> HttpResponse:
    """A personal link: looking at it changes nothing, so that no preview uses it up; the button moves the participant here."""
    if request.method != "POST":
        found = participants.by_link(token)
        context = {"participant": found, "session": training_sessions.get(found.session) if found else None}
        response = render(request, "training/resume.html", context, status=200 if found else 404)
        response._has_been_logged = True  # type: ignore[attr-defined]  # the address holds a token
        return _private(response)
    moved = participants.resume(token, time.time())
    if moved is None:
        return _private(render(request, "training/resume.html", {"participant": None}, status=404))
    participant, fresh = moved
    hold(request, participant.session, fresh)
    hub.dismiss_participant(participant.session, participant.id)
    return _private(redirect(f"/sessions/{participant.session}/"))
