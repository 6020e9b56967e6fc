"""The health checks ``/healthz`` and ``/readyz``. They require no sign-in, so they reveal nothing about the machine."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from dashboard.core.measurements.formatting import moment_of
from dashboard.core.operations.heartbeat import Missing, Part, missing_parts, part_names
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.guards import Application, Receive, Scope, Send, send_text
from dashboard.web.service import service

#: A database that does not return a row within this many seconds counts as missing.
DATABASE_TIMEOUT_S = 3.0


class HealthCheck:
    """ASGI layer that answers ``/healthz`` with 200 while the process runs. It checks nothing else.

    It uses neither Django nor a thread, so slow pages do not delay the answer.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers ``/healthz``. Passes all other requests on."""
        if scope["type"] != "http" or scope["path"] != "/healthz":
            await self._application(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await send_text(send, HTTPStatus.OK, "ok", (b"cache-control", b"no-store"))
        else:
            text = "Only GET and HEAD are allowed."
            await send_text(send, HTTPStatus.METHOD_NOT_ALLOWED, text, (b"allow", b"GET, HEAD"))


def _select() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def database_latency() -> float | None:
    """Returns the seconds until the database answers a query; None if it does not answer within
    ``DATABASE_TIMEOUT_S``."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_S):
            await to_db_thread(_select)
    except (DatabaseError, OSError, TimeoutError):
        return None
    return time.monotonic() - started


def own_lab_missing() -> tuple[Missing, ...]:
    """Returns what does not respond on the installation's own machine: the lab or the engine; empty if both respond."""
    without = Part.ENGINE if service.role.drives else Part.LAB
    return missing_parts(service.heartbeat(), shared_clock(), without=without)


def connected_machines() -> tuple[str, ...]:
    """Returns the names of the machines that have joined the installation and accept calls. May be called from any
    thread."""
    return service.labs.connected_machines() if service.labs is not None else ()


def has_own_lab() -> bool:
    """Returns whether the installation has a lab on its own machine. May be called from any thread.

    It has one if a lab runs in this process, or if a lab on that machine has ever sent a heartbeat to this process.
    """
    has_sent = service.labs is not None and service.labs.server.silent_s is not None
    return has_sent or service.role.drives or service.heartbeat() is not None


def lab_missing() -> tuple[Missing, ...]:
    """Returns what does not respond, in the format of ``own_lab_missing``.

    Empty if the installation has no lab on its own machine and the lab of another machine responds. A failed lab on the
    own machine is always included, because no other lab drives its experiments.
    """
    return () if connected_machines() and not has_own_lab() else own_lab_missing()


async def missing_now() -> tuple[Missing, ...]:
    """Returns the parts of the deployment that do not respond now."""
    missing = lab_missing()
    if await database_latency() is None:
        return (Missing(Part.DATABASE, "The database does not answer."), *missing)
    return missing


def _since(missing: Missing) -> str | None:
    return moment_of(missing.since).isoformat(timespec="seconds") if missing.since else None


def degradation() -> str:
    """Returns why pages are slow although they are available; empty if no reason is known."""
    return "NATS does not answer: pages update about a second late and show no lab." if service.nats.problem else ""


def _own_lab_note() -> str:
    """Returns a sentence if no lab on the installation's own machine has started, so that only other machines run
    experiments; otherwise empty."""
    if lab_missing() or not own_lab_missing():
        return ""
    return "No lab of the installation's own machine has started: only other machines run experiments."


def _text(missing: Sequence[Missing]) -> str:
    if not missing:
        return "\n".join(["ready", *filter(None, [degradation(), _own_lab_note()])]) + "\n"
    lines = [f"missing: {', '.join(part_names(missing))}"]
    lines += [f"{item.reason}{f' Since {_since(item)}.' if item.since else ''}" for item in missing]
    return "\n".join(lines) + "\n"


@require_safe
async def readyz(request: HttpRequest) -> HttpResponse:
    """Answers 200 if the database, the lab and the engine respond. Otherwise answers 503 with what is missing and since
    when.

    The answer is text, or JSON if the client accepts only that: ``{"ready": false, "missing": [{"part", "reason",
    "since"}]}``.
    """
    missing = await missing_now()
    status = 503 if missing else 200
    if request.accepts("text/plain"):
        response = HttpResponse(_text(missing), status=status, content_type="text/plain")
    else:
        slower = {"slower": degradation()} if degradation() else {}
        items = [{"part": str(item.part), "reason": item.reason, "since": _since(item)} for item in missing]
        response = JsonResponse({"ready": not missing, "missing": items, **slower}, status=status)
    response["Cache-Control"] = "no-store"
    # Not logged here: health checks come every few seconds, and code that needs the missing part logs it once.
    response._has_been_logged = True  # type: ignore[attr-defined]  # as django.utils.log marks it
    return response
