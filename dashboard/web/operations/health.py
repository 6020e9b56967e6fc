"""Is it alive, and can somebody work with it? Both answer everybody, so they tell nothing of the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from channels.db import database_sync_to_async
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from dashboard.core.measurements.formatting import moment_of
from dashboard.core.operations.heartbeat import Missing, Part, missing_of, parts_missing
from dashboard.web.service import service

#: A database that takes longer for one row serves nobody.
DATABASE_S = 3.0


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Alive. Asks nobody."""
    return HttpResponse("ok\n", content_type="text/plain")


def _look_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def database_answers(within_s: float = DATABASE_S) -> float | None:
    """Seconds until the database answered, None if it did not."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(within_s):
            await database_sync_to_async(_look_up, thread_sensitive=False)()
    except (DatabaseError, OSError, TimeoutError):
        return None
    return time.monotonic() - began


def lab_missing() -> tuple[Missing, ...]:
    """What is missing of lab and engine now."""
    without = Part.ENGINE if service.role.drives else Part.LAB
    return missing_of(service.beat(), time.time(), without=without)


async def missing_now() -> tuple[Missing, ...]:
    """What is missing now."""
    found = lab_missing()
    if await database_answers() is None:
        return (Missing(Part.DATABASE, "The database does not answer."), *found)
    return found


def _since(one: Missing) -> str | None:
    return moment_of(one.since).isoformat(timespec="seconds") if one.since else None


def slower() -> str:
    """What does not stop anybody, but slows pages down; empty if nothing does."""
    return "Redis does not answer: pages follow about a second later." if service.wakes.problem else ""


def _text(missing: Sequence[Missing]) -> str:
    if not missing:
        slow = slower()
        return f"ready\n{slow}\n" if slow else "ready\n"
    lines = [f"missing: {', '.join(parts_missing(missing))}"]
    lines += [f"{one.reason}{f' Since {_since(one)}.' if one.since else ''}" for one in missing]
    return "\n".join(lines) + "\n"


@require_safe
async def readyz(request: HttpRequest) -> HttpResponse:
    """200 with a database, a lab that works and an engine that answers; else 503 with what is missing and since when.

    As text, or as JSON for who accepts that: ``{"ready": false, "missing": [{"part", "reason", "since"}]}``.
    """
    missing = await missing_now()
    status = 503 if missing else 200
    if request.accepts("text/plain"):
        answer = HttpResponse(_text(missing), status=status, content_type="text/plain")
    else:
        slow = {"slower": slower()} if slower() else {}
        said = [{"part": str(one.part), "reason": one.reason, "since": _since(one)} for one in missing]
        answer = JsonResponse({"ready": not missing, "missing": said, **slow}, status=status)
    answer["Cache-Control"] = "no-store"
    # Health checks ask every few seconds: what is missing is in the log once, from who misses it.
    answer._has_been_logged = True  # type: ignore[attr-defined]  # as django.utils.log marks it
    return answer
