"""Keeps a register of the open websockets of each browser session in this process.

Closes them when the session ends, and when the role of its account changes.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.store.operations.accounts import roles_of
from dashboard.web.feed_hub import TRY_LATER, Client
from dashboard.web.http.database import to_db_thread

log = logging.getLogger(__name__)
SIGNED_OUT = 4403
#: Seconds between two checks. They are needed because sessions expire, and other processes end sessions or change
#: roles.
CHECK_S = 10.0


class Connection(Protocol):
    """A websocket consumer that belongs to a hub. The hub can disconnect its client."""

    scope: Any
    client: Client | None
    hub: Any


#: The open connections by session key, each with the event loop in which it runs.
_connections: dict[str, dict[Connection, asyncio.AbstractEventLoop]] = {}
#: The role that each connected user had at the last check, by user id.
_roles: dict[int, str] = {}
_checks: set[asyncio.Task[None]] = set()


def _session_key(connection: Connection) -> str:
    return str(connection.scope["session"].session_key or "")


def add_connection(connection: Connection) -> None:
    """Registers an open connection. Starts the periodic checks of all connections if they are not running. Call it in
    the connection's event loop."""
    _connections.setdefault(_session_key(connection), {})[connection] = asyncio.get_running_loop()
    if not any(not task.done() for task in _checks):
        _checks.clear()
        _checks.add(asyncio.get_running_loop().create_task(_check_sessions(), name="session-check"))


def remove_connection(connection: Connection) -> None:
    """Removes a connection that has ended from the register."""
    key = _session_key(connection)
    connections = _connections.get(key, {})
    connections.pop(connection, None)
    if not connections:
        _connections.pop(key, None)


def _disconnect(connection: Connection, code: int) -> None:
    if connection.client is not None and not connection.client.closing:
        connection.hub.disconnect(connection.client, code)


def _disconnect_all(key: str, code: int) -> None:
    for connection, loop in tuple(_connections.get(key, {}).items()):
        loop.call_soon_threadsafe(_disconnect, connection, code)


def end_session(key: str) -> None:
    """Closes all connections of a browser session that has ended. Its pages then show that the user is signed out.

    ``key`` is Django's session key. May be called from any thread.
    """
    _disconnect_all(key, SIGNED_OUT)


def reconnect_session(key: str) -> None:
    """Closes all connections of a browser session after the role of its account has changed.

    The pages reconnect if the new role permits them. ``key`` is Django's session key. May be called from any thread.
    """
    _disconnect_all(key, TRY_LATER)


def _missing_sessions(keys: Sequence[str]) -> set[str]:
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return set(keys) - set(rows.values_list("session_key", flat=True))


async def close_ended_sessions() -> None:
    """Closes the connections of browser sessions that no longer exist in the database.

    The pages of a signed-in user then show that the user is signed out. The page of a participant reconnects, because
    its session may merely have a new key after the browser joined as another participant.
    """
    for key in await to_db_thread(_missing_sessions, tuple(filter(None, _connections))):
        for connection in tuple(_connections.get(key, ())):
            user = connection.scope.get("user")
            _disconnect(connection, SIGNED_OUT if user is not None and user.is_authenticated else TRY_LATER)


def _user_of(connection: Connection) -> int:
    user = connection.scope.get("user")
    return int(user.pk or 0) if user is not None else 0


async def reconnect_changed_roles() -> None:
    """Closes the connections of users whose role has changed since the last call, so that their pages reconnect."""
    opened = [connection for connections in _connections.values() for connection in connections]
    roles = await to_db_thread(roles_of, set(filter(None, map(_user_of, opened))))
    changed = {user for user, role in roles.items() if _roles.get(user, role) != role}
    _roles.clear()
    _roles.update(roles)
    for connection in opened:
        if _user_of(connection) in changed:
            _disconnect(connection, TRY_LATER)


async def _check_sessions() -> None:
    while _connections:
        await asyncio.sleep(CHECK_S)
        try:
            await close_ended_sessions()
            await reconnect_changed_roles()
        except Exception:
            log.exception("could not check which sessions have ended; trying again")
