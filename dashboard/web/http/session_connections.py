"""Keeps a register of the open websockets of each browser session in this process.

Closes them when the session ends, and when the role of its account changes.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from dashboard.store.operations.accounts import roles_of
from dashboard.web.feed_hub import TRY_LATER, Client
from dashboard.web.http.database import to_db_thread

log = logging.getLogger(__name__)
SIGNED_OUT = 4403
#: The name under which a browser session stores the key that it had before the last change of the password.
_FORMER_KEY = "former_key"
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


def renew_session(request: HttpRequest, user: User) -> None:
    """Keeps the browser session of the request valid after the password of its user has changed. It gets a new key.

    The connections that were opened with the former key are not closed here: their pages have the new cookie only after
    the response. ``close_ended_sessions`` makes them reconnect, in each process of the server.
    """
    request.session[_FORMER_KEY] = request.session.session_key
    update_session_auth_hash(request, user)


def _missing_sessions(keys: Sequence[str]) -> dict[str, bool]:
    """The keys that no browser session has. The value is true if the session continues with another key."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    missing = set(keys).difference(live.filter(session_key__in=keys).values_list("session_key", flat=True))
    former = {row.get_decoded().get(_FORMER_KEY) for row in live.iterator()} if missing else set()
    return {key: key in former for key in missing}


async def close_ended_sessions() -> None:
    """Closes the connections of browser sessions that no longer exist in the database.

    The pages of a signed-in user then show that the user is signed out, unless the session continues with another key
    (``renew_session``): then they reconnect. The page of a participant always reconnects, because its session may
    merely have a new key after the browser joined as another participant.
    """
    missing = await to_db_thread(_missing_sessions, tuple(filter(None, _connections)))
    for key, continues in missing.items():
        for connection in tuple(_connections.get(key, ())):
            user = connection.scope.get("user")
            signed_out = user is not None and user.is_authenticated and not continues
            _disconnect(connection, SIGNED_OUT if signed_out else TRY_LATER)


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
