"""``/metrics``: for Prometheus, which has the token, and for who is signed in. Nobody else."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard.core.operations.heartbeat import Part, parts_missing
from dashboard.models import Experiment, GroupHost, TrainingSession
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.feed_hub import FeedHub
from dashboard.web.measurements.hub import hub as runs
from dashboard.web.operations.health import database_answers, lab_missing
from dashboard.web.operations.metric_families import HubFigures, Scrape, Stored, exposition
from dashboard.web.service import service
from dashboard.web.training.hub import hub as classes
from dashboard.web.training.roles import tokens_of

BEARER = "Bearer "


def _read(page: str, hub: FeedHub[Any]) -> HubFigures:
    """In the loop of the hub: elsewhere it might change meanwhile."""
    return HubFigures(
        page,
        hub.browsers,
        hub.encoded,
        hub.delivered,
        hub.characters,
        hub.slow,
        hub.woken,
        hub.missed,
        hub.lag.now(),
    )


def _size_bytes() -> int:
    if connection.vendor == "sqlite":
        file = str(connection.settings_dict["NAME"])
        sizes = []
        for name in (file, f"{file}-wal"):
            with suppress(OSError):
                sizes.append(Path(name).stat().st_size)
        return sum(sizes)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def read_stored(answer_s: float, now: float) -> Stored:
    """What stands in the database. DatabaseError."""
    phases = Experiment.objects.order_by().values_list("phase").annotate(number=Count("pk"))
    stages = GroupHost.objects.order_by().values_list("state").annotate(number=Count("pk"))
    return Stored(
        vendor=connection.vendor,
        answer_s=answer_s,
        size_bytes=_size_bytes(),
        experiments=dict(phases),
        hosts=dict(stages),
        sessions_open=TrainingSession.objects.filter(closed_at=0.0, expires_at__gt=now).count(),
    )


async def gather() -> Scrape:
    """Everything now."""
    now = time.time()
    hubs = tuple(_read(page, hub) for page, hub in (("experiment", experiments), ("run", runs), ("class", classes)))
    present = classes.number_present(now)
    missing = parts_missing(lab_missing())
    beat, stored = service.beat(), None
    answer_s = await database_answers()
    if answer_s is not None:
        with suppress(DatabaseError, OSError):
            stored = await database_sync_to_async(read_stored, thread_sensitive=False)(answer_s, now)
    if stored is None:
        missing = (Part.DATABASE, *missing)
    return Scrape(now, str(service.role), missing, beat, stored, hubs, present, service.wakes.dropped)


def _has_token(request: HttpRequest) -> bool:
    """Whether it shows the token; never if there is none."""
    given = request.headers.get("Authorization", "")
    token = settings.METRICS_TOKEN
    if not token or not given.startswith(BEARER):
        return False
    return secrets.compare_digest(given.removeprefix(BEARER).strip().encode(), token.encode())


def _has_seat(request: HttpRequest) -> bool:
    return bool(tokens_of(request.session))


def _refused(status: int, sentence: str) -> HttpResponse:
    answer = HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="netmodes"'
    return answer


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text form; 401 without the token or a session, 403 for a seat of a class."""
    if not _has_token(request):
        user = await request.auser()
        if not user.is_authenticated:
            if await database_sync_to_async(_has_seat)(request):
                return _refused(403, _("The figures of this server are for who runs it."))
            return _refused(401, _("Send the token of NETMODES_METRICS_TOKEN as a bearer token, or sign in first."))
    answer = HttpResponse(exposition(await gather()), content_type=CONTENT_TYPE_LATEST)
    answer["Cache-Control"] = "no-store"
    return answer
