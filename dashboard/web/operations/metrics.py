"""The view ``/metrics``, for Prometheus with a token and for signed-in users."""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard.core.operations.heartbeat import Part, part_names
from dashboard.models import GroupHost, TrainingSession
from dashboard.store import machines, parts
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.storage import disk_usage, journals
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.feed_hub import FeedHub
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements.hub import hub as measurements
from dashboard.web.operations.health import database_latency, own_lab_missing
from dashboard.web.operations.metric_families import DatabaseMetrics, HubMetrics, Scrape, exposition
from dashboard.web.service import service
from dashboard.web.training.hub import hub as sessions
from dashboard.web.training.roles import tokens_of

BEARER = "Bearer "


def _read_hub(page: str, hub: FeedHub[Any]) -> HubMetrics:
    """Returns the current counters of a hub, with the label ``page``. Call it in the hub's event loop, so that they do
    not change meanwhile."""
    return HubMetrics(
        page,
        hub.browsers,
        hub.encoded,
        hub.delivered,
        hub.sent_bytes,
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


def read_database(latency_s: float, now: float) -> DatabaseMetrics:
    """Reads the numbers of rows and the size of the database. ``latency_s`` becomes a field of the result; ``now``
    decides which training sessions are open. Raises DatabaseError."""
    stages = GroupHost.objects.order_by().values_list("state").annotate(number=Count("pk"))
    return DatabaseMetrics(
        vendor=connection.vendor,
        latency_s=latency_s,
        size_bytes=_size_bytes(),
        journals=journals(),
        disk=disk_usage(),
        experiments=parts.count_by_phase(),
        hosts=dict(stages),
        sessions_open=TrainingSession.objects.filter(closed_at=0.0, expires_at__gt=now).count(),
    )


def read_machines() -> tuple[tuple[str, bool, bool, float], ...]:
    """Returns the values of ``Scrape.machines``. Queries the database; raises DatabaseError."""
    if (labs := service.labs) is None:
        return ()
    found = []
    for record in machines.list_machines():
        lab = labs.of(record.name)
        if not record.is_revoked:
            age_s = lab.silent_s if lab.silent_s is not None else shared_clock() - max(record.seen_at, record.joined_at)
            found.append((record.name, lab.is_connected, lab.is_connected and lab.facts.engine is not None, age_s))
    return tuple(found)


async def gather() -> Scrape:
    """Returns the current values of all metrics."""
    now = shared_clock()
    pages = (("experiment", experiments), ("run", measurements), ("class", sessions))
    missing = part_names(own_lab_missing())
    heartbeat, database = service.heartbeat(), None
    joined: tuple[tuple[str, bool, bool, float], ...] = ()
    latency_s = await database_latency()
    if latency_s is not None:
        with suppress(DatabaseError, OSError):
            database = await to_db_thread(read_database, latency_s, now)
            joined = await to_db_thread(read_machines)
    if database is None:
        missing = (Part.DATABASE, *missing)
    return Scrape(
        at=now,
        role=str(service.role),
        missing=missing,
        heartbeat=heartbeat,
        database=database,
        hubs=tuple(_read_hub(page, hub) for page, hub in pages),
        participants_present=sessions.number_present(now),
        wakeups_dropped=service.wakeups.dropped,
        machines=joined,
    )


def _has_token(request: HttpRequest) -> bool:
    """Returns whether the request contains the configured token; False if no token is configured."""
    given = request.headers.get("Authorization", "")
    token = settings.METRICS_TOKEN
    if not token or not given.startswith(BEARER):
        return False
    return secrets.compare_digest(given.removeprefix(BEARER).strip().encode(), token.encode())


def _refuse(status: int, message: str) -> HttpResponse:
    response = HttpResponse(f"{message}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="netmodes"'
    return response


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Returns the metrics in the text format of Prometheus.

    Answers 401 without the token or a sign-in, and 403 to participants of a training session.
    """
    if not _has_token(request):
        user = await request.auser()
        if not user.is_authenticated:
            if await to_db_thread(tokens_of, request.session):
                return _refuse(
                    403, _("Participants have no access to metrics. Sign in with an account of this server.")
                )
            return _refuse(401, _("Sign in, or send the token from NETMODES_METRICS_TOKEN as a bearer token."))
    response = HttpResponse(exposition(await gather()), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response
