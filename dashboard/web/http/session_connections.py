"""The open websockets of each browser session, in this process: they are closed when the session ends."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.web.feed_hub import TRY_LATER, Client
from dashboard.web.http.database import in_database

log = logging.getLogger(__name__)
SIGNED_OUT = 4403
#: A session may end in another process, or expire: seconds between two checks.
CHECK_S = 10.0


class Connection(Protocol):
    """A websocket consumer whose client a hub can disconnect."""

    scope: Any
    client: Client | None
    hub: Any


_connections: dict[str, set[Connection]] = {}
_checks: set[asyncio.Task[None]] = set()


def _session_key(connection: Connection) -> str:
    return str(connection.scope["session"].session_key or "")


def add_connection(connection: Connection) -> None:
    """Registers an open connection."""
    _connections.setdefault(_session_key(connection), set()).add(connection)
    if not any(not task.done() for task in _checks):
        _checks.clear()
        _checks.add(asyncio.get_running_loop().create_task(_check_sessions(), name="session-check"))


def remove_connection(connection: Connection) -> None:
    """Forgets a closed connection."""
    key = _session_key(connection)
    connections = _connections.get(key, set())
    connections.discard(connection)
    if not connections:
        _connections.pop(key, None)


def _disconnect(connection: Connection, code: int) -> None:
    if connection.client is not None and not connection.client.closing:
        connection.hub.disconnect(connection.client, code)


def end_session(key: str) -> None:
    """Closes every connection of a session that has ended: its pages show that they are signed out."""
    for connection in tuple(_connections.get(key, ())):
        _disconnect(connection, SIGNED_OUT)


def _missing_sessions(keys: Sequence[str]) -> set[str]:
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return set(keys) - set(rows.values_list("session_key", flat=True))


async def close_ended_sessions() -> None:
    """Closes the connections of sessions that no longer exist.

    A signed-in user is signed out. A participant's session may only have a new key, because its browser joined as
    another participant: its page reconnects.
    """
    for key in await in_database(_missing_sessions, tuple(filter(None, _connections))):
        for connection in tuple(_connections.get(key, ())):
            user = connection.scope.get("user")
            _disconnect(connection, SIGNED_OUT if user is not None and user.is_authenticated else TRY_LATER)


async def _check_sessions() -> None:
    while _connections:
        await asyncio.sleep(CHECK_S)
        try:
            await close_ended_sessions()
        except Exception:
            log.exception("could not check which sessions have ended; trying again")
